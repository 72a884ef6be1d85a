"""The interface that every VLM implements, and its generation settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, get_args

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from unmirage.data.images import Pictures
from unmirage.errors import unknown
from unmirage.records import Failure, Query, Response
from unmirage.run.progress import StepProgress
from unmirage.run.store import Store, keep_as_they_come
from unmirage.text.thoughts import settled

Thinking = Literal["auto", "on", "off"]
# Fields of a model's identity and of a run's configuration.
THINKING, TRAINED_THINKING = "thinking", "trained with thinking"


def check_thinking(value: str) -> Thinking:
    """Return the setting; raise `UserError` if it is unknown."""
    for valid in get_args(Thinking):
        if value == valid:
            return valid  # type: ignore[no-any-return]  # get_args is untyped
    raise unknown("value of --thinking", value, get_args(Thinking))


def thinking_note(model: str, files: Mapping[str, str]) -> str:
    """Return a warning if a model was trained and evaluated with different prompts; "" otherwise.

    Args:
        model: name of the model.
        files: the model's identity; see `Store.add_model`.
    """
    if TRAINED_THINKING not in files:
        return ""
    return (
        f"{model}: trained with thinking {files[TRAINED_THINKING]}, evaluated with {files.get(THINKING, 'auto')}; its "
        "prompts differ from those of the training"
    )


class GenerationConfig(BaseModel):
    """Generation settings. At temperature 0 decoding is greedy: model, image and text determine the response.

    At a higher temperature, `seed` and the query's id determine it too; the other queries of the run do not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_new_tokens: int = Field(default=256, ge=1)
    batch_size: int | None = Field(
        default=None, ge=1, description="queries per batch; None finds the largest batch that fits in memory"
    )
    share_prefix: bool = Field(default=True, description="process an image once for all queries about it")
    temperature: float = Field(default=0, ge=0, allow_inf_nan=False, description="sampling temperature; 0 is greedy")
    seed: int = Field(default=0, ge=0, description="random seed for temperatures above 0")

    @model_serializer(mode="wrap")
    def _plain(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out sampling settings of greedy runs: they must match older runs, which lack these fields."""
        found: dict[str, Any] = told(self)
        drawing = ("temperature", "seed")
        return {key: value for key, value in found.items() if key not in drawing or self.temperature or self.seed}


class VLM(Protocol):
    """A vision-language model that answers queries about images."""

    name: str

    def answer(
        self, queries: Sequence[Query], images: Pictures, config: GenerationConfig
    ) -> Iterator[Response | Failure]:
        """Yield a response or a failure for each query, in any order."""
        ...


def ask(
    vlm: VLM,
    store: Store,
    images: Pictures,
    config: GenerationConfig,
    progress: StepProgress | None = None,
    *,
    queries: Sequence[Query] | None = None,
    seen: Callable[[Response], None] | None = None,
) -> int:
    """Let `vlm` answer all queries in `store` that it has not answered; return the number of failed queries.

    Commits every few rows, and whenever an error or an interrupt stops the run.

    Args:
        store: holds the queries; receives responses and failures.
        progress: called with (done, total) after each query.
        queries: if given, limit the run to these queries.
        seen: called with each response, before `progress`.
    """
    missing = store.unanswered(vlm.name)
    if queries is not None:
        chosen = {query.id for query in queries}
        missing = [query for query in missing if query.id in chosen]
    failed = 0

    def told(answers: Iterable[Response | Failure]) -> Iterator[Response | Failure]:
        nonlocal failed
        for done, found in enumerate(answers, start=1):
            failed += isinstance(found, Failure)
            kept = found if isinstance(found, Failure) else settled(found)
            yield kept
            if seen is not None and isinstance(kept, Response):
                seen(kept)
            if progress is not None:
                progress(done, len(missing))

    resume = getattr(vlm, "resume", None)
    if resume is not None and store.has_responses(vlm.name):
        resume()
    try:
        keep_as_they_come(told(vlm.answer(missing, images, config)), lambda found: _keep(store, found))
    finally:
        store.add_notes(vlm.name, notes_of(vlm))
    return failed


def notes_of(user: object) -> list[str]:
    """Return how a server changed or ignored requests of a model or judge, one line each; empty without a server."""
    return list(getattr(getattr(user, "accounting", None), "notes", ()))


def _keep(store: Store, found: Sequence[Response | Failure]) -> None:
    store.add_responses(one for one in found if isinstance(one, Response))
    store.add_failures(one for one in found if isinstance(one, Failure))
