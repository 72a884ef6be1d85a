"""Select informative examples for each model from a run's store: one sample before and under attack."""

from __future__ import annotations

import base64
import io
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image

from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.evaluate.pictures import pictures_at_hand
from unmirage.models.conversation import earlier_turns, marked_text
from unmirage.records import Ended, Judgement, Kind, Query, Response, Verdict
from unmirage.run import Run, Store
from unmirage.text.thoughts import settled

_LONGEST_SIDE = 224
_TINY = 96


@dataclass(frozen=True, slots=True)
class Picture:
    """A thumbnail. `tiny` ones are shown enlarged, pixel by pixel."""

    uri: str
    width: int
    height: int
    tiny: bool


def thumbnail(pictures: Pictures, relative: str) -> Picture | None:
    """Return the image of this name as a PNG data URI; None if it is missing or cannot be opened."""
    try:
        image = pictures.open(relative)
    except (UserError, OSError):
        return None
    if max(image.size) > _TINY:
        image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        image = image.quantize(256, dither=Image.Dither.NONE)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    uri = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
    scale = max(1, _LONGEST_SIDE // 2 // max(image.size))
    return Picture(uri, image.width * scale, image.height * scale, scale > 1)


EACH = 3
# The verdicts that a successful attack produces, on the plain query and on the rewritten one.
TURNS = {
    Kind.JAILBREAK: (Verdict.REFUSED, Verdict.COMPLIED),
    Kind.OVER_PRUDENCE: (Verdict.COMPLIED, Verdict.REFUSED),
}


# How a response ended, if the model did not end it itself.
ENDED = {
    Ended.STOP: "",
    Ended.LENGTH: "cut off by the token limit",
    Ended.CONTENT_FILTER: "blocked or cut off by a content filter",
    Ended.TOOL_CALL: "ended by a tool call",
    Ended.REFUSAL: "from the refusal field",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One query with the model's response and the judge's verdict."""

    query: Query
    response: Response
    judgement: Judgement

    @property
    def ended(self) -> str:
        """Return how the response ended; "" if the model ended it."""
        return ENDED[self.response.ended]

    @property
    def text(self) -> str:
        """Return the query, with the places of its images if they are not simply before it."""
        return marked_text(self.query)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One sample before and after the attack.

    Attributes:
        pictures: name and thumbnail of each image; None if it cannot be opened.
        turns: role and text of the earlier turns.
    """

    plain: Asked
    attacked: Asked
    pictures: tuple[tuple[str, Picture | None], ...]
    turns: tuple[tuple[str, str], ...]

    @property
    def turned(self) -> bool:
        """Return whether the attack succeeded."""
        verdicts = (self.plain.judgement.verdict, self.attacked.judgement.verdict)
        return verdicts == TURNS[self.attacked.query.kind]


@dataclass(frozen=True, slots=True)
class ModelExamples:
    """The examples of one model by kind of attack."""

    model: str
    kinds: dict[Kind, list[Example]]


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples and the store they are from, or in `note` the reason why there are none."""

    models: list[ModelExamples]
    source: str = ""
    note: str = ""


def find_examples(run: Run, models: Iterable[str], judge: str) -> Examples:
    """Return up to `EACH` examples for each model and attack, from the run's store or its first seed's.

    Args:
        run: the run; it is not modified.
        models: the models of the results, in order.
        judge: the judge of the rates, whose verdicts determine the selection.
    """
    source = _with_store(run)
    if source is None:
        return Examples([], note="This run has no store.sqlite, so there are no responses to show.")
    name = "" if source is run else source.path.name
    try:
        with source.store() as store:
            folder = pictures_at_hand(source)
            found = [one for model in models if (one := _of_model(store, model, judge, folder)).kinds]
    except (sqlite3.Error, ValueError, TypeError) as error:
        return Examples([], name, f"store.sqlite could not be read ({error}).")
    note = "" if found else f"store.sqlite has no attack query with a verdict of judge '{judge}'."
    return Examples(found, name, note)


def _with_store(run: Run) -> Run | None:
    """Return the run itself if it has a store, else its first seed with a store."""
    seeds = [path for path in run.path.glob("seed-*") if path.is_dir()]
    ordered = sorted(seeds, key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)])
    for one in (run, *map(Run, ordered)):
        if (one.path / "store.sqlite").is_file():
            return one
    return None


def _of_model(store: Store, model: str, judge: str, folder: Pictures) -> ModelExamples:
    responses = {response.query_id: settled(response) for response in store.responses(model)}
    judged = {one.query_id: one for one in store.judgements(model, judge)}
    asked: dict[Kind, dict[str, list[Asked]]] = defaultdict(lambda: defaultdict(list))
    for query in store.queries():
        if query.id in responses and query.id in judged:
            asked[query.kind][query.sample_id].append(Asked(query, responses[query.id], judged[query.id]))
    kinds = {kind: _telling(asked[Kind.PLAIN], asked[kind], turn, folder) for kind, turn in TURNS.items()}
    return ModelExamples(model, {kind: examples for kind, examples in kinds.items() if examples})


def _telling(
    plain: dict[str, list[Asked]],
    attacked: dict[str, list[Asked]],
    turn: tuple[Verdict, Verdict],
    folder: Pictures,
) -> list[Example]:
    """Return the pairs with a successful attack first, then others whose verdict changed."""
    pairs = []
    for sample_id, shots in attacked.items():
        if plain.get(sample_id):
            before = plain[sample_id][0]
            shots = sorted(shots, key=lambda one: one.query.shot)
            pairs.append((before, min(shots, key=lambda after: _rank(before, after, turn))))
    pairs.sort(key=lambda pair: _rank(pair[0], pair[1], turn))
    return [_example(before, after, folder) for before, after in pairs[:EACH]]


def _rank(before: Asked, after: Asked, turn: Sequence[Verdict]) -> int:
    verdicts = (before.judgement.verdict, after.judgement.verdict)
    if Verdict.INVALID in verdicts:
        return 3
    return 0 if verdicts == turn else 1 if verdicts[0] is not verdicts[1] else 2


def _example(before: Asked, after: Asked, folder: Pictures) -> Example:
    pictures = tuple((path, thumbnail(folder, path)) for path in before.query.paths)
    return Example(plain=before, attacked=after, pictures=pictures, turns=earlier_turns(before.query))
