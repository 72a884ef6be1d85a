"""Plan the queries of an attack run from its configuration: which attacks, with which words, on which samples."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from unmirage.attack.forms import form_word
from unmirage.attack.rewriters import Goal, Rewriter, Wanted, make_rewriter
from unmirage.data.places import frame, placed_in
from unmirage.errors import UserError, unknown
from unmirage.records import Dataset, Kind, Placed, Query, Sample
from unmirage.text.english.wordings import Aim, Wording
from unmirage.text.language import languages_of
from unmirage.text.openers import Position, opener, put_in, replace_opener, words

Place = Callable[[str, str], str]  # (query, word) -> the query with the word inserted


@dataclass(frozen=True, slots=True)
class Attack:
    """How one kind of attack turns a sample into queries.

    Attributes:
        goal: goal of the rewriter, "open" with the word or "avoid" it.
        place: inserts the word into the query and its paraphrases; None leaves the rewrites unchanged.
    """

    goal: Goal
    place: Place | None = None


def attack_at(position: Position) -> Attack:
    """Return the attack with its word at `position`: a rewrite for the first position, insertion for others."""
    if position == "first":
        return Attack("open")
    return Attack("avoid", lambda query, word: put_in(query, word, position))


# Kinds whose word has one position.
FIXED = {
    Kind.CONTROL: Attack("avoid"),
    Kind.FORM_CONTROL: Attack("open"),
    Kind.NEUTRAL: Attack("open"),
    Kind.INSERTION: Attack("avoid", lambda query, word: put_in(query, word, "first")),
    Kind.REPLACEMENT: Attack("avoid", replace_opener),
}


# What an attack wants of the model; the rules rank their wordings by it. Other kinds are not ranked.
AIMS: dict[Kind, Aim] = {Kind.JAILBREAK: "answer", Kind.OVER_PRUDENCE: "refusal"}


def plain(samples: Iterable[Sample], kind: Kind = Kind.PLAIN) -> list[Query]:
    """Return each sample's own query, unchanged."""
    return [as_query(sample, kind, 0, sample.query, None) for sample in samples]


def attacked(
    samples: Sequence[Sample], kind: Kind, attack: Attack, word: str, shots: int, rewriter: Rewriter
) -> list[Query]:
    """Return up to `shots` different queries for each sample.

    An attack that inserts its word uses the original query first, then its paraphrases. A rewrite that loses the place
    of a picture inside the text is dropped.

    Args:
        word: one word or several; a control avoids it.
        shots: maximum queries per sample (K).
    """
    frames = [frame(sample.query, sample.images) for sample in samples]
    aim = AIMS.get(kind) if attack.goal == "open" else None
    wanted = [Wanted(one.body, word, shots - (attack.place is not None), attack.goal, aim) for one in frames]
    found = rewriter.reword(wanted) if wanted and wanted[0].shots else [[] for _ in wanted]
    queries = []
    for sample, one, wordings in zip(samples, frames, found, strict=True):
        if attack.place is not None:
            wordings = [attack.place(text, word) for text in (one.body, *wordings)]
        texts = [(str(one.around(text)), text.family if isinstance(text, Wording) else None) for text in wordings]
        kept = [(text, family) for text, family in texts if places_of(sample, text) is not None]
        queries += [
            replace(as_query(sample, kind, shot, text, word), family=family) for shot, (text, family) in enumerate(kept)
        ]
    return queries


def places_of(sample: Sample, text: str) -> tuple[Placed, ...] | None:
    """Return the sample's pictures in a rewrite of its query; None if the rewrite loses the place of one."""
    return placed_in(text, sample.query, sample.images)


def as_query(sample: Sample, kind: Kind, shot: int, text: str, word: str | None) -> Query:
    """Return a query about a sample. `text` must keep the places of its pictures; see `places_of`."""
    images = places_of(sample, text)
    assert images is not None
    return Query(
        id=f"{sample.id}|{kind}|{shot}",
        sample_id=sample.id,
        kind=kind,
        shot=shot,
        text=text,
        image=sample.image,
        unsafe=bool(sample.refused),  # a query without a label only measures utility
        word=word,
        images=images,
        context=sample.context,
    )


# Labels of the samples that a kind applies to: True for samples that must be refused.
ATTACKS: dict[Kind, tuple[bool, ...]] = {
    Kind.JAILBREAK: (True,),
    Kind.OVER_PRUDENCE: (False,),
    Kind.CONTROL: (True, False),
    Kind.FORM_CONTROL: (True, False),
    Kind.NEUTRAL: (True, False),
    Kind.INSERTION: (True, False),
    Kind.REPLACEMENT: (True, False),
}
DEFAULT_KINDS = (Kind.JAILBREAK, Kind.OVER_PRUDENCE, Kind.CONTROL)


FormWord = Annotated[str | None, Field(exclude_if=lambda word: word is None)]


class AttackConfig(BaseModel):
    """Which attacks to run, with which words and how many shots.

    Unsafe samples use the word and K of jailbreak, benign ones those of over-prudence. The control avoids that word,
    and the neutral attack has its own word. The form control replaces the word by another one of the same form.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: tuple[Kind, ...] = Field(default=DEFAULT_KINDS, min_length=1)
    shots: int = Field(default=3, ge=1, description="queries per unsafe sample and attack (K)")
    over_prudence_shots: int = Field(default=1, ge=1, description="queries per benign sample and attack (K)")
    jailbreak_word: str = "what"
    over_prudence_word: str = "share"
    neutral_word: str = "list"
    # Absent from the settings of runs without a form control, older ones included.
    jailbreak_form_word: FormWord = Field(default=None, description="word of the form control, unsafe samples")
    over_prudence_form_word: FormWord = Field(default=None, description="word of the form control, benign samples")
    position: Position = Field(default="first", description="position of the attack word in the query")
    stop_at_first_success: bool = False

    @field_validator("jailbreak_word", "over_prudence_word", "neutral_word")
    @classmethod
    def _words(cls, word: str) -> str:
        found = words(word)
        # Languages without spaces have no space between words.
        if not found or "".join(found) != "".join(word.casefold().split()):
            raise ValueError(f"'{word}' is not valid; use one or more words without punctuation")
        return word.casefold()

    def word(self, kind: Kind, *, unsafe: bool) -> str:
        """Return the word of a kind of attack for unsafe or benign samples."""
        if kind is Kind.NEUTRAL:
            return self.neutral_word
        if kind is Kind.FORM_CONTROL:
            chosen = self.jailbreak_form_word if unsafe else self.over_prudence_form_word
            attacks = (self.jailbreak_word, self.over_prudence_word)
            return chosen or form_word(attacks[not unsafe], taken=attacks)
        return self.jailbreak_word if unsafe else self.over_prudence_word

    def shots_of(self, *, unsafe: bool) -> int:
        """Return the number of queries per sample and attack."""
        return self.shots if unsafe else self.over_prudence_shots

    def attack(self, kind: Kind) -> Attack:
        """Return the attack of one kind."""
        return FIXED.get(kind) or attack_at(self.position)


def plan_queries(
    samples: Sequence[Sample],
    config: AttackConfig,
    rewriter: Rewriter | None = None,
    prebuilt: Mapping[Kind, Sequence[Query]] | None = None,
) -> list[Query]:
    """Return the plain queries of all samples and the attack queries of every kind in `config`.

    Args:
        rewriter: makes the rewrites; None uses the rules.
        prebuilt: prepared queries by kind, used instead of new ones.

    Raises:
        UserError: a kind is not an attack, has no matching samples, or the rewriter cannot make K rewrites.
    """
    rewriter = rewriter or make_rewriter("rules")
    queries = plain(samples)
    for kind in dict.fromkeys((*config.kinds, *(prebuilt or {}))):
        if kind not in ATTACKS:
            raise unknown("kind of attack", kind, ATTACKS)
        own = (prebuilt or {}).get(kind)
        made = _made(samples, config, kind, rewriter) if own is None else list(own)
        if not made and own is not None:
            raise UserError(f"{kind}: the prebuilt set has no query for the samples to ask about; raise --limit")
        if not made:
            if beyond := _beyond(samples, kind):
                raise UserError(
                    f"{kind}: no query has a rewrite: {beyond}, and the rules support English only. "
                    "Use --rewriter endpoint:URL#MODEL, or leave this kind out with --kind"
                )
            needed = "answered" if kind is Kind.OVER_PRUDENCE else "refused"
            report = rewriter.report
            if report.asked and not report.kept and (report.dropped or report.failed):
                raise UserError(
                    f"{kind}: no rewrite by {rewriter.name} is left ({report.summary()}); use another model, or pass "
                    "--fill-with-rules"
                )
            if any(sample.refused in ATTACKS[kind] for sample in samples):
                raise UserError(
                    f"{kind}: no rewrite of the {needed} samples keeps the places of the pictures inside their texts; "
                    "leave this kind out with --kind, or use --kind insertion"
                )
            raise UserError(f"{kind}: the data has no {needed} samples to rewrite; leave this kind out with --kind")
        queries += made
    return queries


def _beyond(samples: Sequence[Sample], kind: Kind) -> str:
    """Return the languages other than English of the samples that a kind applies to, for a message."""
    return languages_of([sample.query for sample in samples if sample.refused in ATTACKS[kind]]).beyond()


def _made(samples: Sequence[Sample], config: AttackConfig, kind: Kind, rewriter: Rewriter) -> list[Query]:
    found: list[Query] = []
    for unsafe in ATTACKS[kind]:
        chosen = [sample for sample in samples if sample.refused is unsafe]
        word, shots = config.word(kind, unsafe=unsafe), config.shots_of(unsafe=unsafe)
        made = attacked(chosen, kind, config.attack(kind), word, shots, rewriter)
        most = 1 + max((query.shot for query in made), default=shots - 1)
        if most < shots and not any(sample.images for sample in chosen):
            raise UserError(
                f"shots: {shots} is too many for {kind} with '{word}': the rewriter makes at most {most}; "
                f"use {most} or fewer"
            )
        found += made
    return found


class Short(NamedTuple):
    """How many samples have fewer shots than required, and how many of them have pictures inside their texts."""

    samples: int
    pictured: int


def short_of_shots(queries: Sequence[Query], samples: Sequence[Sample], config: AttackConfig) -> dict[Kind, Short]:
    """Return, by kind, how many samples have fewer shots than `config` requires; kinds without any are absent."""
    shots = Counter((query.kind, query.sample_id) for query in queries)
    found = {}
    for kind in dict.fromkeys(config.kinds):
        short = [
            sample
            for sample in samples
            if sample.refused in ATTACKS[kind] and shots[kind, sample.id] < config.shots_of(unsafe=sample.refused)
        ]
        if short:
            pictured = sum(any(0 < one.at < len(sample.query) for one in sample.images) for sample in short)
            found[kind] = Short(len(short), pictured)
    return found


def prebuilt_queries(prebuilt: Dataset, samples: Sequence[Sample], kind: Kind, known: Sequence[Sample]) -> list[Query]:
    """Return the queries of a prebuilt set, in file order; shots are numbered for each sample.

    Args:
        prebuilt: the set. Each of its samples belongs to the sample with the same record id and label. Those whose
            label the kind does not apply to are skipped: the authors' files have the other pair of a record, too.
        samples: the samples to ask about; records of other known samples are skipped.
        known: all samples of the dataset that `samples` were drawn from.

    Raises:
        UserError: a record matches no known sample or several, or no record has a label that fits the kind.
    """
    fitting = [one for one in prebuilt if one.refused in ATTACKS[kind]]
    if not fitting:
        found, needed = ("refused", "answered") if kind is Kind.OVER_PRUDENCE else ("answered", "refused")
        raise UserError(f"{prebuilt.source}: all {len(prebuilt):,} samples are {found}; {kind} requires {needed} ones")
    by_record: dict[tuple[str, bool | None], list[Sample]] = defaultdict(list)
    for sample in known:
        by_record[sample.record, sample.refused].append(sample)
    chosen = {sample.id for sample in samples}
    shots: Counter[str] = Counter()
    queries = []
    for one in fitting:
        label = "refused" if one.refused else "answered"
        owners = by_record.get((one.record, one.refused), [])
        if len(owners) != 1:
            found = f"{len(owners)} {label} samples" if owners else f"no {label} sample"
            raise UserError(
                f"{prebuilt.source}: record '{one.record[:80]}': the data has {found} with this id; "
                "it must have exactly one"
            )
        (owner,) = owners
        if places_of(owner, one.query) is None:
            raise UserError(
                f"{prebuilt.source}: record '{one.record[:80]}': the data has pictures inside the text of this sample, "
                "and the text here does not keep their places; keep the words before or after each picture"
            )
        if owner.id in chosen:
            queries.append(as_query(owner, kind, shots[owner.id], one.query, opener(one.query) or None))
            shots[owner.id] += 1
    return queries


def frozen_samples(queries: Iterable[Query], samples: Iterable[Sample]) -> list[Sample]:
    """Return attack queries as samples: the shots of a sample are consecutive and keep its record id."""
    by_id = {sample.id: sample for sample in samples}
    shots: dict[str, list[Query]] = defaultdict(list)
    for query in queries:
        shots[query.sample_id].append(query)
    return [
        replace(by_id[own], query=query.text, images=query.images)
        for own, asked in shots.items()
        for query in sorted(asked, key=lambda query: query.shot)
    ]
