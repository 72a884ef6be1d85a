"""Group queries that are not independent, because they are about one picture."""

from __future__ import annotations

from typing import Literal

import numpy as np

from unmirage.audit.corpus import Corpus, Ints
from unmirage.audit.pictures import Measured

FOLDS = 5

GroupedBy = Literal["content", "path"]


def grouped(corpus: Corpus, measured: Measured) -> tuple[Ints, GroupedBy]:
    """Return a group number (n,) that queries about one picture share, and the criterion for equal pictures.

    Pictures are equal if they have the same content under any name. If a label then has too few pictures of its own
    (for example drawn plates of a few colors), pictures are equal only if they have the same path.
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
    """Tell whether both labels have at least as many groups as there are folds, or as they have queries."""
    return all(
        len(np.unique(groups[of_label])) >= min(FOLDS, int(of_label.sum()))
        for of_label in (corpus.refused, ~corpus.refused)
    )
