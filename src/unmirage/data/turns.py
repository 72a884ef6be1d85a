"""Read the turns of a record: who says what, with which pictures, in the spellings of many frameworks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from unmirage.data.rows import Row, shown
from unmirage.errors import UserError
from unmirage.records import Role
from unmirage.text.markup import Piece, Slot, pieces

ROLES: Mapping[str, Role] = {
    "human": "user", "user": "user", "prompter": "user",
    "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant",
    "ai": "assistant", "bing": "assistant", "bard": "assistant",
    "system": "system", "developer": "system",
    "<|user|>": "user", "<|assistant|>": "assistant", "<|system|>": "system",
}  # fmt: skip
_TOOLS = frozenset({"tool", "function", "function_call", "function_response", "observation", "tool_call", "ipython"})
_SPEAKERS, _TEXTS = ("role", "from"), ("content", "value")
SPEAKERS = frozenset(_SPEAKERS)
_REASONING = ("reasoning_content", "reasoning", "thinking")
_REASONED = frozenset(_REASONING)
_KINDS = ("text", "image", "image_url")
_INLINE = ("base64", "source", "data")  # fields with the bytes of a picture (axolotl, Anthropic)
# "\n\nHuman: ... \n\nAssistant: ..." (HH-RLHF), "### Human: ... ### Assistant: ..." (Guanaco, StackLLaMA).
_SPEAKER = re.compile(r"(?:\A|\s*\n\n|\s*###)\s*(Human|Assistant):\s?")
_SPEAKERS_OF: Mapping[str, Role] = {"Human": "user", "Assistant": "assistant"}


# Fields that tell whether an answer is trained on, and their values for no.
_WEIGHTS = frozenset({"weight", "train", "training", "loss"})
_NO_LOSS = (0, False)


class Said(NamedTuple):
    """One turn of a record.

    Attributes:
        role: who speaks.
        parts: what is said.
        row: where the record says it.
    """

    role: Role
    parts: list[Piece]
    row: Row

    @property
    def is_left_out(self) -> bool:
        """Return whether an answer is marked as context only: weight 0 (OpenAI), or no loss (axolotl, ms-swift)."""
        fields = self.row.fields
        if not self.row.part or _WEIGHTS.isdisjoint(fields):  # a weight of the whole record is something else
            return False
        return any(fields.get(name) in _NO_LOSS for name in _WEIGHTS)


def turns_in(row: Row, field: str) -> list[Said]:
    """Return the turns in a list of `{role, content}` or `{from, value}` objects."""
    return [_said(turn) for turn in row.parts(field, "turns")]


def _said(turn: Row) -> Said:
    speaker = next((name for name in _SPEAKERS if name in turn.fields), "from" if "value" in turn.fields else "role")
    name = turn.text(speaker)
    role = ROLES.get(name) or ROLES.get(name.casefold())
    if role is None and name.casefold() in _TOOLS:
        raise turn.error(f"field '{speaker}' is {shown(name)}; calls of tools are not supported; remove the record")
    if role is None:
        raise turn.error(f"field '{speaker}' is {shown(name)}; valid: {', '.join(ROLES)}")
    field = next((name for name in _TEXTS if name in turn.fields), _TEXTS[0])
    if not isinstance(turn.fields.get(field), list):
        text = turn.optional_text(field) or ""
        if role == "user":
            if turn.fields.get(field) is None and not turn.image_paths():
                raise turn.error(f"field '{field}' is missing or null; write the user's text")
            return Said(role, _own(turn, pieces(text)), turn)
        if role == "system" and any(isinstance(one, Slot) for one in pieces(text)):
            raise _misplaced(turn, name)
        return Said(role, [_with_reasoning(turn, text)], turn)
    parts = [piece for part in turn.parts(field, "parts") for piece in _part(part)]
    if role == "user":
        return Said(role, _own(turn, parts), turn)
    if any(isinstance(one, Slot) for one in parts):
        raise _misplaced(turn, name)
    return Said(role, [_with_reasoning(turn, "".join(one for one in parts if isinstance(one, str)))], turn)


def _misplaced(turn: Row, name: str) -> UserError:
    return turn.error(f"has a picture in a turn of '{name}'; only user turns may have pictures")


def _own(turn: Row, parts: list[Piece]) -> list[Piece]:
    """Return the pieces of a user turn with the pictures that the turn has in a field of its own."""
    paths = turn.image_paths()
    slots = [place for place, one in enumerate(parts) if isinstance(one, Slot)]
    if not paths:
        return parts
    if not slots:
        return [*map(Slot, paths), *parts]
    if len(slots) != len(paths):
        raise unequal(turn, len(slots), len(paths))
    filled = dict(zip(slots, paths, strict=True))
    return [Slot(filled[place]) if place in filled else one for place, one in enumerate(parts)]


def _with_reasoning(turn: Row, text: str) -> str:
    """Return an answer behind the reasoning that its message has in a field of its own."""
    reasoning = None if _REASONED.isdisjoint(turn.fields) else turn.optional_text(*_REASONING)
    return f"<think>\n{reasoning.strip()}\n</think>\n\n{text}" if reasoning and reasoning.strip() else text


def _part(part: Row) -> list[Piece]:
    """Return the pieces of one part of a message: `{type: "text", text}` or `{type: "image", ...}`."""
    kind = part.optional_text("type") or next((one for one in _KINDS if part.fields.get(one)), "")
    if kind in ("text", "input_text", "output_text"):
        return pieces(part.text("text"))
    if kind not in ("image", "image_url", "input_image"):
        raise part.error(f"field 'type' is {shown(kind)}; valid: text, image, image_url")
    paths = part.image_paths("image", "image_url", "path", "url")
    inline = None if paths else next((name for name in _INLINE if part.fields.get(name)), None)
    if inline:
        raise part.error(f"field '{inline}' holds the picture itself; save it as a file and name its path")
    number = part.fields.get("index")
    return [Slot(paths[0] if paths else None, number + 1 if isinstance(number, int) and not paths else None)]


def transcript(row: Row, text: str) -> list[Said] | None:
    """Return the turns of a whole conversation that is one text, with markers of HH-RLHF or Guanaco; None without."""
    if "Assistant:" not in text or not (first := _SPEAKER.match(text)) or first[1] != "Human":
        return None
    parts = _SPEAKER.split(text)[1:]
    return [
        Said(role := _SPEAKERS_OF[name], pieces(part.strip()) if role == "user" else [part.strip()], row)
        for name, part in zip(parts[::2], parts[1::2], strict=True)
    ]


def history_in(row: Row, field: str = "history") -> list[Said]:
    """Return earlier turns in a list of [query, answer] pairs."""
    found: list[Said] = []
    pairs = row.fields.get(field) or ()
    if not isinstance(pairs, list | tuple):
        raise row.error(f"field '{field}' must be a list of pairs [query, answer], not {shown(pairs)}")
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(one, str) for one in pair):
            raise row.error(f"field '{field}' must be a list of pairs [query, answer], not {shown(pair)}")
        found += [Said("user", pieces(pair[0]), row), Said("assistant", [pair[1]], row)]
    return found


def shared_start(first: Sequence[Said], second: Sequence[Said]) -> int:
    """Return how many turns two conversations have in common at their start."""
    same = 0
    for one, other in zip(first, second, strict=False):
        if (one.role, one.parts) != (other.role, other.parts):
            break
        same += 1
    return same


def text_of(said: Iterable[Said]) -> str:
    """Return the text of some turns."""
    return "".join(one for turn in said for one in turn.parts if isinstance(one, str))


def unequal(row: Row, placeholders: int, pictures: int) -> UserError:
    """Return the error for a record whose numbers of placeholders and pictures differ."""
    return row.error(f"has {_count(placeholders, 'placeholder')} for {_count(pictures, 'picture')}; they must match")


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
