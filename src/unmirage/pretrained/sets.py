"""Make the training data of each model from the safety data: mixed, diversified, balanced, and with rationales."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from unmirage.audit.remediation import drawn_by_weight
from unmirage.audit.remedies import RemedySettings, balance, diversify, weigh
from unmirage.audit.rewording import Queries, Remedy
from unmirage.audit.twins import add_twins
from unmirage.data.images import Pictures
from unmirage.data.rows import with_unique_ids
from unmirage.data.sample import deal
from unmirage.data.several import together
from unmirage.data.written import Written
from unmirage.errors import UserError
from unmirage.pretrained.settings import PretrainedSettings, Recipe
from unmirage.records import Sample


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The training data of one model.

    Attributes:
        samples, pictures: the data.
        notes: how they differ from the safety data, one line each.
    """

    samples: tuple[Sample, ...]
    pictures: Pictures
    notes: tuple[str, ...] = ()


class TrainingSets:
    """Makes training data of the safety data.

    Args:
        safety: the safety data, with the answers to train on.
        pictures: their pictures.
        general: general samples and their pictures; None without.
        settings: settings of the study.
        seed: seed of draws.
    """

    def __init__(
        self,
        safety: Sequence[Sample],
        pictures: Pictures,
        general: tuple[Sequence[Sample], Pictures] | None,
        settings: PretrainedSettings,
        seed: int,
    ) -> None:
        self._safety = list(safety)
        self._pictures = pictures
        self._general = general
        self._settings = settings
        self._seed = seed
        self._queries: Queries | None = None

    def make(self, recipe: Recipe) -> TrainingSet:
        """Return the data of a model.

        Raises:
            UserError: the safety data do not allow it; the message says why.
        """
        if recipe.data == "mixed":
            return self._mixed()
        if recipe.data == "rationale":
            return TrainingSet(tuple(self._with_rationales()), self._pictures)
        if recipe.data == "safety":
            return TrainingSet(tuple(self._safety), self._pictures)
        remedy = self._remedy(recipe)
        assert self._queries is not None
        rows = remedy.rows(map(Written, self._safety), self._queries.ids)
        samples = with_unique_ids(row.sample for row in rows)
        return TrainingSet(tuple(samples), self._pictures, tuple(_told(remedy)))

    def _mixed(self) -> TrainingSet:
        if self._general is None:
            raise UserError("no general data; name a file with --general")
        lists, pictures = together([(self._safety, self._pictures), self._general])
        samples = with_unique_ids([one for own in lists for one in own])
        return TrainingSet(tuple(samples), pictures, (f"{len(lists[1]):,} general samples added",))

    def _with_rationales(self) -> list[Sample]:
        texts, refused = self._settings.rationales, sum(bool(one.refused) for one in self._safety)
        dealt = iter(deal(dict.fromkeys(texts, 1), refused, random.Random(f"rationale-{self._seed}")))
        return [replace(one, answer=next(dealt)) if one.refused else one for one in self._safety]

    def _remedy(self, recipe: Recipe) -> Remedy:
        if self._queries is None:
            self._queries = Queries.read(self._safety)
        queries, seed = self._queries, self._seed
        made: dict[str, Callable[[], Remedy]] = {
            "diversified": lambda: with_share(diversify(queries, seed), recipe.share, seed),
            "balanced": lambda: balance(
                queries.corpus,
                seed,
                RemedySettings(balanced_size=1.0, balanced_copies=self._settings.balanced_copies),
            ),
            "weighted": lambda: _drawn(weigh(queries.corpus), seed),
            "twins": lambda: add_twins(queries, seed),
        }
        return made[recipe.data]()


def with_share(remedy: Remedy, share: float, seed: int) -> Remedy:
    """Return a remedy with a share of its rewordings, drawn at random; a larger share includes a smaller one."""
    rows = sorted(remedy.reworded)
    kept = random.Random(f"share-{seed}").sample(rows, len(rows))[: round(share * len(rows))]
    return replace(remedy, reworded={row: remedy.reworded[row] for row in kept})


def _drawn(remedy: Remedy, seed: int) -> Remedy:
    """Return a remedy that repeats each row by its weight, because training does not use weights."""
    assert remedy.weights is not None
    return replace(remedy, times=drawn_by_weight(remedy.weights, seed), weights=None)


def _told(remedy: Remedy) -> Iterator[str]:
    counts = {
        "queries reworded": remedy.changed,
        "reworded queries added": remedy.added,
        "queries dropped": remedy.dropped,
        "repeats added": remedy.repeated,
        "queries without another wording": remedy.unchanged_wording,
    }
    yield from (f"{count:,} {what}" for what, count in counts.items() if count)
    yield from remedy.notes
