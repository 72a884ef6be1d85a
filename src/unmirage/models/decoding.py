"""Choose how a model generates: in our batched loop, or in the library's own where ours would fail or differ."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from unmirage.data.images import Pictures
from unmirage.errors import UserError, one_line
from unmirage.models.batches import Group, is_out_of_memory
from unmirage.models.families import why_not_shared
from unmirage.models.greedy import generate, greedy
from unmirage.models.prompts import Prompts, Sharing, prepare
from unmirage.models.sampling import Sampling
from unmirage.models.untested import is_tested

log = logging.getLogger(__name__)

# What a model raises that does not support our loop, or the library's.
_FAILURES = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_COMPARED = 8  # tokens
_ROWS = 2  # queries of each of as many groups


class Decoding:
    """The generation loop for one model: ours until it fails, or until its tokens differ from the library's."""

    def __init__(self, name: str, model: Any) -> None:
        """Wrap the model; `name` is the one in messages."""
        self._name = name
        self.model = model
        self._fallen = False
        self._alone = False
        self._proven = is_tested(model)

    @property
    def plain(self) -> bool:
        """Whether the library's loop generates, for which prompts share no prefix."""
        return self._fallen or bool(why_not_shared(self.model))

    @property
    def alone(self) -> bool:
        """Whether each query must be generated alone: in the library's loop, padding would change its response."""
        return self._alone

    def __call__(self, prompts: Prompts, max_new_tokens: int, sampling: Sampling | None) -> list[Tensor] | None:
        """Return the new ids of each prompt; None if the prompts must be encoded apart: they share
        prefixes, or are padded where the model does not ignore padding.

        Raises:
            UserError: the library's loop fails too.
            RuntimeError: the batch does not fit in memory.
        """
        if not self.plain:
            try:
                return greedy(self.model, prompts, max_new_tokens, sampling)
            except _FAILURES as error:
                if _out_of_memory(error):
                    raise
                self._fall(f"the batched loop fails ({type(error).__name__}: {one_line(error, 200)})")
        if prompts.suffix_ids.shape[1] or (self.alone and len(prompts.group) > 1):
            return None
        return self._generated(prompts, max_new_tokens, sampling)

    def prove(self, processor: Any, groups: Sequence[Group], images: Pictures, sharing: Sharing) -> None:
        """Compare the first tokens of a few queries with the library's for each query alone, once.

        Only for model types that this package is not tested with.

        Raises:
            UserError: the library's loop fails.
        """
        if self._proven:
            return
        # The first and the last group of a batch differ most in length, so padding shows.
        few = [group[:_ROWS] for group in (groups if len(groups) < 2 else (groups[0], groups[-1]))]
        apart = Sharing(wanted=False)
        ours, padded = (prepare(processor, few, images, one).prompts for one in (sharing, apart))
        each = [prepare(processor, [[query]], images, apart).prompts for group in few for query in group]
        self._proven = True
        if ours is None or padded is None:
            return
        try:
            wanted = [row for one in each if one is not None for row in self._generated(one, _COMPARED, None)]
            found = None if self.plain else self(ours, _COMPARED, None)
            if found is not None and not self._fallen:
                if _equal(found, wanted):
                    return
                self._fall("its tokens differ from those of the batched loop")
            if len(wanted) > 1 and not _equal(self._generated(padded, _COMPARED, None), wanted):
                self._alone = True
                log.warning("%s: padding changes its responses; each query is generated alone", self._name)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            self._proven = False  # the batch itself is halved

    def _generated(self, prompts: Prompts, max_new_tokens: int, sampling: Sampling | None) -> list[Tensor]:
        try:
            return generate(self.model, prompts, max_new_tokens, sampling)
        except _FAILURES as error:
            if _out_of_memory(error):
                raise
            kind = self.model.config.model_type
            raise UserError(
                f"model '{self._name}': generation fails for its type '{kind}': "
                f"{type(error).__name__}: {one_line(error, 200)}"
            ) from error

    def _fall(self, reason: str) -> None:
        self._fallen = True
        log.warning(
            "%s: %s; from now on the library's own loop generates, and each query reads its picture again",
            self._name,
            reason,
        )


def _equal(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> bool:
    return len(found) == len(wanted) and all(map(torch.equal, found, wanted))


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and is_out_of_memory(error)
