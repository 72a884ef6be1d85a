"""Convert queries and verdicts to Inspect's types, and restore queries from Inspect's metadata."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from inspect_ai.log import EvalError, EvalMetric, EvalSample, EvalScore
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    Content,
    ContentImage,
    ContentReasoning,
    ContentText,
    ModelOutput,
    ModelUsage,
    StopReason,
)
from inspect_ai.scorer import Score
from inspect_ai.viewer import ViewerConfig

from unmirage.data.images import Pictures, check_path
from unmirage.data.written import conversation_record
from unmirage.errors import UserError
from unmirage.models.conversation import messages, unopened
from unmirage.records import Ended, Gold, Kind, Placed, Query, Response, Sample, Turn, Verdict
from unmirage.run.store import Store
from unmirage.text.thoughts import settled

# How responses end, in Inspect's terms.
_STOP_REASONS: Mapping[Ended, StopReason] = {
    Ended.STOP: "stop",
    Ended.LENGTH: "max_tokens",
    Ended.TOOL_CALL: "tool_calls",
    Ended.CONTENT_FILTER: "content_filter",
    Ended.REFUSAL: "content_filter",
}
# Responses may contain markup and links, so Inspect's viewer must show them as plain text.
PLAIN_VIEW = ViewerConfig(trust_content=False)


def chat(query: Query, picture: Callable[[str], str | None]) -> list[ChatMessage]:
    """Return all turns of a query as messages.

    Args:
        picture: returns the file name or data URI of an image; None leaves it out.
    """
    told, urls = unopened(query), iter([picture(path) for path in query.paths])
    found: list[ChatMessage] = []
    for turn in messages(told):
        parts: list[Content] = []
        for part in turn["content"]:
            if part["type"] == "text":
                parts.append(ContentText(text=part["text"]))
            elif (url := next(urls)) is not None:
                parts.append(ContentImage(image=url))
        only = parts[0] if len(parts) == 1 else None
        found.append(_MESSAGES[turn["role"]](content=only.text if isinstance(only, ContentText) else parts))
    return found


_MESSAGES: Mapping[str, Callable[..., ChatMessage]] = {
    "system": ChatMessageSystem,
    "user": ChatMessageUser,
    "assistant": ChatMessageAssistant,
}


def metadata_of(query: Query, sample: Sample | None) -> dict[str, Any]:
    """Return the fields of a query that are not in its messages; `record` identifies queries about the same image.

    A query with earlier turns or placed images is there as a whole, because messages lose the names of images.
    """
    whole = {"text": query.text, **conversation_record(query)} if query.images or query.context else {}
    return whole | {
        "sample_id": query.sample_id,
        "record": sample.record if sample else query.sample_id,
        "kind": str(query.kind),
        "shot": query.shot,
        "unsafe": query.unsafe,
        "word": query.word,
        "image": query.image,
        "category": sample.category if sample else None,
    }


def query_of(query_id: object, text: str, metadata: Mapping[str, Any]) -> Query:
    """Restore a query from its text and the result of `metadata_of`; raise `UserError` for other metadata."""
    try:
        return Query(
            id=str(query_id),
            sample_id=str(metadata["sample_id"]),
            kind=Kind(metadata["kind"]),
            shot=int(metadata["shot"]),
            text=metadata.get("text", text),
            image=metadata["image"],
            unsafe=metadata["unsafe"] is True,
            word=metadata["word"],
            images=_placed(metadata.get("images", ())),
            context=tuple(
                Turn(turn["role"], turn["text"], _placed(turn["images"])) for turn in metadata.get("context", ())
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"sample {query_id}: metadata does not describe a query ({type(error).__name__}: {error}); "
            "valid: samples of suite_task, or of `unmirage export`"
        ) from None


def _placed(images: Iterable[Mapping[str, Any]]) -> tuple[Placed, ...]:
    return tuple(Placed(one["image"], one["at"]) for one in images)


def target_of(query: Query, gold: Gold | None) -> str | list[str]:
    """Return the reference answers, or the verdict that a safe and helpful model would get."""
    if gold is not None:
        return list(gold.answers)
    return str(Verdict.REFUSED if query.unsafe else Verdict.COMPLIED)


def no_verdict(why: str | None) -> Score:
    """Return the score of a response without a verdict. Inspect excludes it from means and counts it."""
    return Score.unscored(reason="grader_failed", answer=str(Verdict.INVALID), explanation=why)


Rate = Mapping[str, Any]  # as in results.json: `value`, interval and counts


def rates_in(part: object, name: str = "") -> Iterator[tuple[str, Rate]]:
    """Yield (dotted name, rate), such as "asr.after", for all rates in a part of results.json; lists count from 1."""
    if isinstance(part, Mapping):
        if "value" in part:
            yield name, part
            return
        items = [(str(key), item) for key, item in part.items()]
    elif isinstance(part, Sequence) and not isinstance(part, str):
        items = [(str(place), item) for place, item in enumerate(part, start=1)]
    else:
        return
    for key, item in items:
        yield from rates_in(item, f"{name}.{key}" if name else key)


def metrics(part: object) -> dict[str, EvalMetric]:
    """Return a metric for each estimable rate in `part`, with interval and counts as metadata."""
    return {
        name: EvalMetric(name=name, value=rate["value"], metadata={k: v for k, v in rate.items() if k != "value"})
        for name, rate in rates_in(part)
        if rate["value"] is not None
    }


def score(name: str, part: object, *, scored: int, unscored: int = 0) -> EvalScore:
    """Return the Inspect score of one judge or scoring rule.

    Args:
        name: name of the judge or rule.
        part: part of results.json with its rates.
        scored, unscored: numbers of responses with and without a verdict.
    """
    return EvalScore(name=name, scorer=name, scored_samples=scored, unscored_samples=unscored, metrics=metrics(part))


def thoughts_of(message: ChatMessage) -> str:
    """Return the reasoning in a message; "" if there is none, or if the provider encrypted it."""
    parts = [] if isinstance(message.content, str) else message.content
    return "\n".join(one.reasoning for one in parts if isinstance(one, ContentReasoning) and not one.redacted)


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

    def __call__(self, name: str) -> str | None:
        """Return a data URI or the name; None if the path is unsafe or the image unreadable."""
        try:
            check_path(name)
            return self._uri(name) if self.embed else name
        except UserError as error:
            self.unreadable[name] = str(error)
            return None

    def _embedded(self, name: str) -> str:
        # Imported lazily: the import takes seconds, and it is needed only for embedded images.
        from unmirage.models.endpoint.data_urls import DataUrls
        from unmirage.models.endpoint.spec import EndpointSettings

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
        asked = chat(query, pictured)
        sample = EvalSample(
            id=query.id,
            epoch=1,
            input=asked,
            messages=asked,
            target=target_of(query, gold.get(query.id)),
            metadata=metadata_of(query, about.get(query.sample_id)),
            scores=scores.get(query.id),
        )
        if query.id in responses:
            sample.output = _output(responses[query.id], shown)
            sample.messages = [*asked, sample.output.message]
            sample.model_usage = {model: sample.output.usage}
        else:
            sample.error = EvalError(message=failures[query.id].reason, traceback="", traceback_ansi="")
        yield sample


def _output(response: Response, shown: Shown) -> ModelOutput:
    final = settled(response)
    text = REDACTED if shown.redact else final.text
    thoughts = REDACTED if shown.redact and final.thoughts else final.thoughts
    content: list[Content] = [ContentReasoning(reasoning=thoughts), ContentText(text=text)]
    output = ModelOutput.from_content(response.model, content if thoughts else text, _STOP_REASONS[response.ended])
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
