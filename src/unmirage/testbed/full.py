"""Search attack words and explain refusals in a finished study, for `unmirage demo --full`.

The search uses one half of the unsafe test queries, on the model that shows the mirage. The other half measures the
word's rates, with the exact judge, in two forms. They are compared with the rates of the audit's word.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unmirage.api import search
from unmirage.attack import AttackConfig, plain, plan_queries
from unmirage.attack.documents import SearchResult
from unmirage.attack.explain import explain
from unmirage.attack.search import SearchConfig
from unmirage.attack.search.measure import halves
from unmirage.data import load_samples
from unmirage.documents import parsed
from unmirage.evaluate import ExactJudge, judge_run, judged_outcomes, model_rates
from unmirage.models import HuggingFaceVLM, ask
from unmirage.records import Kind, Sample
from unmirage.run import Store
from unmirage.run.files import write_bytes_atomic
from unmirage.run.progress import in_stage
from unmirage.testbed.documents import ExplainedModel, FullDemo, WordRates
from unmirage.testbed.study import Study
from unmirage.text.refusals import starts_for

MIRAGE = "sft-posthoc"
EXPLAINED = ("sft-posthoc", "npo-mixed", "rmu-mixed")
_QUERIES = 100  # maximum number of explained queries
_SEARCH = SearchConfig(method="white-box", kind="jailbreak", form="rewrite", budget=6_000, top=5)


def full(study: Study) -> FullDemo:
    """Return the document of one seed, from its run directory if it exists."""
    file = study.run.path / FullDemo.FILE
    if file.is_file():
        return FullDemo.load(file)
    test = load_samples(study.run.data / "test.json").samples
    config = _SEARCH.model_copy(update={"seed": study.seed})
    words = _searched(study, config)
    word = words.words[0].word
    held_out = halves(test, "jailbreak", config.seed).report
    audit_word = study.attack_config().jailbreak_word
    document = FullDemo(
        seed=study.seed,
        model=MIRAGE,
        words=words,
        asr={one: _asr(study, held_out, one) for one in dict.fromkeys((audit_word, word))},
        explain={name: _explained(study, test, name) for name in EXPLAINED if name in study.model_names()},
    )
    document.save(file)
    return document


def _searched(study: Study, config: SearchConfig) -> SearchResult:
    data, settings = study.run.data / "test.json", config.model_dump()
    with study.stage("search"):
        found = search(study.run.model(MIRAGE), data, progress=study.progress, **settings)
    found.save(study.run.path / "search.json")
    return found


def _asr(study: Study, samples: Sequence[Sample], word: str) -> WordRates:
    """Attack the held-out samples with one word, rewritten and in place of the opener; return the rates."""
    attack = AttackConfig(kinds=(Kind.JAILBREAK, Kind.REPLACEMENT), shots=study.settings.shots, jailbreak_word=word)
    queries = [query for query in plan_queries(samples, attack) if query.unsafe]
    file = study.run.path / f"word-{word}.sqlite"
    with study.stage("attack with words"), Store(file) as store:
        store.add_samples(samples)
        store.add_queries(queries)
        vlm = HuggingFaceVLM.load(study.run.model(MIRAGE), MIRAGE)
        told = in_stage(study.progress, f"attack with '{word}'")
        ask(vlm, store, study.images, study.settings.generation, told)
        judge_run(store, ExactJudge.from_file(study.run.data / "truth.json"), MIRAGE)
        rates = model_rates(judged_outcomes(store, "exact", MIRAGE))
    return WordRates(
        before=rates.asr.before,
        rewritten=rates.asr.after,
        by_k=rates.asr.by_k,
        replacement=rates.asr.by_kind[Kind.REPLACEMENT],
    )


def _explained(study: Study, test: Sequence[Sample], name: str) -> ExplainedModel:
    queries = plain([sample for sample in test if sample.refused][:_QUERIES])
    with study.stage("explain"):
        vlm = HuggingFaceVLM.load(study.run.model(name), name)
        found = explain(vlm, queries, study.images, starts_for(test), progress=study.progress)
    if name == MIRAGE:
        found.save(study.run.path / found.FILE)
    mean = sum(query.p_refusal for query in found.queries) / max(1, len(found.queries))
    summary: ExplainedModel = parsed(ExplainedModel, found.to_dict() | {"p_refusal": mean})
    return summary


def copy_for_report(study: Study, folder: Path) -> None:
    """Copy the first seed's search and explanation to the run, for its report."""
    for name in ("search.json", "explain.json"):
        source = study.run.path / name
        if source.is_file():
            write_bytes_atomic(folder / name, source.read_bytes())
