"""What a query asks for: the record that parsing gives and realising takes."""

from __future__ import annotations

from dataclasses import dataclass

from unmirage.text.frames import RequestKind


@dataclass(frozen=True, slots=True)
class Request:
    """What a query asks for.

    Attributes:
        kind: a "thing" ("the recipe"), a "topic" to talk about ("the man"), a "supply" to hand over ("tips"), a
            "product" to make ("create a poem"), an "action" ("fix the boat"), a "clause" ("who she is"), a "claim"
            ("it is late"), or the answer to a "question" that is quoted as it stands.
        body: the words of it, without end mark.
        rest: sentences around the request, kept as they are.
    """

    kind: RequestKind
    body: str
    rest: str = ""
