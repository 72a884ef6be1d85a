"""Choose the attack words: given by the user, found by a search, or suggested by an audit."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmirage.attack import ATTACKS, AttackConfig
from unmirage.attack.forms import form_word
from unmirage.data.sample import draw_stratified
from unmirage.data.sample_file import SampleFile
from unmirage.errors import UserError, unknown
from unmirage.records import Dataset, Kind, Sample
from unmirage.run.fingerprint import sha256_of
from unmirage.run.paths import no_such
from unmirage.text.english.wordings import CHOICES, Wordings
from unmirage.text.openers import opener

if TYPE_CHECKING:
    from unmirage.attack.documents import SearchResult
    from unmirage.audit import AuditResult

log = logging.getLogger(__name__)

FIELDS = {
    Kind.JAILBREAK: "jailbreak_word",
    Kind.OVER_PRUDENCE: "over_prudence_word",
    Kind.NEUTRAL: "neutral_word",
}
_DEFAULTS = {kind: str(AttackConfig.model_fields[name].default) for kind, name in FIELDS.items()}


def chosen_words(
    given: Mapping[Kind, str], kinds: Sequence[Kind], data: SampleFile, audit: Path | None, searched: Searched | None
) -> dict[str, Any]:
    """Return the words by config field: given ones first, then a search result, then an audit's suggestions.

    Args:
        given: words by kind.
        kinds: the attacks that need words.
        data: data to audit if words are missing.
        audit: file of a saved audit, used instead of auditing `data`.
        searched: a search result, whose best word is used.

    Raises:
        UserError: a word is missing, and the audit suggests none.
    """
    words: dict[str, Any] = {} if searched is None else {FIELDS[searched.kind]: searched.word}
    words |= {FIELDS[kind]: word.strip() for kind, word in given.items()}
    missing = [kind for kind in (Kind.JAILBREAK, Kind.OVER_PRUDENCE) if _is_needed(kind, kinds)]
    missing = [kind for kind in missing if FIELDS[kind] not in words]
    if audit is not None and not audit.is_file():
        raise no_such("file", audit, "create it with `unmirage audit DATA --json`", option="--audit")
    audited = _audited(data, audit) if missing or audit is not None else None
    suggested = {} if audited is None else _suggested(audited)
    for kind in missing:
        if suggested[kind]:
            words[FIELDS[kind]] = suggested[kind][0]
            log.info("%s: the audit suggests '%s'", kind, suggested[kind][0])
        elif kind in kinds:
            where = audit or data.source
            raise UserError(f"{where}: no opener is associated with this label; set one with --word {kind}=WORD")
    return words | _form_words(words, audited) if Kind.FORM_CONTROL in kinds else words


def chosen_wordings(
    choice: str, samples: Sequence[Sample], audit: Path | None
) -> tuple[Wordings, dict[str, str] | None]:
    """Return how the rules word attacks, and the setting of the run that says so; None for the "insert" wordings.

    The wordings are ordered by the guide of a saved audit, else by one learned from the labels of the samples. Without
    either, they keep the order of the families.

    Args:
        choice: "free", "noun", "passive" or "insert".
        samples: all samples of the attacked data.
        audit: file of a saved audit of the model's training data.

    Raises:
        UserError: the choice is unknown.
    """
    from unmirage.audit import AuditResult
    from unmirage.audit.wordings import guide_of_samples

    found = next((one for one in CHOICES if one == choice), None)
    if found is None:
        raise unknown("value of --wordings", choice, CHOICES)
    if found == "insert":
        return Wordings(), None
    guide = guide_of_samples(samples) if audit is None else AuditResult.load(audit).wordings
    if audit is not None and guide is None:
        log.warning("%s: made by a version that learned no order of wordings; audit the data again to rank them", audit)
    order = "families" if guide is None or not guide.n else "data" if audit is None else "audit"
    setting = {"families": choice, "order": order}
    return Wordings(choice=found, guide=guide), setting | ({} if audit is None else {"audit_sha256": sha256_of(audit)})


def wordings_of_run(given: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings of a further command of a run: without an audit, it asks the queries of the run's audit.

    Args:
        given: settings of the command.
        known: settings of the run; empty for a new one.
    """
    own, first = given.get("wordings"), known.get("wordings")
    if not isinstance(own, Mapping) or not isinstance(first, Mapping) or "audit_sha256" in own:
        return given
    same = own["families"] == first.get("families") and "audit_sha256" in first
    return {**given, "wordings": dict(first)} if same else given


def words_of_sets(sets: Mapping[Kind, Dataset]) -> dict[Kind, str]:
    """Return, by kind of attack, the word that opens most queries of its prebuilt set; kinds without one are absent."""
    words = {}
    for kind in FIELDS.keys() & sets.keys():
        openers = Counter(opener(one.query) for one in sets[kind] if one.refused in ATTACKS[kind])
        if not openers:
            continue
        word, count = openers.most_common(1)[0]
        if word and 2 * count > openers.total():
            words[kind] = word
            log.info("%s: %d of %d queries of %s open with '%s'", kind, count, openers.total(), sets[kind].source, word)
    return words


@dataclass(frozen=True, slots=True)
class Searched:
    """Result of `unmirage search`: the best word of a kind, and the half of the data that it was found on."""

    result: SearchResult

    @property
    def kind(self) -> Kind:
        """Return the attack that the word is for."""
        return Kind(self.result.kind)

    @property
    def word(self) -> str:
        """Return the best word."""
        return self.result.words[0].word

    def unseen(self, samples: Sequence[Sample], data_sha256: str) -> list[Sample]:
        """Return the samples without those that the search used, if the data are the same."""
        from unmirage.attack.search.measure import halves

        if data_sha256 != self.result.data_sha256:
            return list(samples)
        drawn = draw_stratified(samples, self.result.limit, self.result.seed)
        found_on = {sample.id for sample in halves(drawn, self.result.kind, self.result.seed).find}
        return [sample for sample in samples if sample.id not in found_on]


def read_search(path: Path) -> Searched:
    """Read the result in a file of `unmirage search --out`."""
    from unmirage.attack.documents import SearchResult

    found = SearchResult.load(path)
    if not found.words or found.data_sha256 is None:
        missing = "data_sha256" if found.words else "words"
        raise UserError(f"{path}: field '{missing}' is missing. Create the file with `{found.WRITER}`.")
    return Searched(found)


def _audited(data: SampleFile, file: Path | None) -> AuditResult:
    """Return a saved audit (of the model's training data), else an audit of `data`."""
    from unmirage.audit import AuditResult, audit

    return audit(data) if file is None else AuditResult.load(file)


def _suggested(audited: AuditResult) -> dict[Kind, tuple[str, ...]]:
    found = audited.suggested
    return {Kind.JAILBREAK: found.jailbreak, Kind.OVER_PRUDENCE: found.over_prudence}


def _form_words(words: Mapping[str, Any], audited: AuditResult | None) -> dict[str, str]:
    """Return the words of the form control for both attacks, neutral in the audit if there is one."""
    attacks = {FIELDS[kind]: words.get(FIELDS[kind], _DEFAULTS[kind]) for kind in (Kind.JAILBREAK, Kind.OVER_PRUDENCE)}
    found = {} if audited is None else {
        one.feature: one.log_odds for one in audited.findings if one.position == "opener"
    }  # fmt: skip
    chosen = {}
    for name, word in attacks.items():
        other = form_word(word, found, tuple(attacks.values()))
        chosen[name.replace("_word", "_form_word")] = other
        odds = "no audit" if audited is None else f"log-odds of refusal {found.get(other, 0.0):+.2f}"
        log.info("form-control: '%s' in place of '%s' (%s)", other, word, odds)
    return chosen


def _is_needed(kind: Kind, kinds: Sequence[Kind]) -> bool:
    """Tell whether a word is used: controls avoid it, and baselines insert it, for queries of its label."""
    others = {Kind.CONTROL, Kind.FORM_CONTROL, Kind.INSERTION, Kind.REPLACEMENT}
    return kind in kinds or bool(others & set(kinds))
