"""A corpus and its pictures in, which queries are one piece of evidence out."""

from __future__ import annotations

from typing import Literal

import numpy as np

from unmirage.audit.corpus import Corpus, Ints
from unmirage.audit.pictures import Measured

FOLDS = 5

GroupedBy = Literal["content", "path"]


def grouped(corpus: Corpus, measured: Measured) -> tuple[Ints, GroupedBy]:
    """Return a number (n,) that queries about one picture share, and what makes two pictures one.

    Pictures are one if they have the same content, under whatever name. Where that leaves a label with hardly
    any picture of its own (drawn plates of a few colours), a picture is what has a path of its own.
    """
    by_content = _numbers(corpus, measured.same)
    if _is_enough(corpus, by_content):
        return by_content, "content"
    return _numbers(corpus, np.arange(len(corpus.pictures))), "path"


def _numbers(corpus: Corpus, picture_number: Ints) -> Ints:
    own = len(picture_number) + np.arange(len(corpus))
    has = corpus.picture >= 0
    own[has] = picture_number[corpus.picture[has]]
    return np.asarray(np.unique(own, return_inverse=True)[1])


def _is_enough(corpus: Corpus, groups: Ints) -> bool:
    """Say whether both labels are spread over as many groups as there are folds, or as they have queries."""
    return all(
        len(np.unique(groups[of_label])) >= min(FOLDS, int(of_label.sum()))
        for of_label in (corpus.refused, ~corpus.refused)
    )
