"""The record of a grafted model. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from unmirage.documents import Document
from unmirage.records import Amount, Count, Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a training of tower and projector achieved.

    Attributes:
        data: name of the data, "world" or a file.
        files: hash of each data file.
        questions: training questions.
        pictures: training pictures.
        tower_accuracy: share of pictures that the tower classified correctly at the end of its own training; None if
            the data have no labels for it.
        before, after: accuracy on questions about held-out pictures, before and after the training.
        chance: accuracy of the best guess without the picture: the most frequent training answer to each question.
        text_before, text_after: share of text questions whose response with a picture starts as without one.
        seconds: duration.
    """

    data: str
    files: Mapping[str, str]
    questions: Count
    pictures: Count
    tower_accuracy: float | None
    before: Rate
    after: Rate
    chance: float
    text_before: Rate | None = None
    text_after: Rate | None = None
    seconds: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Graft(Document):
    """How a model was assembled from a text decoder, the document `unmirage.graft/1`.

    Attributes:
        lm: hub id or known name, or the name of the directory or file without its path, which is private.
        files: hash of each of its files; for a hub id, also the commit.
        architecture: class of the decoder.
        license: license of the weights, if known; "" otherwise.
        chat_template: "own", "chatml" or "file".
        system: default system prompt that the chat template inserts; "" for none.
        padding: token that was made the padding token because the tokenizer has none; "" if it has one.
        parameters: number of weights, by part.
        settings: fields of `GraftSettings`.
        seen: training of tower and projector; None if they are random.
    """

    FILE: ClassVar[str] = "unmirage_graft.json"
    WRITER: ClassVar[str] = "unmirage graft LM --out OUT"

    schema: Literal["unmirage.graft/1"] = "unmirage.graft/1"
    lm: str
    files: Mapping[str, str]
    architecture: str
    license: str
    chat_template: Literal["own", "chatml", "file"]
    system: str
    padding: str
    parameters: Mapping[str, Count]
    settings: Mapping[str, Any]
    seen: Seen | None
    machine: Mapping[str, Any]
