"""A query with its pictures and the turns before it, as the chat messages that templates and servers take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from unmirage.data.images import Pictures
from unmirage.records import Placed, Query, Sample, Turn

Picture = Image.Image
Message = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Conversation:
    """The text of a query, with all pictures and earlier turns.

    Attributes:
        text: the last user turn.
        pictures: all pictures of the conversation, in order; may be empty where only the prompt's text matters.
        places: number of characters of `text` before each of its own pictures, ascending.
        context: system prompt and earlier turns.
    """

    text: str
    pictures: tuple[Picture, ...] = ()
    places: tuple[int, ...] = ()
    context: tuple[Turn, ...] = ()

    @classmethod
    def about(cls, text: str, picture: Picture | None = None) -> Conversation:
        """Return a single turn about one picture or none."""
        return cls(text) if picture is None else cls(text, (picture,), (0,))

    @classmethod
    def of(cls, one: Query | Sample, open_picture: Callable[[str], Picture]) -> Conversation:
        """Return the conversation of a query or sample with its pictures opened."""
        return replace(unopened(one), pictures=tuple(open_picture(path) for path in one.paths))

    @property
    def picture_count(self) -> int:
        """Return the number of pictures in all turns."""
        return len(self.places) + sum(len(turn.images) for turn in self.context)

    @property
    def is_plain(self) -> bool:
        """Return whether this is one turn with at most one picture, which is before the text."""
        return not self.context and self.places in ((), (0,))

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the pieces of the last turn that its pictures separate, without empty ones; at least one."""
        return tuple(piece for piece in _pieces(self.text, self.places) if piece is not None)

    @property
    def shared_text(self) -> str:
        """Return the text up to its last picture."""
        return self.text[: self.places[-1]] if self.places else ""

    def saying(self, texts: Sequence[str]) -> Conversation:
        """Return a copy whose last turn has these pieces in place of `texts`."""
        given, text, places = iter(texts), "", []
        for piece in _pieces(self.text, self.places):
            if piece is None:
                places.append(len(text))
            else:
                text += next(given)
        return replace(self, text=text, places=tuple(places))


def unopened(one: Query | Sample) -> Conversation:
    """Return the conversation of a query or sample without opening its pictures."""
    text = one.text if isinstance(one, Query) else one.query
    return Conversation(text, places=tuple(placed.at for placed in one.placed), context=one.context)


def with_grey_pictures(conversation: Conversation) -> Conversation:
    """Return the conversation with a small grey image in place of each picture that is not opened."""
    if len(conversation.pictures) == conversation.picture_count:
        return conversation
    return replace(conversation, pictures=(Image.new("RGB", (64, 64), (128, 128, 128)),) * conversation.picture_count)


def once_opened(pictures: Pictures) -> Callable[[str], Picture]:
    """Return a function that opens each picture once."""
    opened: dict[str, Picture] = {}

    def open_picture(path: str) -> Picture:
        if path not in opened:
            opened[path] = pictures.open(path)
        return opened[path]

    return open_picture


def messages(conversation: Conversation) -> list[Message]:
    """Return the turns in order, each with content parts: texts, and `{"type": "image"}` at each picture's place."""
    turns = [_message(turn.role, turn.text, [placed.at for placed in turn.images]) for turn in conversation.context]
    return [*turns, _message("user", conversation.text, conversation.places)]


def answered(conversation: Conversation, answer: str) -> list[Message]:
    """Return the turns with the model's answer as the last one."""
    return [*messages(conversation), _message("assistant", answer, ())]


def _message(role: str, text: str, places: Sequence[int]) -> Message:
    parts = [{"type": "image"} if one is None else {"type": "text", "text": one} for one in _pieces(text, places)]
    return {"role": role, "content": parts}


def _pieces(text: str, places: Sequence[int]) -> list[str | None]:
    """Return the text split at the places, with None for each picture; empty pieces are left out, unless all are."""
    ends = [*places, len(text)]
    found: list[str | None] = []
    for start, end in zip([0, *places], ends, strict=True):
        found += [text[start:end]] if end > start else []
        found += [None]
    found.pop()  # no picture ends the text
    return found if any(found) else [*found, ""]


def earlier_turns(one: Query | Sample) -> tuple[tuple[str, str], ...]:
    """Return role and text of each earlier turn, with "[picture N]" where a picture is; N counts from 1."""
    found: list[tuple[str, str]] = []
    number = 0
    for turn in one.context:
        found.append((turn.role, _marked(turn.text, turn.images, number)))
        number += len(turn.images)
    return tuple(found)


def marked_text(one: Query | Sample) -> str:
    """Return the text itself, with "[picture N]" where a picture is, unless there is one only, before the text."""
    told = unopened(one)
    if told.picture_count == 1 and told.places == (0,):
        return told.text
    return _marked(told.text, one.placed, told.picture_count - len(told.places))


def asked_text(one: Query | Sample) -> str:
    """Return the text with earlier turns before it, each after its role, as judges read it."""
    turns = earlier_turns(one)
    return (
        "\n\n".join([f"{role}: {text}" for role, text in (*turns, ("user", marked_text(one)))])
        if turns
        else (marked_text(one))
    )


def _marked(text: str, images: Sequence[Placed], number: int) -> str:
    """Return the text with "[picture N]" at each place; N continues after `number`."""
    found: list[str] = []
    for piece in _pieces(text, [placed.at for placed in images]):
        if piece is None:
            number += 1
        found.append(f"[picture {number}]" if piece is None else piece)
    return "".join(found)
