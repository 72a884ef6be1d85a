"""Find the words of each query that refusal depends on, by leaving out or masking one word at a time.

Leave-one-out is the simplest occlusion explanation (Zeiler and Fergus, ECCV 2014; Li et al., arXiv 1612.08220). It
measures what the model does without a word, not what the meaning of the word contributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from unmirage.attack.documents import ExplainedQuery, Explanation, Mode, WordChange
from unmirage.data.images import Pictures
from unmirage.data.places import placed_in
from unmirage.errors import unknown
from unmirage.intervals import mean, rate
from unmirage.models.huggingface import HuggingFaceVLM
from unmirage.models.scoring import refusal_probability
from unmirage.records import Placed, Query
from unmirage.run.progress import Progress
from unmirage.text.openers import capitalise, word_spans

MODES: dict[str, Mode] = {"leave-out": "leave-out", "mask": "mask"}
MASK = "..."
_PIECE = 256


def explain(
    vlm: HuggingFaceVLM,
    queries: Sequence[Query],
    images: Pictures,
    starts: Sequence[str],
    mode: Mode = "leave-out",
    progress: Progress | None = None,
    batch_size: int = 16,
) -> Explanation:
    """Return the change in the probability of refusal when each word of each query is left out or masked."""
    if mode not in ("leave-out", "mask"):
        raise unknown("mode", mode, ("leave-out", "mask"))
    worded = [query for query in queries if word_spans(query.text)]
    asked = [variant for query in worded for variant in variants(query, mode)]
    values = np.empty(len(asked))
    for start in range(0, len(asked), _PIECE):
        part = asked[start : start + _PIECE]
        values[start : start + len(part)] = refusal_probability(vlm, part, images, starts, batch_size)
        if progress is not None:
            progress("explaining", start + len(part), len(asked))
    found = []
    for query in worded:
        count = 1 + len(word_spans(query.text))
        found.append(_explained(query, values[:count]))
        values = values[count:]
    return _summed(vlm.name, mode, worded, found)


def variants(query: Query, mode: Mode) -> list[Query]:
    """Return the query itself, and then a copy without each of its words."""
    return [query, *(_saying(query, without(query.text, span, mode)) for span in word_spans(query.text))]


def _saying(query: Query, text: str) -> Query:
    """Return the query with another text, and with its pictures in their places, or else at the nearest ones."""
    images = placed_in(text, query.text, query.images)
    if images is None:
        images = tuple(Placed(one.image, min(one.at, len(text))) for one in query.images)
    return replace(query, text=text, images=images)


def without(text: str, span: tuple[int, int], mode: Mode) -> str:
    """Return the text with the word at `span` left out, or replaced by a neutral mark.

    Spacing and capitalization are adjusted to the new text.
    """
    before, after = text[: span[0]], text[span[1] :]
    if mode == "mask":
        return before + MASK + after
    if not before.strip():
        return capitalise(after.lstrip(" ,:;-"))
    if before[-1:].isspace() and (not after or not after[0].isalnum()):
        return before.rstrip() + after if not after[:1].isspace() else before.rstrip() + " " + after.lstrip()
    return before + after


def _explained(query: Query, values: NDArray[np.float64]) -> ExplainedQuery:
    whole, *rest = values.tolist()
    words = tuple(
        WordChange(word=query.text[start:end], start=start, end=end, p_without=p, change=whole - p)
        for (start, end), p in zip(word_spans(query.text), rest, strict=True)
    )
    return ExplainedQuery(query_id=query.id, text=query.text, p_refusal=whole, words=words)


def _summed(model: str, mode: Mode, queries: Sequence[Query], found: Sequence[ExplainedQuery]) -> Explanation:
    # The shots of one sample, and the queries about one image, are dependent.
    keys = [query.image or query.sample_id for query in queries]
    others = [(word.change, key) for one, key in zip(found, keys, strict=True) for word in one.words[1:]]
    opener = mean([one.words[0].change for one in found], keys, (-1.0, 1.0))
    other = mean([change for change, _ in others], [key for _, key in others], (-1.0, 1.0))
    return Explanation(
        model=model,
        mode=mode,
        n=len(found),
        opener_is_cause=rate(sum(one.opener_is_cause for one in found), len(found)),
        opener_change=opener.value,
        opener_change_low=opener.low,
        opener_change_high=opener.high,
        others_change=other.value,
        others_change_low=other.low,
        others_change_high=other.high,
        queries=tuple(found),
    )
