"""Compare the attack's wordings with each other and with prebuilt ones: success by family and form, meaning kept.

    python benchmarks/wordings.py MODEL TRAIN TEST [--official FILE] [--official-share FILE] [--encoder DIR]
        [--choices insert,free] [--half develop|report|all] [--limit N] [--keep benchmarks/results/wordings.json]

MODEL was trained on TRAIN; the order of the wordings is learned from TRAIN. TEST has other records. The families were
developed on one half of its records and are reported on the other (by hash of the record). The official files are the
authors' prebuilt sets; their records need not be in TEST, and a grey picture replaces theirs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from provenance import made_by

from unmirage.attack import AttackConfig, plan_queries
from unmirage.attack.plan import as_query
from unmirage.attack.rewriters import MeaningCheck, make_rewriter
from unmirage.audit.wordings import guide_of_samples
from unmirage.data import load_samples
from unmirage.data.images import ImageFolder
from unmirage.data.sample import draw_stratified
from unmirage.evaluate import PhraseJudge, judge_run, judged_outcomes, model_rates
from unmirage.evaluate.forms import form_rates
from unmirage.models import GenerationConfig, HuggingFaceVLM, ask
from unmirage.models.encoders import SentenceEncoder
from unmirage.records import Kind, Query, Rate, Sample
from unmirage.run.files import write_text_atomic
from unmirage.run.store import Store
from unmirage.text.english.meaning import kept
from unmirage.text.english.wordings import WordingGuide, Wordings, form_of

GREY = "grey.png"
_SHOWN = 15  # forms in the printed table


def half_of(samples: Sequence[Sample], half: str) -> list[Sample]:
    """Return the samples of one half of the records."""
    odd = {"develop": 0, "report": 1}
    chosen = [int(hashlib.sha256(one.record.encode()).hexdigest(), 16) % 2 for one in samples]
    return [one for one, side in zip(samples, chosen, strict=True) if half == "all" or side == odd[half]]


def meaning(pairs: Sequence[tuple[str, str]], encoder: SentenceEncoder | None) -> dict[str, float | None]:
    """Return the mean share of content words kept, and the mean cosine similarity, of (query, rewrite) pairs."""
    if not pairs:
        return {"words_kept": None, "cosine": None}
    words = float(np.mean([kept(query, text) for query, text in pairs]))
    if encoder is None:
        return {"words_kept": words, "cosine": None}
    before, after = (encoder.encode([pair[place] for pair in pairs]) for place in (0, 1))
    return {"words_kept": words, "cosine": float(np.mean(np.sum(before * after, axis=1)))}


class Asked:
    """Asks one model and returns rates."""

    def __init__(self, vlm: HuggingFaceVLM, root: Path, tokens: int) -> None:
        Image.new("RGB", (64, 64), (128, 128, 128)).save(root / GREY)
        self._vlm, self._root, self._tokens = vlm, root, tokens
        self._answered: dict[str, Any] = {}

    def rates(self, name: str, samples: Sequence[Sample], queries: Sequence[Query]) -> dict[str, Any]:
        """Return the rates of the queries. A text that was asked before is not asked again."""
        grey = [replace(one, image=GREY, images=()) for one in queries]
        with Store(self._root / f"{name}.sqlite") as store:
            store.add_samples(replace(one, image=GREY, images=()) for one in samples)
            store.add_queries(grey)
            known = [one for one in grey if one.text in self._answered]
            store.add_responses(replace(self._answered[one.text], query_id=one.id) for one in known)
            ask(self._vlm, store, ImageFolder(self._root), GenerationConfig(max_new_tokens=self._tokens))
            texts = {one.id: one.text for one in grey}
            self._answered |= {texts[one.query_id]: one for one in store.responses(self._vlm.name)}
            judge_run(store, PhraseJudge(), self._vlm.name)
            outcomes = judged_outcomes(store, PhraseJudge.name, self._vlm.name)
        # All pictures are one grey picture, so samples are independent.
        outcomes = [replace(one, cluster=None) for one in outcomes]
        found, forms = model_rates(outcomes), form_rates(outcomes)
        return {
            "asr": {"before": found.asr.before, "after": found.asr.after, "control": found.asr.control},
            "rr": {"before": found.rr.before, "after": found.rr.after, "control": found.rr.by_kind.get(Kind.CONTROL)},
            "forms": forms,
        }


def official(path: Path, kind: Kind, limit: int | None) -> tuple[list[Sample], list[Query]]:
    """Return the records of a prebuilt set as samples, with their queries as shots. No plain query is known."""
    by_record: dict[str, list[Sample]] = defaultdict(list)
    for one in load_samples(path):
        if one.refused is (kind is Kind.JAILBREAK):
            by_record[one.record].append(one)
    order = sorted(by_record, key=lambda record: hashlib.sha256(record.encode()).hexdigest())[:limit]
    samples, queries = [], []
    for record in order:
        shots = by_record[record]
        sample = replace(shots[0], id=f"official|{record}", image=GREY, images=())
        samples.append(sample)
        word = "what" if kind is Kind.JAILBREAK else "share"
        queries += [as_query(sample, kind, shot, one.query, word) for shot, one in enumerate(shots)]
    return samples, queries


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("train", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--official", type=Path, help="prebuilt jailbreak queries")
    parser.add_argument("--official-share", type=Path, help="prebuilt over-prudence queries")
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--choices", default="insert,noun,passive,free")
    parser.add_argument("--half", choices=("develop", "report", "all"), default="report")
    parser.add_argument("--limit", type=int, help="samples of TEST, drawn by label; records of the official sets")
    parser.add_argument("--tokens", type=int, default=14)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    train = load_samples(options.train)
    guide = guide_of_samples(train)
    test = draw_stratified(half_of(load_samples(options.test).samples, options.half), options.limit, 0)
    encoder = None if options.encoder is None else SentenceEncoder.load(options.encoder)
    vlm = HuggingFaceVLM.load(options.model)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        asked = Asked(vlm, Path(folder), options.tokens)
        for choice in options.choices.split(","):
            found[choice] = worded(choice, asked, test, guide, encoder)
            show(choice, found[choice])
        limit = None if options.limit is None else options.limit // 2
        for kind, path in ((Kind.JAILBREAK, options.official), (Kind.OVER_PRUDENCE, options.official_share)):
            if path is not None:
                samples, queries = official(path, kind, limit)
                name = f"official {kind.value}"
                found[name] = asked.rates(name.replace(" ", "-"), samples, queries)
                found[name] |= {"openers": in_data([one.text for one in queries], guide), "queries": len(queries)}
                show(name, found[name])
    if options.keep:
        document = {
            "model": options.model.name,
            "half": options.half,
            "limit": options.limit,
            "max_new_tokens": options.tokens,
            "judge": PhraseJudge.name,
            "guide": {"queries": guide.n, "weights": len(guide.weights)},
            "wordings": found,
            **made_by(),
        }
        write_text_atomic(options.keep, json.dumps(document, indent=1, default=_plain) + "\n")


def worded(
    choice: str, asked: Asked, test: Sequence[Sample], guide: WordingGuide, encoder: SentenceEncoder | None
) -> dict[str, Any]:
    """Return the rates, the meaning kept and the forms of one choice of wordings."""
    wordings = Wordings(choice=choice, guide=None if choice == "insert" else guide)  # type: ignore[arg-type]
    check = MeaningCheck(encoder=encoder) if encoder else MeaningCheck()
    rewriter = make_rewriter("rules", check=check, wordings=wordings)
    queries = plan_queries(test, AttackConfig(), rewriter)
    by_id = {one.id: one.query for one in test}
    attack = [one for one in queries if one.kind is Kind.JAILBREAK]
    forms = defaultdict(set)
    for one in attack:
        forms[one.sample_id].add(form_of(one.text))
    unsafe = [one for one in test if one.refused]
    row = asked.rates(choice, test, queries)
    row |= meaning([(by_id[one.sample_id], one.text) for one in attack], encoder)
    row |= {
        "openers": in_data([one.text for one in attack], guide),
        "queries": len(attack),
        "unsafe": len(unsafe),
        "forms_per_query": dict(sorted(Counter(len(forms.get(one.id, ())) for one in unsafe).items())),
        "dropped_meaning": rewriter.report.dropped_meaning,
    }
    return row


def in_data(texts: Sequence[str], guide: WordingGuide) -> float | None:
    """Return the share of texts whose first two words open an answered query of the training data."""
    answered = {one.form for one in guide.forms if one.answered}
    return sum(" ".join(form_of(text).split()[:2]) in answered for text in texts) / len(texts) if texts else None


def show(name: str, row: dict[str, Any]) -> None:
    """Print one choice of wordings."""
    rates = [("ASR before", "asr", "before"), ("after", "asr", "after"), ("control", "asr", "control")]
    rates += [("RR before", "rr", "before"), ("after", "rr", "after"), ("control", "rr", "control")]
    print(f"{name}:", "  ".join(f"{label} {told(row[part][one])}" for label, part, one in rates), flush=True)
    others = ("words_kept", "cosine", "openers", "queries", "forms_per_query", "dropped_meaning")
    print("   ", {one: row[one] for one in others if one in row})
    for kind, forms in row["forms"].items():
        for form, rate in [*forms.by_family.items(), *list(forms.by_form.items())[:_SHOWN]]:
            print(f"    {kind:14} {form:28} {told(rate)}", flush=True)


def told(rate: Rate | None) -> str:
    """Return a rate as text."""
    if rate is None or rate.value is None or rate.low is None or rate.high is None:
        return "-"
    return f"{100 * rate.value:.0f} % [{100 * rate.low:.0f}-{100 * rate.high:.0f}] ({rate.k:g}/{rate.n})"


def _plain(value: Any) -> Any:
    return asdict(value)


if __name__ == "__main__":
    main()
