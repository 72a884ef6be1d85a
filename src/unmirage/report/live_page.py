"""The page that shows how far runs are, with their rates so far. It reloads itself until all have ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from unmirage.report.page import render
from unmirage.text.formatting import percent

RELOAD = 15  # seconds


def live_page(states: Sequence[Any], *, still: bool = False) -> str:
    """Return the page of some runs, given as `unmirage.report.live.State`; `still` does not reload it."""
    unfinished = any(not one.finished for one in states)
    return _page(states, unfinished=unfinished, reload=RELOAD if unfinished and not still else None)


def message_page(message: str) -> str:
    """Return a page with one line, such as why a page cannot be shown."""
    return _page([], message=message)


def _page(states: Sequence[Any], *, unfinished: bool = False, reload: int | None = None, message: str = "") -> str:
    values = {"states": states, "unfinished": unfinished, "reload": reload, "rates": _rates, "message": message}
    return render("live.html.j2", values)


def _rates(state: Any, model: str) -> dict[str, str]:
    """Return ASR and RR before and after the attack as text; "not yet" without a verdict."""
    if state.results is None or model not in state.results.models:
        return {"asr": "not yet", "rr": "not yet"}
    found = state.results.models[model]
    return {name: _change(getattr(found, name)) for name in ("asr", "rr")}


def _change(rate: Any) -> str:
    before, after = (None if one is None else one.value for one in (rate.before, rate.after))
    if before is None:
        return "not yet"
    return percent(before) if after is None else f"{percent(before)} → {percent(after)}"
