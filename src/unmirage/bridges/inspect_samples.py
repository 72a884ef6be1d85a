"""Convert a run's store to Inspect samples: each query with a model's response and the judges' verdicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from inspect_ai.log import EvalError, EvalSample
from inspect_ai.model import ModelOutput, ModelUsage
from inspect_ai.scorer import Score

from unmirage.bridges.inspect_parts import message, metadata_of, no_verdict, target_of
from unmirage.data.images import Pictures, check_path
from unmirage.errors import UserError
from unmirage.records import Response, Verdict
from unmirage.run.store import Store

REDACTED = "[redacted]"
_KEPT_PICTURES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Contents of a log: the judges to include, and whether to omit the responses."""

    redact: bool
    judges: Sequence[str]


@dataclass
class Pictured:
    """Converts the name of an image to its form in a log.

    Attributes:
        pictures: images of the run.
        embed: whether to return data URIs; otherwise names.
        unreadable: image name -> error, for images that could not be included.
    """

    pictures: Pictures
    embed: bool
    unreadable: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._uri = lru_cache(_KEPT_PICTURES)(self._embedded)

    def __call__(self, name: str | None) -> str | None:
        """Return a data URI or the name; None without an image, or if the path is unsafe or the image unreadable."""
        if name is None:
            return None
        try:
            check_path(name)
            return self._uri(name) if self.embed else name
        except UserError as error:
            self.unreadable[name] = str(error)
            return None

    def _embedded(self, name: str) -> str:
        # Imported lazily: the import takes seconds, and it is needed only for embedded images.
        from unmirage.models.endpoint.data_urls import DataUrls
        from unmirage.models.endpoint.settings import EndpointSettings

        return DataUrls(self.pictures, EndpointSettings()).url(name)


def samples_of(store: Store, model: str, shown: Shown, pictured: Pictured) -> Iterator[EvalSample]:
    """Yield a sample for each answered or failed query of `model`, in query order."""
    about = {sample.id: sample for sample in store.samples()}
    gold, scores = store.gold(), _scores(store, model, shown)
    responses = {response.query_id: response for response in store.responses(model)}
    failures = {failure.query_id: failure for failure in store.failures(model)}
    for query in store.queries():
        if query.id not in responses and query.id not in failures:
            continue
        asked = message(query, pictured(query.image))
        sample = EvalSample(
            id=query.id,
            epoch=1,
            input=[asked],
            messages=[asked],
            target=target_of(query, gold.get(query.id)),
            metadata=metadata_of(query, about.get(query.sample_id)),
            scores=scores.get(query.id),
        )
        if query.id in responses:
            sample.output = _output(responses[query.id], shown)
            sample.messages = [asked, sample.output.message]
            sample.model_usage = {model: sample.output.usage}
        else:
            sample.error = EvalError(message=failures[query.id].reason, traceback="", traceback_ansi="")
        yield sample


def _output(response: Response, shown: Shown) -> ModelOutput:
    text = REDACTED if shown.redact else response.text
    output = ModelOutput.from_content(response.model, text, "stop" if response.finished else "max_tokens")
    output.usage = ModelUsage(output_tokens=response.tokens, total_tokens=response.tokens)
    return output


def _scores(store: Store, model: str, shown: Shown) -> dict[str, dict[str, Score]]:
    """Return query id -> judge or scorer -> score for one model."""
    found: dict[str, dict[str, Score]] = defaultdict(dict)
    for judge in shown.judges:
        for one in store.judgements(model, judge):
            why = None if shown.redact else one.why or None
            invalid = one.verdict is Verdict.INVALID
            found[one.query_id][judge] = no_verdict(why) if invalid else Score(value=str(one.verdict), explanation=why)
    for score in store.scores(model):
        why = None if shown.redact else score.why or None
        found[score.query_id][score.scorer] = Score(value=score.value, explanation=why)
    return dict(found)
