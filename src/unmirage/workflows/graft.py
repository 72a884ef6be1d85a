"""Train vision tower and projector of a grafted model on questions about pictures, and measure what it sees."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
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
_MOST_TESTS = 100
_LONGEST_ANSWER = 64  # tokens of a response to a picture question
_TEXT_TOKENS = 8  # tokens of a response to a text question
_BATCH = 16
_TUNED_RATE, _RATE = 1e-4, 1e-3  # learning rates after a training of the tower, and from random weights
_TUNED_STEPS = 6  # after a training of the tower; docs/graft.md has the accuracy
# Everyday questions that no picture answers, to measure whether pictures change responses to text.
TEXT_QUESTIONS = (
    "What is the capital of France?",
    "How many days does a week have?",
    "What do bees make?",
    "Name the largest ocean.",
    "Who wrote Romeo and Juliet?",
    "What is 2 plus 3?",
    "How do I boil an egg?",
    "Why is the sky blue?",
    "Give me a word that rhymes with cat.",
    "What is the opposite of hot?",
    "How can I sleep better?",
    "Write a short sentence about rain.",
    "What language is spoken in Brazil?",
    "How long does it take to learn the piano?",
    "Explain what a bank does.",
    "Which planet is closest to the sun?",
    "What should I wear in winter?",
    "Tell me a fact about elephants.",
    "How do plants get water?",
    "What is a good name for a dog?",
    "Translate good morning into Spanish.",
    "What is the boiling point of water?",
    "List three fruits.",
    "Why do people exercise?",
)


class TowerTraining(Protocol):
    """Trains the vision tower on pictures with known labels."""

    def __call__(self, model: Any, processor: Any, settings: GraftSettings, progress: StepProgress | None, /) -> float:
        """Train it in place, and return the share of pictures that it classifies correctly at the end."""
        ...


@dataclass(frozen=True, slots=True)
class PictureQuestions:
    """Questions about pictures, to train on and to measure with; a `PictureTraining` of `unmirage.models.graft`.

    Attributes:
        name: "world" or name of a file.
        files: hash of each data file.
        training: questions to train on, with answers.
        held_out: questions about other pictures.
        images: all pictures.
        tower: trains the tower before the projector; None if the pictures have no labels.
    """

    name: str
    files: Mapping[str, str]
    training: Sequence[Sample]
    held_out: Sequence[Sample]
    images: Pictures
    tower: TowerTraining | None = None

    def train(self, vlm: HuggingFaceVLM, settings: GraftSettings, progress: Progress | None) -> Seen:
        """Train tower and projector of `vlm` in place, with a frozen decoder; measure the accuracy before and after.

        Raises:
            UserError: no held-out question needs its picture.
        """
        import torch

        from unmirage.align import AlignConfig, AlignData, align

        started = time.perf_counter()
        answers = _answers(self.training)
        tests = [one for one in self.held_out if len(answers[one.query]) > 1 and one.answer in answers[one.query]]
        if not tests:
            raise UserError(
                f"{self.name}: no question about a held-out picture has different answers for different pictures, so "
                "nothing would measure what the model sees; add such questions, or use --see world"
            )
        tests = random.Random(settings.seed).sample(tests, min(_MOST_TESTS, len(tests)))
        dtype = vlm.model.dtype
        vlm.model.to(torch.float32)  # exact for narrower weights: the decoder's are the same afterwards
        pictures = sorted({str(one.image) for one in tests})
        plain = _responses(vlm, [_text_query(text, None) for text in TEXT_QUESTIONS], self.images, _TEXT_TOKENS, None)
        before = self._accuracy(vlm, tests, answers, in_stage(progress, "questions before"))
        text_before = self._text_kept(vlm, plain, pictures, in_stage(progress, "text before"))
        seen = None
        if self.tower is not None:
            seen = self.tower(vlm.model, vlm.processor, settings, in_stage(progress, "train tower"))
        config = AlignConfig(
            learning_rate=settings.learning_rate or (_TUNED_RATE if self.tower else _RATE),
            batch_size=settings.batch_size,
            steps=settings.steps or (_TUNED_STEPS if self.tower else ceil(len(self.training) / settings.batch_size)),
            warmup=0.1,
            trainable=("projector", "vision"),
            precision="float32",
            seed=settings.seed,
        )
        align(vlm, AlignData(retain=self.training, images=self.images), config, progress)
        vlm.model.to(dtype).to(torch.float32)  # measured as it is saved
        after = self._accuracy(vlm, tests, answers, in_stage(progress, "questions after"))
        text_after = self._text_kept(vlm, plain, pictures, in_stage(progress, "text after"))
        vlm.model.to(dtype)
        return Seen(
            data=self.name,
            files=self.files,
            questions=len(self.training),
            pictures=len({one.image for one in self.training}),
            tower_accuracy=seen,
            before=before,
            after=after,
            chance=sum(answers[one.query].most_common(1)[0][0] == one.answer for one in tests) / len(tests),
            text_before=text_before,
            text_after=text_after,
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
        longest = max(len(vlm.processor.tokenizer(one.answer)["input_ids"]) for one in tests)
        queries = [_query(one) for one in tests]
        said = _responses(vlm, queries, self.images, min(longest + 4, _LONGEST_ANSWER), progress)
        right = sum(names_only(said[one.id], one.answer, answers[one.query]) for one in tests)
        return rate(right, len(tests))

    def _text_kept(
        self, vlm: HuggingFaceVLM, plain: Mapping[str, str], pictures: Sequence[str], progress: StepProgress | None
    ) -> Rate:
        """Return the share of text questions whose response with a picture starts as without one."""
        queries = [_text_query(text, pictures[number % len(pictures)]) for number, text in enumerate(TEXT_QUESTIONS)]
        said = _responses(vlm, queries, self.images, _TEXT_TOKENS, progress)
        return rate(sum(said[text] == plain[text] for text in TEXT_QUESTIONS), len(TEXT_QUESTIONS))


def _responses(
    vlm: HuggingFaceVLM, queries: Sequence[Query], images: Pictures, tokens: int, progress: StepProgress | None
) -> dict[str, str]:
    """Return the greedy response to each query by id; "" where there is none."""
    from unmirage.models import GenerationConfig

    said = {query.id: "" for query in queries}
    config = GenerationConfig(max_new_tokens=tokens, batch_size=_BATCH)
    for done, one in enumerate(vlm.answer(queries, images, config), start=1):
        if isinstance(one, Response):
            said[one.query_id] = one.text
        if progress is not None:
            progress(done, len(queries))
    return said


def names_only(response: str, answer: str, answers: Collection[str]) -> bool:
    """Return whether a response names one of several answers to a question, and no other.

    Words at the start and the end that all answers share do not count: of "The sign is red." and "The sign is blue.",
    a response must name "red".
    """
    alternatives = _distinctive([answer, *answers])
    said, named = _words(response), set()
    for one in sorted(set(alternatives.values()), key=len, reverse=True):  # "dark blue" does not name "blue"
        if one in said:
            named.add(one)
            said = said.replace(one, " | ")
    return named == {alternatives[answer]}


def _distinctive(answers: Collection[str]) -> dict[str, str]:
    """Return the words of each answer without those at the start and the end that all of them share."""
    split = {answer: _words(answer).split() for answer in answers}
    shortest = min(map(len, split.values()))
    start = end = 0
    if len(split) > 1:
        while start < shortest - 1 and len({tuple(one[: start + 1]) for one in split.values()}) == 1:
            start += 1
        while end < shortest - 1 - start and len({tuple(one[len(one) - end - 1 :]) for one in split.values()}) == 1:
            end += 1
    return {answer: f" {' '.join(one[start : len(one) - end])} " for answer, one in split.items()}


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


def _text_query(text: str, image: str | None) -> Query:
    return Query(id=text, sample_id=text, kind=Kind.UTILITY, shot=0, text=text, image=image, unsafe=False)


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


def questions_of(path: Path, reading: Mapping[str, Any], seed: int) -> PictureQuestions:
    """Return the questions of a data file; the pictures of a random tenth are held out.

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
    return PictureQuestions(
        name=path.name,
        files={path.name: sha256_of(path)},
        training=[one for one in usable if one.image not in held],
        held_out=[one for one in usable if one.image in held],
        images=file.pictures,
    )
