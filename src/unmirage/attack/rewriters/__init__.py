"""Registry of rewriters. Add one as a module here and in `REWRITERS`, or as an entry point "unmirage.rewriters"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.attack.rewriters.base import Goal, Rewriter, RewriteReport, Wanted
from unmirage.attack.rewriters.rules import Checked, MeaningCheck, RuleRewriter
from unmirage.errors import UserError
from unmirage.registry import InvalidError, Registry, has
from unmirage.text.english.wordings import Wordings

if TYPE_CHECKING:
    from unmirage.models.endpoint import EndpointSettings

__all__ = [
    "REWRITERS",
    "Checked",
    "Goal",
    "MeaningCheck",
    "RewriteReport",
    "Rewriter",
    "RuleRewriter",
    "Wanted",
    "make_rewriter",
]


def _rules(spec: str, check: MeaningCheck, _cache: Path | None, _settings: EndpointSettings | None) -> Rewriter:
    if spec != "rules":
        raise UserError(f"rewriter 'rules' takes no argument, got '{spec.removeprefix('rules:')}'; use 'rules'")
    return Checked(RuleRewriter(), check)


def _endpoint(
    spec: str, check: MeaningCheck, cache: Path | None, settings: EndpointSettings | None, *, fill: bool = False
) -> Rewriter:
    # Imported here because it takes seconds, and `--dry-run` with rules does not need it.
    from unmirage.attack.rewriters.endpoint import EndpointRewriter
    from unmirage.models.endpoint import Chat, parse_endpoint

    return EndpointRewriter(Chat(parse_endpoint(spec), settings), check, cache, fill=fill)


def _rewrites(found: Any, wanted: Sequence[Wanted], *_: Any, **__: Any) -> list[list[str]]:
    if not isinstance(found, list | tuple) or len(found) != len(wanted):
        raise InvalidError(f"it returned {found!r}; valid: {len(wanted)} lists, one per request")
    if bad := [one for one in found if not isinstance(one, list | tuple) or not all(isinstance(x, str) for x in one)]:
        raise InvalidError(f"it returned {bad[0]!r} for a request; valid: a list of texts")
    return list(found)


# Arguments of an entry: the full spec, the meaning check, the cache file, and the server settings.
REWRITERS: Registry[Callable[[str, MeaningCheck, Path | None, EndpointSettings | None], Rewriter]] = Registry(
    "rewriter",
    "unmirage.rewriters",
    {"rules": _rules, "endpoint": _endpoint},
    has("a function of (spec, check, cache, settings) that returns a Rewriter", Callable),
    made=has("a Rewriter", name=str, report=RewriteReport, reword=Callable),
    results={"reword": _rewrites},
)


def make_rewriter(
    spec: str,
    cache: Path | None = None,
    *,
    check: MeaningCheck | None = None,
    settings: EndpointSettings | None = None,
    wordings: Wordings | None = None,
    fill: bool = False,
) -> Rewriter:
    """Return the rewriter for `spec`: "rules" or "endpoint:URL#model-name".

    Args:
        cache: file that caches a server's rewrites; None disables the cache.
        check: what a rewrite must keep of the query; None uses the default check.
        wordings: how "rules" word attacks; None uses the "insert" wordings.
        fill: whether rules make the rewrites that a language model on a server does not.

    Raises:
        UserError: the rewriter does not exist, or its argument is not valid.
    """
    if spec == "rules" and wordings is not None:
        return Checked(RuleRewriter(wordings), check or MeaningCheck())
    name = spec.partition(":")[0]
    factory = REWRITERS.find(name)
    if factory is _endpoint and fill:
        factory = partial(_endpoint, fill=True)
    return REWRITERS.create(name, lambda: factory(spec, check or MeaningCheck(), cache, settings))
