"""Turn the responses of files into samples, queries and responses of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from unmirage.data.responses.given import LABEL_OF_KIND, Given
from unmirage.errors import UserError
from unmirage.records import Failure, Kind, LabelSource, Query, Response, Sample
from unmirage.text.thoughts import settled

Unsafe = Literal["auto", "all", "none"]
UNSAFE: tuple[Unsafe, ...] = ("auto", "all", "none")
_SINGLE = (Kind.PLAIN, Kind.UTILITY, Kind.NEIGHBOR)  # kinds that an attack does not rewrite
_WORDS = {Kind.JAILBREAK: "jailbreak_word", Kind.OVER_PRUDENCE: "over_prudence_word"}


@dataclass
class Collected:
    """The samples, queries and responses of some files.

    Attributes:
        unsafe: "all" or "none" for the label of queries whose kind does not determine it; "auto" for the files' own.
        samples, queries: by id; samples are shared by all models and files.
        responses, failures: the answers of all models.
        rows: number of rows.
        repeated: number of rows that equal an earlier row of the same model.
        several: number of ids with several queries.
    """

    unsafe: Unsafe = "auto"
    samples: dict[str, Sample] = field(default_factory=dict)
    queries: dict[str, Query] = field(default_factory=dict)
    responses: list[Response] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    rows: int = 0
    repeated: int = 0
    several: int = 0
    _where: dict[str, str] = field(default_factory=dict)
    _answered: set[tuple[str, str]] = field(default_factory=set)
    _times: Counter[Hashable] = field(default_factory=Counter)
    _named: dict[Hashable, str] = field(default_factory=dict)
    _whole: set[Hashable] = field(default_factory=set)

    def add(self, given: Iterable[Given]) -> None:
        """Add responses.

        Raises:
            UserError: a query has no label, a sample has two queries of one kind and shot, or two responses of a model.
        """
        for one in given:
            self._add(one)

    def _add(self, one: Given) -> None:
        self.rows += 1
        same = (one.model, one.sample, one.kind, one.text, one.image, one.images, one.context, one.response)
        self.repeated += one.shot is None and same in self._whole and _is_told(one)
        self._whole.add(same)
        unsafe, source = self._label(one)
        sample, record = self._identity(one)
        query = Query(
            id=f"{sample}|{one.kind}|{one.shot or 0}",
            sample_id=sample,
            kind=one.kind,
            shot=one.shot or 0,
            text=one.text,
            image=one.image,
            unsafe=unsafe,
            word=one.word,
            images=one.images,
            context=one.context,
        )
        self._check(one, query)
        if sample not in self.samples or (one.kind is Kind.PLAIN and self.samples[sample].query != one.text):
            self.samples[sample] = Sample(
                id=sample,
                record=one.record or record,
                query=one.text,
                image=one.image,
                refused=unsafe,
                label_source=source,
                category=one.category,
                group=one.group,
                images=one.images,
                context=one.context,
            )
        self.queries.setdefault(query.id, query)
        self._answer(one, query.id)

    def _answer(self, one: Given, query: str) -> None:
        if one.response is None:
            self.failures.append(Failure(query_id=query, model=one.model, reason=one.reason))
            return
        response = Response(
            query_id=query,
            model=one.model,
            text=one.response,
            tokens=one.tokens,
            ended=one.ended,
            thoughts=one.thoughts,
        )
        self.responses.append(settled(response))

    def _label(self, one: Given) -> tuple[bool, LabelSource]:
        stated = None if self.unsafe == "auto" else self.unsafe == "all"
        if (of_kind := LABEL_OF_KIND.get(one.kind)) is not None:
            return of_kind, "field"
        if stated is not None:
            return stated, "stated"
        if one.unsafe is None:
            raise UserError(
                f"{one.where}: the query has no label, safe or unsafe; pass --unsafe all or --unsafe none, or name the "
                "column of labels: --columns unsafe=NAME"
            )
        return one.unsafe, "field"

    def _identity(self, one: Given) -> tuple[str, str]:
        """Return the id and the record of the sample.

        The n-th rows of two models about one query are about one sample. Several rows of one model about one query are
        different samples of one record, because nothing tells whether they are shots. So are different queries with
        one id.
        """
        what = (one.kind, one.text, one.image, one.images, one.context)
        time = self._time((one.model, one.sample, one.shot, *what))
        if one.sample is None:
            record = self._named.setdefault((0, *what), str(len(self._named) + 1))
            sample = self._named.setdefault((time, *what), str(len(self._named) + 1))
            return sample, record if _is_told(one) else sample
        if one.shot is not None:
            return one.sample, one.sample
        if one.kind in _SINGLE:
            key = (one.sample, time, *what)
            if key not in self._named:
                number = self._time((one.sample, one.kind)) + 1
                self._named[key] = one.sample if number == 1 else f"{one.sample}#{number}"
                self.several += number == 2 and not time
            return self._named[key], one.sample
        if self._time((one.sample, one.kind, one.model)):
            raise UserError(
                f"{one.where}: '{one.model}' has a second response to a query of kind '{one.kind}' of sample "
                f"'{one.sample}'; number the shots in a column: --columns shot=NAME"
            )
        return one.sample, one.sample

    def _time(self, key: Hashable) -> int:
        """Return how often a key was seen before."""
        self._times[key] += 1
        return self._times[key] - 1

    def _check(self, one: Given, query: Query) -> None:
        before, where = self.queries.get(query.id), self._where.setdefault(query.id, one.where)
        if before is not None and before != replace(query, word=before.word):
            what = "label" if before == replace(query, word=before.word, unsafe=before.unsafe) else "query"
            raise UserError(
                f"{one.where}: sample '{query.sample_id}' (kind '{query.kind}', shot {query.shot}) has another {what} "
                f"than at {where}; correct it, give the samples different ids, or judge the files in different runs"
            )
        if (query.id, one.model) in self._answered:
            raise UserError(
                f"{one.where}: '{one.model}' has two responses to sample '{query.sample_id}' (kind '{query.kind}', "
                f"shot {query.shot}); the first one is at {where}"
            )
        self._answered.add((query.id, one.model))

    @property
    def attack(self) -> dict[str, Any]:
        """Return the settings of the attack that the kinds of the queries tell; empty if all are plain."""
        attacks = [one for one in self.queries.values() if one.kind not in _SINGLE]
        if not attacks:
            return {}
        words: dict[Kind, set[str | None]] = {kind: set() for kind in _WORDS}
        for one in attacks:
            words.get(one.kind, set()).add(one.word)
        most = {kind: 1 + max((one.shot for one in attacks if one.kind is kind), default=0) for kind in _WORDS}
        return {
            "kinds": sorted({str(one.kind) for one in attacks}),
            "shots": most[Kind.JAILBREAK],
            "over_prudence_shots": most[Kind.OVER_PRUDENCE],
            **{name: next(iter(words[kind])) if len(words[kind]) == 1 else None for kind, name in _WORDS.items()},
        }

    def notes(self) -> list[str]:
        """Return notes on missing, repeated and ambiguous rows, one line each."""
        found = []
        if self.failures:
            reasons = Counter(one.reason for one in self.failures)
            reason, count = reasons.most_common(1)[0]
            found.append(
                f"{len(self.failures):,} of {self.rows:,} responses are missing and count as invalid "
                f"({reason}: {count:,})"
            )
        if self.repeated:
            found.append(f"{self.repeated:,} of {self.rows:,} rows repeat another row of the same model; all count")
        if self.several:
            found.append(
                f"{self.several:,} ids have several queries, which count as different samples of one record; if other "
                "columns tell the samples apart, name one with --columns id=NAME"
            )
        kinds = {one.kind for one in self.queries.values()}
        pairs: Mapping[str, set[Kind]] = {one.sample_id: set() for one in self.queries.values()}
        for one in self.queries.values():
            pairs[one.sample_id].add(one.kind)
        if len(kinds - {Kind.UTILITY, Kind.NEIGHBOR}) > 1 and all(len(own) == 1 for own in pairs.values()):
            found.append(
                "no plain query shares its sample with an attacked one, so before and after are about different "
                "samples; name the column of samples with --columns sample=NAME"
            )
        return found


def _is_told(one: Given) -> bool:
    """Return whether the file identifies the query. Without one, equal responses are not copies of each other."""
    return bool(one.sample or one.text or one.image or one.images or one.context)
