"""Find the features that are associated with refusal, the strongest first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from unmirage.audit.association import Association, Openers, adjust, associate, clustered
from unmirage.audit.corpus import Corpus, Floats, Ints, Ints32
from unmirage.audit.features import Family
from unmirage.records import ExampleQueries, Finding, LogOdds, OtherFeature

MOST = 10
_MOST_OPENERS = 5
# Two findings of the same label that share more than half of their queries repeat each other.
_SAME_STORY = 0.5


class Headline:
    """Selects up to five openers and five other findings; call it in order of strength."""

    def __init__(self) -> None:
        self._taken: list[tuple[Finding, Ints32]] = []

    def takes(self, finding: Finding, members: Ints32) -> bool:
        """Return whether a finding belongs to the headline.

        It must be associated with a label. It must be an opener or predict more than openers do. Its queries must
        differ from those of earlier findings.

        Args:
            finding: a finding weaker than all earlier ones.
            members: the queries with it, ascending.
        """
        is_opener = finding.position == "opener"
        tells = is_opener or (finding.given_opener is not None and finding.given_opener.direction != "none")
        openers = sum(taken.position == "opener" for taken, _ in self._taken)
        full = openers >= _MOST_OPENERS if is_opener else len(self._taken) - openers >= MOST - _MOST_OPENERS
        if finding.direction == "none" or finding.redundant_with is not None or not tells or full:
            return False
        if any(
            taken.direction == finding.direction and _overlap(members, others) > _SAME_STORY
            for taken, others in self._taken
        ):
            return False
        self._taken.append((finding, members))
        return True


def _overlap(first: Ints32, second: Ints32) -> float:
    """Return the Jaccard index of two sets of queries."""
    both = len(np.intersect1d(first, second, assume_unique=True))
    return both / (len(first) + len(second) - both)


MAX_Q_VALUE = 0.05
MAX_FINDINGS = 1000
MAX_OPENERS = 200  # maximum listed openers, with or without association

_EXAMPLES = 3
_LONGEST_EXAMPLE = 500
# Of several features with the same queries, the more specific description is listed.
_DEFINITE = {"opener": 0, -1: 1, 1: 2, -2: 3, 2: 4, -3: 5, "any": 6, "shape": 8, "template": 9, "image": 10}
_NGRAM = 7


@dataclass(frozen=True, slots=True)
class Found:
    """Findings and the number of tests.

    Attributes:
        findings: all frequent openers, and other associated features; the strongest first.
        left_out: associated features beyond the strongest `MAX_FINDINGS`.
    """

    findings: tuple[Finding, ...]
    tested: int
    left_out: int


def find(
    corpus: Corpus,
    families: Iterable[Family],
    clusters: Ints | None = None,
    at_least: int = 1,
    *,
    of_picture: bool = False,
) -> Found:
    """Return all frequent openers, and the other features that are significant after adjustment; the strongest first.

    Copies count once in the tests: each text once per label, for features of pictures once per label and picture. So a
    cluster has no copies. The numbers of queries in a finding include copies.

    Args:
        families: the features to test, at least one family; all are adjusted together.
        clusters: (n,) cluster number of each query, such as the number of its picture; None for no clusters.
        at_least: minimum number of queries of a tested feature, without copies.
        of_picture: for all features, count each text once per label and picture.
    """
    together = np.arange(len(corpus)) if clusters is None else clusters
    once = {one: corpus.once(of_picture=one) for one in (False, True)}
    families = [
        family.among(once[of_picture or family.position == "image"], corpus.refused, at_least) for family in families
    ]
    tested = [_associate(corpus, family, together) for family in families]
    p_values = np.concatenate([np.zeros(0), *(one.p_value for one in tested)])
    ends = np.cumsum([len(one.p_value) for one in tested])[:-1]
    q_values = _adjusted(p_values, _signatures(corpus, families))
    kept: list[tuple[Finding, Family, int]] = []
    for family, result, adjusted in zip(families, tested, np.split(q_values, ends), strict=True):
        kept += _kept(corpus, family, result, adjusted)
    kept.sort(key=lambda one: (-one[0].tie.strength, _definite(one[0]), one[0].feature))
    shown = _strongest(kept)
    return Found(_described(corpus, shown), len(p_values), len(kept) - len(shown))


def _signatures(corpus: Corpus, families: Sequence[Family]) -> npt.NDArray[np.uint64]:
    """Return a hash per feature, which features with identical queries share (others only by chance)."""
    numbers = np.random.default_rng(0).integers(0, 2**64, size=len(corpus), dtype=np.uint64)
    sums = [family.members.sums(numbers) for family in families]
    return np.concatenate([np.zeros(0, np.uint64), *sums])


def _adjusted(p_values: Floats, signatures: npt.NDArray[np.uint64]) -> Floats:
    """Return q-values. Every feature counts as a test, but features with the same queries share one rank.

    Otherwise duplicates would support each other. For example, a word that always ends the query would be found as a
    word and as the last word, which would halve its q-value.
    """
    pairs = np.stack([signatures, p_values.view(np.uint64)], axis=1)
    _, first, which = np.unique(pairs, axis=0, return_index=True, return_inverse=True)
    different = adjust(p_values[first])
    return np.minimum(1.0, different * (len(which) / max(1, len(first))))[which]


def _associate(corpus: Corpus, family: Family, clusters: Ints) -> Association:
    told = np.ones(len(corpus), dtype=np.bool_) if family.told is None else family.told
    refused = family.members.refused(corpus.refused)
    all_refused = int(corpus.refused[told].sum())
    return associate(
        refused,
        family.members.totals - refused,
        all_refused,
        int(told.sum()) - all_refused,
        clustered(family.members, corpus.refused, clusters, told),
    )


def _kept(corpus: Corpus, family: Family, result: Association, q_values: Floats) -> list[tuple[Finding, Family, int]]:
    refused = family.members.refused(corpus.refused)
    answered = family.members.totals - refused
    all_refused, all_answered = family.counts or (refused, answered)
    tied = (q_values < MAX_Q_VALUE) & ((result.low > 0) | (result.high < 0))
    if family.position == "opener":
        tied[np.argsort(-family.members.totals, kind="stable")[:MAX_OPENERS]] = True
    return [
        (
            Finding(
                feature=family.names[place],
                position=family.position,
                kind=family.kind,
                text=family.texts[place],
                refused=int(all_refused[place]),
                answered=int(all_answered[place]),
                refused_once=int(refused[place]),
                answered_once=int(answered[place]),
                **asdict(tie := _tie(result, place)),
                p_value=float(result.p_value[place]),
                q_value=float(q_values[place]),
                direction=tie.direction,
            ),
            family,
            place,
        )
        for place in np.flatnonzero(tied).tolist()
    ]


def _tie(result: Association, place: int) -> LogOdds:
    columns = result.log_odds, result.low, result.high
    log_odds, low, high = (float(column[place]) for column in columns)
    return LogOdds(log_odds=log_odds, low=low, high=high)


def _definite(finding: Finding) -> int:
    return _NGRAM if finding.kind == "ngram" else _DEFINITE[finding.position]


def _strongest(kept: list[tuple[Finding, Family, int]]) -> list[tuple[Finding, Family, int]]:
    """Return the openers and the `MAX_FINDINGS` strongest others."""
    others = accumulate(family.position != "opener" for _, family, _ in kept)
    return [one for one, rank in zip(kept, others, strict=True) if one[1].position == "opener" or rank <= MAX_FINDINGS]


def _described(corpus: Corpus, shown: list[tuple[Finding, Family, int]]) -> tuple[Finding, ...]:
    """Add what needs the queries themselves: association given the opener, redundancy, the headline, examples."""
    openers, headline = Openers(corpus), Headline()
    first: dict[bytes, OtherFeature] = {}
    findings = []
    for finding, family, place in shown:
        members = family.members.of(place)
        own = OtherFeature(feature=finding.feature, position=finding.position)
        same = first.setdefault(members.tobytes(), own)
        given = None if finding.position == "opener" else openers.given(members, family.told)
        other = None if same == own else same
        if other is None and finding.position != "opener" and finding.direction != "none":
            other = openers.redundant_with(members, given)
        finding = replace(finding, given_opener=given, redundant_with=other)
        refused = corpus.refused[members]
        findings.append(
            replace(
                finding,
                headline=finding.q_value < MAX_Q_VALUE and headline.takes(finding, members),
                examples=ExampleQueries(
                    refused=_examples(corpus, members[refused]), answered=_examples(corpus, members[~refused])
                ),
            )
        )
    return tuple(findings)


def _examples(corpus: Corpus, members: Ints32) -> tuple[str, ...]:
    """Return a few different queries, spread evenly over the data."""
    places = np.linspace(0, max(0, len(members) - 1), min(len(members), 4 * _EXAMPLES)).astype(np.int64)
    texts = list(dict.fromkeys(corpus.queries[row] for row in members[places]))
    return tuple(text[:_LONGEST_EXAMPLE] + "…" * (len(text) > _LONGEST_EXAMPLE) for text in texts[:_EXAMPLES])
