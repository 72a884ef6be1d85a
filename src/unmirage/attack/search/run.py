"""Search for openers that change a model's refusals: find them on one half of the samples, report on the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmirage.attack.documents import Baseline, Form, FoundWord, Refusal, SearchResult
from unmirage.attack.search.config import SearchConfig, as_it_is, opening_with, without_opener
from unmirage.attack.search.measure import Halves, Measure, Meter, halves, known_words, word_tokens
from unmirage.attack.search.strategies import Ranked, drawn, first_order, successive_halving
from unmirage.data.images import Pictures
from unmirage.errors import UserError
from unmirage.intervals import mean
from unmirage.models.gradients import opener_gradient
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.models.scoring import refusal_probability
from unmirage.records import Query, Sample
from unmirage.run.progress import Progress
from unmirage.text.english.rewriter import can_open
from unmirage.text.openers import opener
from unmirage.text.refusals import starts_for


def search(
    vlm: HuggingFaceVLM,
    samples: Sequence[Sample],
    images: Pictures,
    config: SearchConfig,
    *,
    words: Sequence[str] | None = None,
    starts: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> SearchResult:
    """Return the words that, as openers, lower (jailbreak) or raise (over-prudence) refusal the most.

    Args:
        vlm: the model; its weights do not change.
        samples: the data. Jailbreak uses the refused samples, over-prudence the answered ones.
        words: candidates; None uses the tokenizer's whole words and the openers of the data.
        starts: beginnings of refusals; None uses the usual ones and those of the data.

    Raises:
        UserError: there are no samples or no words to search, or the budget is too small.
    """
    dealt = halves(samples, config.kind, config.seed)
    choice = list(dict.fromkeys(words)) if words is not None else known_words(vlm.processor.tokenizer, samples, config)
    if not choice:
        raise UserError("search: the list of words is empty; give at least one word")
    begins = tuple(starts) if starts is not None else starts_for(samples)

    def measure(queries: Sequence[Query]) -> NDArray[np.float64]:
        return refusal_probability(vlm, queries, images, begins, config.batch_size)

    def gradient(queries: Sequence[Query]) -> NDArray[np.float64]:
        return opener_gradient(vlm, queries, images, begins, config.batch_size)

    meter = Meter(measure, config.budget, "finding words", progress)
    if config.method == "white-box":
        tokens = word_tokens(vlm.processor, choice, dealt.find, config)
        if not tokens:
            raise UserError("search: no word is a single token of the model; use --method black-box")
        ranked = first_order(tokens, _start(dealt.find, tokens), dealt.find, config, gradient, meter)
        tried = len(tokens)
    else:
        ranked = successive_halving(choice, dealt.find, config, meter)
        tried = len(drawn(choice, len(dealt.find), config))
    meter.finish()
    openers = {opener(sample.query) for sample in samples}
    found, baselines = _report(ranked, dealt, openers, config, measure, progress)
    return SearchResult(
        model=vlm.name,
        method=config.method,
        kind=config.kind,
        form=config.form,
        seed=config.seed,
        budget_used=meter.used,
        found_on=len(dealt.find),
        reported_on=len(dealt.report),
        words_known=len(choice),
        words_tried=tried,
        starts=begins,
        words=found,
        baselines=baselines,
    )


def _start(samples: Sequence[Sample], tokens: dict[str, int]) -> str:
    """Return the most common opener that is one token, so that the first gradient is at a typical query."""
    counts = Counter(word for word in (opener(sample.query) for sample in samples) if word in tokens)
    return min(counts, key=lambda word: (-counts[word], word)) if counts else min(tokens)


def _report(
    ranked: Ranked,
    dealt: Halves,
    openers: set[str],
    config: SearchConfig,
    measure: Measure,
    progress: Progress | None,
) -> tuple[tuple[FoundWord, ...], tuple[Baseline, ...]]:
    groups = [dealt.groups[sample.id] for sample in dealt.report]
    words = [*(word for word, _ in ranked), *config.baselines]
    plain = [as_it_is] + ([without_opener] if config.form == "replacement" else [])
    jobs = len(plain) + len(words) + (0 if config.form == "rewrite" else sum(map(can_open, words)))
    meter = Meter(measure, jobs * len(dealt.report), "reporting", progress)

    def refusal(make: Callable[[Sample], Query]) -> Refusal:
        found = mean(meter([make(sample) for sample in dealt.report]), groups)
        return Refusal(reported=found.value, low=found.low, high=found.high)

    def reported(word: str, form: Form) -> Refusal:
        return refusal(lambda sample: opening_with(sample, word, form, config.kind))

    def measured(word: str) -> dict[str, Any]:
        own = asdict(reported(word, config.form)) | {"in_data": word in openers}
        again = can_open(word) and config.form != "rewrite"
        return own | {"rewritten": reported(word, "rewrite") if again else None}

    baselines = [
        Baseline(name=name, **asdict(refusal(make)))
        for name, make in zip(("as it is", "no opener"), plain, strict=False)
    ]
    baselines += [Baseline(name=word, **measured(word)) for word in config.baselines]
    found = tuple(FoundWord(word=word, found=value, **measured(word)) for word, value in ranked)
    return found, tuple(baselines)
