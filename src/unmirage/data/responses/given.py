"""One response of a file, with the query that it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from unmirage.records import Ended, Kind, Placed, Turn

NO_RESPONSE = "the file has no response"
# Kinds of queries whose label follows from the kind.
LABEL_OF_KIND: Mapping[Kind, bool] = {
    Kind.JAILBREAK: True,
    Kind.OVER_PRUDENCE: False,
    Kind.UTILITY: False,
    Kind.NEIGHBOR: False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One row of a file of responses.

    Attributes:
        where: location for error messages.
        model: name of the model.
        text, image, images, context: the query, as in `Query`.
        response: the response with its reasoning, if any; None if there is none.
        reason: why there is no response.
        unsafe: the label of the query; None if the file has none.
        sample: what the rows about one sample share; None if the file does not tell.
        record: what dependent samples share; None for the sample itself.
        kind, shot, word: as in `Query`; `shot` is None if the file does not number the shots.
        declined: text of a refusal field, which is the response if there is no other.
        ended, thoughts, tokens: as in `Response`.
        category, group: as in `Sample`.
    """

    where: str
    model: str
    text: str
    image: str | None = None
    images: tuple[Placed, ...] = ()
    context: tuple[Turn, ...] = ()
    response: str | None
    reason: str = NO_RESPONSE
    unsafe: bool | None = None
    sample: str | None = None
    record: str | None = None
    kind: Kind = Kind.PLAIN
    shot: int | None = None
    word: str | None = None
    declined: str = ""
    ended: Ended = Ended.STOP
    thoughts: str = ""
    tokens: int = 0
    category: str | None = None
    group: str | None = None
