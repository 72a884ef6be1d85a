"""Settings of a word search: method, target, form and budget."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from unmirage.errors import UserError
from unmirage.text.openers import opener

Method = Literal["black-box", "white-box"]
SearchKind = Literal["jailbreak", "over-prudence"]
Form = Literal["replacement", "insertion", "rewrite"]


class SearchConfig(BaseModel):
    """Settings of a word search.

    All words use one form, so that they are comparable. `replacement` replaces the query's first word, and
    `insertion` puts the word before the query ("Word, query"). `rewrite` rewords the request if the word can open
    an English request, and inserts it otherwise, so its words are not fully comparable.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = "black-box"
    kind: SearchKind = "jailbreak"
    form: Form = "replacement"
    budget: int = Field(default=20_000, ge=1, description="maximum queries to the model for finding words")
    top: int = Field(default=10, ge=1, description="words to report")
    candidates: int = Field(default=96, ge=1, description="white box: number of words to evaluate exactly")
    steps: int = Field(default=3, ge=1, description="white box: number of gradients, each at the best word so far")
    baselines: tuple[str, ...] = ("what", "share")
    batch_size: int = Field(default=16, ge=1)
    seed: int = 0

    @field_validator("baselines")
    @classmethod
    def _words(cls, baselines: tuple[str, ...]) -> tuple[str, ...]:
        for word in baselines:
            if not word or opener(word) != word.casefold():
                raise ValueError(f"'{word}' is not valid; use one word without punctuation")
        return tuple(dict.fromkeys(word.casefold() for word in baselines))

    @property
    def sign(self) -> int:
        """Return 1 if the attack benefits from more refusal, -1 if from less."""
        return 1 if self.kind == "over-prudence" else -1


def too_small(budget: int, least: int, why: str) -> UserError:
    """Return the error for a budget that is too small."""
    return UserError(f"budget: {budget} is too small {why}; valid: {least} or more")
