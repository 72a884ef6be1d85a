"""What to search for, how, and how much it may cost."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from unmirage.errors import UserError
from unmirage.text.openers import opener

Method = Literal["black-box", "white-box"]
SearchKind = Literal["jailbreak", "over-prudence"]
Form = Literal["replacement", "insertion", "rewrite"]


class SearchConfig(BaseModel):
    """How to search for words.

    One form serves all words, so that they can be compared. `replacement` puts the word in the place of the
    query's first word, `insertion` before the query as it is ("Word, query"); `rewrite` rewords the request
    where the word can open an English one, and inserts it elsewhere, so that its words are not quite comparable.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = "black-box"
    kind: SearchKind = "jailbreak"
    form: Form = "replacement"
    budget: int = Field(default=20_000, ge=1, description="queries that the model may be asked to find the words")
    top: int = Field(default=10, ge=1, description="words to report")
    candidates: int = Field(default=96, ge=1, description="white box: words to try exactly")
    steps: int = Field(default=3, ge=1, description="white box: gradients to take, each at the best word so far")
    baselines: tuple[str, ...] = ("what", "share")
    batch_size: int = Field(default=16, ge=1)
    seed: int = 0

    @field_validator("baselines")
    @classmethod
    def _words(cls, baselines: tuple[str, ...]) -> tuple[str, ...]:
        for word in baselines:
            if not word or opener(word) != word.casefold():
                raise ValueError(f"'{word}' is not one word without punctuation")
        return tuple(dict.fromkeys(word.casefold() for word in baselines))

    @property
    def sign(self) -> int:
        """Return 1 where more refusal is better for the attack, -1 where less is."""
        return 1 if self.kind == "over-prudence" else -1


def too_small(budget: int, least: int, why: str) -> UserError:
    """Return the error for a budget that does not suffice."""
    return UserError(f"budget: {budget} is too small {why}; valid: {least} or more")
