"""Check the names and thresholds of a gate against the JSON Schema of the document, before the document exists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unmirage.documents import Document

VALUE = "value"  # the field of a rate, a score or a corrected rate that a condition compares
BOUNDS = ("least", "most")  # the fields with the worst-case bounds of a rate
MODELS = "models"
_MOST_LISTED = 12

Node = Mapping[str, Any]


def suggestion(name: str, valid: Iterable[str]) -> str:
    """Return ". Did you mean 'X'?" for the nearest valid name, or one that contains `name`; "" if none is near."""
    known = list(valid)
    close = difflib.get_close_matches(name, known, n=1) or [one for one in known if len(name) > 2 and name in one]
    return f". Did you mean '{close[0]}'?" if close else ""


@dataclass(frozen=True, slots=True)
class Names:
    """The numbers that a document can have.

    Attributes:
        schema: JSON Schema of the document.
        keys: valid keys of objects whose schema allows any, by the name of the object.
    """

    schema: Node
    keys: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, document: type[Document], keys: Mapping[str, Sequence[str]] | None = None) -> Names:
        """Return the numbers of a document."""
        return cls(document.json_schema(), keys or {})

    def problem(self, name: str, parts: Sequence[str], limit: float) -> str | None:
        """Return what is wrong with a comparison, or None.

        Args:
            parts: the name, split at its dots.
            limit: the threshold.
        """
        roots = [self.schema, *self._model_roots()]
        numbers = [number for root in roots for number in self._numbers(root, parts)]
        if not numbers:
            valid = list(dict.fromkeys(found for root in reversed(roots) for found in self._valid(root)))
            listed = ", ".join(valid[:_MOST_LISTED]) + (", …" if len(valid) > _MOST_LISTED else "")
            return f"unknown metric {name!r}; valid: {listed}{suggestion(name, valid)}"
        if limit > 1 and all(number.get("maximum") == 1 for number in numbers):
            return f"{name} is at most 1, and {limit:g} means {100 * limit:,.0f} %; did you mean {limit / 100:g}?"
        if limit < 0 and all(number.get("minimum") == 0 for number in numbers):
            return f"{name} is at least 0, so the threshold {limit:g} decides nothing"
        return None

    def _model_roots(self) -> list[Node]:
        """Return the schema of all models and of one model; [] if the document has none."""
        models = self.schema["properties"].get(MODELS)
        return [] if models is None else [models, *self._plain(models["additionalProperties"])]

    def _plain(self, node: Any) -> Iterator[Node]:
        """Yield the alternatives of a schema, without references."""
        if node is True:
            yield {}
            return
        while "$ref" in node:
            node = self.schema["$defs"][node["$ref"].rpartition("/")[2]]
        for one in node.get("anyOf", ()):
            yield from self._plain(one)
        if "anyOf" not in node:
            yield node

    def _numbers(self, node: Any, parts: Sequence[str], own: str = "") -> Iterator[Node]:
        """Yield the schemas of the numbers that a name can mean; an object of anything has any number."""
        for one in self._plain(node):
            if not one or (not parts and one.get("type") in ("number", "integer")):
                yield one
            properties = self._properties(one, own)
            if not parts and VALUE in properties:
                yield from self._numbers(properties[VALUE], ())
            for end in range(1, len(parts) + 1):
                key = ".".join(parts[:end])
                if key in properties:
                    yield from self._numbers(properties[key], parts[end:], key)
                elif one.get("additionalProperties") and own not in self.keys:
                    yield from self._numbers(one["additionalProperties"], parts[end:], key)

    def _properties(self, node: Node, own: str) -> Node:
        if own in self.keys and node.get("additionalProperties"):
            return dict.fromkeys(self.keys[own], node["additionalProperties"])
        found: Node = node.get("properties", {})
        return found

    def _valid(self, node: Any, prefix: str = "", own: str = "") -> Iterator[str]:
        """Yield the names of all numbers, without the parts of rates, and without those under unknown keys."""
        for one in self._plain(node):
            properties = self._properties(one, own)
            if prefix and (one.get("type") in ("number", "integer") or VALUE in properties):
                yield prefix
            for key, value in () if prefix and VALUE in properties else properties.items():
                yield from self._valid(value, f"{prefix}.{key}" if prefix else key, key)
