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
        self._proven = is_tested(model)

    @property
    def plain(self) -> bool:
        """Whether the library's loop generates, for which prompts share no prefix."""
        return self._fallen or bool(why_not_shared(self.model))

    def __call__(self, prompts: Prompts, max_new_tokens: int, sampling: Sampling | None) -> list[Tensor] | None:
        """Return the new ids of each prompt; None if the prompts share prefixes and must be encoded apart.

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
        if prompts.suffix_ids.shape[1]:
            return None
        return self._generated(prompts, max_new_tokens, sampling)

    def prove(self, processor: Any, groups: Sequence[Group], images: Pictures, sharing: Sharing) -> None:
        """Compare the first tokens of a few queries with the library's, once, for model types that we did not test."""
        if self._proven or self.plain:
            return
        few = [group[:_ROWS] for group in groups[:_ROWS]]
        ours, theirs = (prepare(processor, few, images, one).prompts for one in (sharing, Sharing(wanted=False)))
        self._proven = True
        if ours is None or theirs is None:
            return
        try:
            found = self(ours, _COMPARED, None)
            if found is None or self._fallen:
                return
            wanted = self._generated(theirs, _COMPARED, None)
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            self._proven = False  # the batch itself is halved
            return
        if not all(map(torch.equal, found, wanted)):
            self._fall("its tokens differ from those of the batched loop")

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


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, RuntimeError) and is_out_of_memory(error)
