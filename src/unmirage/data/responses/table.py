"""Turn the rows of a table of responses into `Given` ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from unmirage.data.dialogue import QueryFields, asked, pictured, placed_turns
from unmirage.data.labels import is_empty, parse_label, truth
from unmirage.data.responses.columns import Names
from unmirage.data.responses.given import LABEL_OF_KIND, NO_RESPONSE, Given
from unmirage.data.rows import Row, shown, without_placeholder
from unmirage.data.turns import Said, text_of, turns_in
from unmirage.records import Ended, Kind
from unmirage.text.markup import Slot

# What a column named "label" says of a query. Other words, and 1 or 0, may judge the response.
_OF_QUERIES = frozenset({"unsafe", "harmful", "safe", "harmless", "unharmful", "benign"})
_NONE = frozenset({"", "none", "null", "nan"})


@dataclass
class Table:
    """Reads the rows of one file.

    Attributes:
        names: the file's columns.
        model: name of the model for rows without one.
        empty_is_missing: whether an empty response is none at all, as in CSV files, which have no null.
        endings: unknown finish reasons and their numbers; these responses count as finished.
    """

    names: Names
    model: str
    empty_is_missing: bool = False
    endings: Counter[str] = field(default_factory=Counter)

    def given(self, row: Row) -> list[Given]:
        """Return the responses of a row: one, or several if the column holds a list of them.

        Raises:
            UserError: a cell is invalid; the message names the file, the row and the column.
        """
        query, last = self._query(row)
        kind = self._kind(row)
        first = Given(
            where=row.where,
            model=self._text(row, "model") or self.model,
            response=None,
            text=query["query"],
            image=query["image"],
            images=query["images"],
            context=query["context"],
            reason=self._text(row, "error") or NO_RESPONSE,
            unsafe=self._label(row, kind),
            sample=self._text(row, "sample") or self._text(row, "id"),
            record=self._text(row, "record"),
            kind=kind,
            shot=self._number(row, "shot"),
            word=self._text(row, "word"),
            ended=self._ended(row),
            declined=self._declined(row),
            thoughts=self._text(row, "thoughts") or "",
            tokens=self._number(row, "tokens") or 0,
            category=row.category(self.names["category"]) if "category" in self.names else None,
            group=self._text(row, "group"),
        )
        return [self._answered(first, one, shot) for one, shot in self._responses(row, first, last)]

    def _answered(self, first: Given, response: str | None, shot: int | None) -> Given:
        missing = response is None or (self.empty_is_missing and response == "")
        # The system has replied, if there is a reason why there is no text.
        text = None if missing and first.ended is Ended.STOP else response or ""
        if not text and first.declined:
            return replace(first, response=first.declined, ended=Ended.REFUSAL, shot=shot)
        return replace(first, response=text, shot=shot)

    def _cell(self, row: Row, ours: str) -> Any:
        """Return a cell; None if it is empty or the file has no such column."""
        value = row.fields.get(self.names[ours]) if ours in self.names else None
        return None if is_empty(value) else value

    def _text(self, row: Row, ours: str) -> str | None:
        return None if self._cell(row, ours) is None else row.optional_name(self.names[ours])

    def _number(self, row: Row, ours: str) -> int | None:
        text = self._text(row, ours)
        if text is None:
            return None
        if not (text.isascii() and text.isdecimal()):
            raise row.error(f"column '{self.names[ours]}' is {shown(text)}; valid: 0, 1, 2 and so on")
        return int(text)

    def _query(self, row: Row) -> tuple[QueryFields, str | None]:
        """Return the query, and the response that follows it in a list of messages."""
        if "query" not in self.names:
            return asked(row, "", []), None
        column = self.names["query"]
        found = row.decoded(column)
        paths = self._paths(row)
        if not isinstance(found, list):
            text = row.text(column)
            return asked(row, text if paths else without_placeholder(text), paths), None
        said = turns_in(row, column)
        last = text_of(said[-1:]) if said[-1].role == "assistant" else None
        kept = said if last is None else said[:-1]
        turns = placed_turns(row, kept if paths else [_without_empty(one) for one in kept], paths)
        if not turns or turns[-1].role != "user":
            raise row.error(f"column '{column}' must end with the user's message, or with the response to it")
        *context, turn = turns
        return {"query": turn.text, **pictured(turn.images, context)}, last

    def _paths(self, row: Row) -> Sequence[str]:
        return row.image_paths(self.names["image"]) if "image" in self.names else ()

    def _responses(self, row: Row, first: Given, last: str | None) -> Iterator[tuple[str | None, int | None]]:
        """Yield each response of a row with its shot."""
        if "response" not in self.names:
            yield last, first.shot
            return
        column = self.names["response"]
        found = row.fields.get(column)
        if not isinstance(found, list):
            yield (None if found is None or found != found else self._said(row, found)), first.shot
            return
        if first.shot is not None:
            raise row.error(f"column '{column}' has {len(found)} responses, and '{self.names['shot']}' numbers them")
        for shot, one in enumerate(found or [None]):
            yield (None if one is None else self._said(row, one)), shot if len(found) > 1 else None

    def _said(self, row: Row, value: object) -> str:
        if not isinstance(value, str):
            raise row.error(f"column '{self.names['response']}' must be text, not {shown(value)}")
        return value

    def _kind(self, row: Row) -> Kind:
        text = self._text(row, "kind")
        if text is None:
            return Kind.PLAIN
        try:
            return Kind(text.strip().casefold().replace("_", "-"))
        except ValueError:
            raise row.error(
                f"column '{self.names['kind']}' is {shown(text)}; valid: {', '.join(Kind)}; "
                "leave the column out with --columns kind=-"
            ) from None

    def _label(self, row: Row, kind: Kind) -> bool | None:
        """Return whether the query is unsafe, by its column or its kind; None if neither tells."""
        value, of_kind = self._cell(row, "unsafe"), LABEL_OF_KIND.get(kind)
        if value is None:
            return of_kind
        column = self.names["unsafe"]
        word = str(value).strip().casefold()
        if column.casefold() == "label" and "unsafe" not in self.names.stated and word not in _OF_QUERIES:
            raise row.error(
                f"column '{column}' is {shown(value)}, which may judge the response; pass --columns unsafe={column} "
                "if it labels the query, or --columns unsafe=- and --unsafe all or none"
            )
        found = False if word == "harmless" else parse_label(value, column)
        if found is None:
            raise row.error(f"column '{column}' is {shown(value)}; valid: unsafe, safe, harmful, harmless, true, false")
        if of_kind is not None and found is not of_kind and kind in (Kind.JAILBREAK, Kind.OVER_PRUDENCE):
            raise row.error(
                f"column '{column}' is {shown(value)}, but a query of kind '{kind}' is "
                f"{'unsafe' if of_kind else 'safe'}"
            )
        return found if of_kind is None else of_kind

    def _declined(self, row: Row) -> str:
        """Return the text of a refusal field, as servers fill it; "" for labels such as true."""
        value = self._cell(row, "refusal")
        return value.strip() if isinstance(value, str) and truth(value) is None else ""

    def _ended(self, row: Row) -> Ended:
        value = self._cell(row, "ended")
        if value is None or str(value).strip().casefold() in _NONE:
            return Ended.STOP
        if (finished := truth(value)) is not None:  # "finished" or "truncated"? Only a name tells.
            raise row.error(
                f"column '{self.names['ended']}' is {finished}; valid: finish reasons such as stop, length and "
                "content_filter; leave the column out with --columns ended=-"
            )
        found = Ended.of(str(value))
        if found is None:
            self.endings[str(value)] += 1
        return found or Ended.STOP


def _without_empty(said: Said) -> Said:
    """Return a turn without placeholders of pictures that the file does not name."""
    return said._replace(parts=[one for one in said.parts if not isinstance(one, Slot) or one.path is not None])
