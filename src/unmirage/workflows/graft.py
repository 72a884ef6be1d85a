"""Train vision tower and projector of a grafted model on questions about pictures, and measure what it sees."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from unmirage.errors import UserError
from unmirage.intervals import rate
from unmirage.models.graft.document import Seen
from unmirage.records import Kind, Query, Rate, Response, Sample
from unmirage.run.fingerprint import sha256_of
from unmirage.run.progress import Progress, StepProgress, in_stage
from unmirage.workflows.arguments import counted, log_reading

if TYPE_CHECKING:
    from unmirage.data import Pictures
    from unmirage.models import HuggingFaceVLM
    from unmirage.models.graft.settings import GraftSettings

log = logging.getLogger(__name__)
_HELD_OUT = 0.1  # share of the pictures of a data file whose questions only measure
_MOST_TESTS = 200
_LONGEST_ANSWER = 64  # tokens of a response to a picture question


class TowerTraining(Protocol):
    """Trains the vision tower on pictures with known labels."""

    def __call__(self, model: Any, processor: Any, settings: GraftSettings, progress: StepProgress | None, /) -> float:
        """Train it in place, and return the share of pictures that it classifies correctly at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Lessons:
    """Questions about pictures; a `Teacher` of `unmirage.models.graft`.

    Attributes:
        name: "world" or name of a file.
        files: hash of each data file.
        train: training questions with answers.
        held_out: questions about other pictures.
        images: all pictures.
        tower: trains the tower before the projector; None if the pictures have no labels.
    """

    name: str
    files: Mapping[str, str]
    train: Sequence[Sample]
    held_out: Sequence[Sample]
    images: Pictures
    tower: TowerTraining | None = None

    def teach(self, vlm: HuggingFaceVLM, settings: GraftSettings, progress: Progress | None) -> Seen:
        """Train tower and projector of `vlm` in place, with a frozen decoder; measure the accuracy before and after.

        Raises:
            UserError: no held-out question needs its picture.
        """
        import torch

        from unmirage.align import AlignConfig, AlignData, align

        started = time.perf_counter()
        answers = _answers(self.train)
        tests = [one for one in self.held_out if len(answers[one.query]) > 1 and one.answer in answers[one.query]]
        if not tests:
            raise UserError(
                f"{self.name}: no question about a held-out picture has different answers for different pictures, so "
                "nothing would measure what the model sees; add such questions, or use --see world"
            )
        tests = random.Random(settings.seed).sample(tests, min(_MOST_TESTS, len(tests)))
        dtype = vlm.model.dtype
        vlm.model.to(torch.float32)  # exact for narrower weights: the decoder's are the same afterwards
        before = self._accuracy(vlm, tests, answers, in_stage(progress, "questions before"))
        seen = None
        if self.tower is not None:
            seen = self.tower(vlm.model, vlm.processor, settings, in_stage(progress, "train tower"))
        config = AlignConfig(
            learning_rate=settings.learning_rate,
            batch_size=settings.batch_size,
            steps=settings.steps,
            warmup=0.1,
            trainable=("projector", "vision"),
            precision="float32",
            seed=settings.seed,
        )
        align(vlm, AlignData(retain=self.train, images=self.images), config, progress)
        vlm.model.to(dtype).to(torch.float32)  # measured as it is saved
        after = self._accuracy(vlm, tests, answers, in_stage(progress, "questions after"))
        vlm.model.to(dtype)
        return Seen(
            data=self.name,
            files=self.files,
            questions=len(self.train),
            pictures=len({one.image for one in self.train}),
            tower_accuracy=seen,
            before=before,
            after=after,
            chance=sum(answers[one.query].most_common(1)[0][0] == one.answer for one in tests) / len(tests),
            seconds=time.perf_counter() - started,
        )

    def _accuracy(
        self,
        vlm: HuggingFaceVLM,
        tests: Sequence[Sample],
        answers: Mapping[str, Counter[str]],
        progress: StepProgress | None,
    ) -> Rate:
        """Return the share of questions whose response names the right answer, and no other answer to the question."""
        from unmirage.models import GenerationConfig

        asked = {one.id: one for one in tests}
        longest = max(len(vlm.processor.tokenizer(one.answer)["input_ids"]) for one in tests)
        config = GenerationConfig(max_new_tokens=min(longest + 4, _LONGEST_ANSWER), batch_size=16)
        right = 0
        for done, response in enumerate(vlm.answer([_query(one) for one in tests], self.images, config), start=1):
            if isinstance(response, Response):
                sample = asked[response.query_id]
                right += names_only(response.text, sample.answer, answers[sample.query])
            if progress is not None:
                progress(done, len(tests))
        return rate(right, len(tests))


def names_only(response: str, answer: str, answers: Sequence[str] | Mapping[str, int]) -> bool:
    """Return whether a response contains `answer`, and none of the other `answers` outside of it."""
    said = _words(response)
    if _words(answer) not in said:
        return False
    rest = said.replace(_words(answer), " ")
    return not any(_words(other) in rest for other in answers if _words(other) not in _words(answer))


def _words(text: str) -> str:
    """Return the words in lower case, each with a space on both sides."""
    words = "".join(letter if letter.isalnum() else " " for letter in text.lower()).split()
    return f" {' '.join(words)} "


def _answers(train: Sequence[Sample]) -> Mapping[str, Counter[str]]:
    """Return how often each answer is given to each question."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sample in train:
        found[sample.query][sample.answer] += 1
    return found


def _query(sample: Sample) -> Query:
    return Query(
        id=sample.id,
        sample_id=sample.id,
        kind=Kind.UTILITY,
        shot=0,
        text=sample.query,
        image=sample.image,
        unsafe=False,
        images=sample.images,
        context=sample.context,
    )


def lessons_of(path: Path, reading: Mapping[str, Any], seed: int) -> Lessons:
    """Return the lessons of a data file; the pictures of a random tenth are held out.

    Args:
        path: data with pictures and answers.
        reading: arguments of `unmirage.data.open_samples`.
        seed: of the draw.

    Raises:
        UserError: the file cannot be read, or has fewer than two pictures with a question and an answer.
    """
    from unmirage.data import open_samples

    file = open_samples(path, **reading, unlabeled=True)
    samples = list(file)
    log_reading(file)
    usable = [one for one in samples if one.image and one.answer.strip() and all(map(file.pictures.exists, one.paths))]
    if left := len(samples) - len(usable):
        log.warning("%s: %s without an answer or a readable picture left out", path, counted(left, "sample"))
    pictures = sorted({str(one.image) for one in usable})
    if len(pictures) < 2:
        raise UserError(
            f"{path}: has {counted(len(pictures), 'picture')} with a question and an answer; --see needs two or more "
            "(set the folder of the pictures with --images), or --see world"
        )
    random.Random(seed).shuffle(pictures)
    held = set(pictures[: max(1, round(_HELD_OUT * len(pictures)))])
    return Lessons(
        name=path.name,
        files={path.name: sha256_of(path)},
        train=[one for one in usable if one.image not in held],
        held_out=[one for one in usable if one.image in held],
        images=file.pictures,
    )
