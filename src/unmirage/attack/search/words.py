"""Collect candidate words from a tokenizer and the data, and map each word to a token for gradients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from unmirage.attack.search.config import SearchConfig
from unmirage.attack.search.forms import opening_with
from unmirage.models.gradients import opener_tokens
from unmirage.records import Sample
from unmirage.text.openers import opener
from unmirage.text.vocabulary import real_words

_SPACES = ("Ġ", "▁")  # mark of a leading space in byte-level and SentencePiece vocabularies


def token_texts(tokenizer: Any) -> list[str]:
    """Return the text of each vocabulary entry, with its leading space if it has one."""
    texts = []
    for piece in tokenizer.get_vocab():
        text = tokenizer.convert_tokens_to_string([piece])
        texts.append(" " + text.lstrip(" ") if piece.startswith(_SPACES) else text)
    return texts


def known_words(tokenizer: Any, samples: Iterable[Sample], config: SearchConfig) -> list[str]:
    """Return the words of the vocabulary and the openers of the data, sorted."""
    openers = {opener(sample.query) for sample in samples} - {""}
    return sorted({*real_words(token_texts(tokenizer)), *openers, *config.baselines})


def word_tokens(
    processor: Any, words: Sequence[str], samples: Sequence[Sample], config: SearchConfig
) -> dict[str, int]:
    """Return the single token for each word in the gradient's first-order score.

    A word that is one token as the opener has that token, which depends on the text before it. "Details" is often
    several tokens there while " details" is one; then that token is used, because its meaning is the same. The token
    only affects the ranking: high-ranked words are evaluated exactly. Words without such a token are left out.
    """
    kinds = {sample.image is None: sample for sample in samples}.values()
    vocabulary = processor.tokenizer.get_vocab()
    found = {}
    for word in words:
        spelt = {
            tuple(opener_tokens(processor, opening_with(sample, word, config.form, config.kind))) for sample in kinds
        }
        within = next((vocabulary[mark + word] for mark in _SPACES if mark + word in vocabulary), None)
        single = next((ids[0] for ids in spelt if len(ids) == 1), within)
        if single is not None:
            found[word] = single
    return found
