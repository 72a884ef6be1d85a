"""Turn what a record says into samples: one for each answer, with its pictures and what was said before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypedDict

from unmirage.data.labels import LABELS, VALID, is_empty, label_from_answer, parse_label
from unmirage.data.rows import Row, shown
from unmirage.data.turns import Said, unequal
from unmirage.records import LabelSource, Placed, Sample, Turn
from unmirage.text.markup import Slot, joined, pieces

_LABELS = frozenset(LABELS)
_OTHER_MEDIA = frozenset({"videos", "video", "audios", "audio"})


class Pair(NamedTuple):
    """What a record tells about its last answer.

    Attributes:
        rejected: a worse answer to the same query.
        good: False if the last answer itself is a bad one.
    """

    rejected: str = ""
    good: bool = True


def samples_from(row: Row, said: Sequence[Said], pair: Pair | None = None, *, label: str = "") -> list[Sample]:
    """Return a sample for each answer of a record, numbered `<id>/1`, `<id>/2` if there are several.

    Args:
        said: all turns; the last answer may be missing. An answer that is marked as context only makes no sample.
        pair: judgement of the record on its last answer, which is then the only one that makes a sample.
        label: name of the label column; by default the first of `LABELS` that the record has. It applies to the last
            answer; the others have the label of their answer.
    """
    if not _OTHER_MEDIA.isdisjoint(row.fields):
        for name in sorted(_OTHER_MEDIA):
            if row.fields.get(name):
                raise row.error(f"field '{name}' is filled; only pictures and text are supported")
    record, category, group = row.identity(), row.category("category"), row.group()
    said = _with_system(row, said)
    turns = placed_turns(row, said, row.image_paths())
    exchanges = list(_exchanges(row, turns))
    left_out = [one.is_left_out for one in said if one.role == "assistant"]
    if left_out and all(left_out):
        raise row.error("all answers have weight 0, or are not trained on; remove the record")
    found = []
    for number, (context, asked, answer) in enumerate(exchanges, 1):
        last = number == len(exchanges)
        if (pair is not None and not last) or (number <= len(left_out) and left_out[number - 1]):
            continue
        bad = pair is not None and not pair.good
        refused, source = label_of(row, "" if bad else answer, label if last else None)
        found.append(
            Sample(
                id=f"{record}/{number}" if pair is None and len(exchanges) > 1 else record,
                record=record,
                query=asked.text,
                answer="" if bad else answer,
                refused=refused,
                label_source=source,
                category=category,
                group=group,
                rejected=answer if bad else pair.rejected if pair else "",
                **pictured(asked.images, context),
            )
        )
    return found


class PictureFields(TypedDict):
    """The fields of a sample that tell its pictures and what was said before."""

    image: str | None
    images: tuple[Placed, ...]
    context: tuple[Turn, ...]


def pictured(images: Sequence[Placed], context: Sequence[Turn] = ()) -> PictureFields:
    """Return the fields for the pictures of a query and for the turns before it."""
    earlier = [one.image for turn in context for one in turn.images]
    first = next(iter((*earlier, *(one.image for one in images))), None)
    usual = not images if earlier else len(images) <= 1 and not any(one.at for one in images)
    return {"image": first, "images": () if usual else tuple(images), "context": tuple(context)}


class QueryFields(PictureFields):
    """The same with the query."""

    query: str


def asked(row: Row, query: str, images: Sequence[str] | None = None, context: Sequence[Turn] = ()) -> QueryFields:
    """Return the query of a record without its placeholders, and its pictures.

    Args:
        query: the text as the record has it.
        images: paths of its pictures; by default those of the record.
        context: what was said before.
    """
    paths = row.image_paths() if images is None else images
    if len(paths) < 2 and not context and "<" not in query and "[" not in query:
        return {"query": query, "image": paths[0] if paths else None, "images": (), "context": ()}
    (turn,) = placed_turns(row, [Said("user", pieces(query), row)], paths)
    return {"query": turn.text, **pictured(turn.images, context)}


def single_sample(
    row: Row, query: str, *, refused: bool, record: str | None = None, answer: str = "", category: str | None = None
) -> Sample:
    """Return the only sample of a record, labeled by a field; `record` defaults to the record's id."""
    record = record or row.identity()
    return Sample(
        id=record,
        record=record,
        answer=answer,
        refused=refused,
        label_source="field",
        category=category,
        **asked(row, query),
    )


def label_of(row: Row, answer: str, column: str | None = "") -> tuple[bool | None, LabelSource]:
    """Return the label of a query and its source: a label column, else the answer.

    Args:
        answer: the answer, possibly empty.
        column: name of the label column; "" for the first of `LABELS` that the record has, None for none.
    """
    if column == "":
        column = None
        if not _LABELS.isdisjoint(row.fields):
            column = next((name for name in LABELS if not is_empty(row.fields.get(name))), None)
    if column is None:
        return label_from_answer(answer)
    value = row.fields.get(column)
    refused = parse_label(value, column)
    if refused is None:
        raise row.error(f"field '{column}' is {shown(value)}; valid: {VALID}")
    return refused, "field"


def _with_system(row: Row, said: Sequence[Said]) -> list[Said]:
    """Return the turns after the system prompt that a record has in a field of its own."""
    system = row.optional_text("system", "system_prompt")
    if system is None:
        return list(said)
    if said and said[0].role == "system":
        if said[0].parts != [system]:
            raise row.error("field 'system' and the system turn differ; remove one of them")
        return list(said)
    return [Said("system", [system], row), *said]


def placed_turns(row: Row, said: Sequence[Said], pool: Sequence[str]) -> list[Turn]:
    """Return the turns with the paths of their pictures.

    Args:
        pool: paths of the pictures that the record has beside its turns. Without placeholders they come before the
            first user turn, as TRL and ms-swift put them.

    Raises:
        UserError: the numbers of placeholders and pictures differ.
    """
    slots = [one for turn in said for one in turn.parts if isinstance(one, Slot)]
    if slots:
        return _filled(row, said, slots, pool)
    found = []
    for turn in said:
        text = "".join(one for one in turn.parts if isinstance(one, str))
        images = [Placed(path, 0) for path in pool] if turn.role == "user" else []
        pool = () if images else pool
        found.append(Turn(turn.role, text, tuple(images)))
    return found


def _filled(row: Row, said: Sequence[Said], slots: Sequence[Slot], pool: Sequence[str]) -> list[Turn]:
    own = {slot.path for slot in slots if slot.path is not None}
    if own and not set(pool) <= own:
        raise row.error("has pictures in placeholders and in a field; keep one of them")
    numbers = {slot.number for slot in slots if slot.number is not None}
    waiting = sum(slot.path is None and slot.number is None for slot in slots)
    start = 0 if 0 in numbers else 1  # MiniCPM-V counts from `<image_00>`, others from 1
    wanted = max(waiting + len(numbers), max(numbers) + 1 - start) if numbers else waiting
    if not own and wanted != len(pool):
        raise unequal(row, wanted, len(pool))
    if own and (waiting or numbers):
        raise row.error("has placeholders with and without a path; use one kind")
    paths = iter(pool)

    def path_of(slot: Slot, turn: Said) -> str:
        if slot.path is not None:
            return turn.row.checked(slot.path)
        return next(paths) if slot.number is None else pool[slot.number - start]

    found = []
    for turn in said:
        text, places = joined(turn.parts)
        found.append(Turn(turn.role, text, tuple(Placed(path_of(slot, turn), at) for slot, at in places)))
    return found


def _exchanges(row: Row, turns: Sequence[Turn]) -> Iterator[tuple[list[Turn], Turn, str]]:
    """Yield (earlier turns, user turn, answer) for each user turn; the last answer may be missing.

    Raises:
        UserError: a record has no user turn, or its turns do not alternate.
    """
    start = 1 if turns and turns[0].role == "system" else 0
    spoken = turns[start:]
    for place, turn in enumerate(spoken):
        if turn.role != ("assistant" if place % 2 else "user"):
            raise row.error(
                f"turn {start + place + 1} is of '{turn.role}'; user and assistant turns must alternate, user first"
            )
    if not spoken:
        raise row.error("has no user turn")
    for place in range(0, len(spoken), 2):
        answer = spoken[place + 1].text if place + 1 < len(spoken) else ""
        yield list(turns[: start + place]), spoken[place], answer
