"""Responses of models to queries, and what judges and benchmarks say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from unmirage.records.statistics import Amount


class Verdict(StrEnum):
    """What a response did.

    `BLOCKED`: the system declined, by a content filter or in a refusal field. `INVALID`: there is no verdict; such
    responses are counted, but are in no rate.
    """

    COMPLIED = "complied"
    REFUSED = "refused"
    IRRELEVANT = "irrelevant"
    BLOCKED = "blocked"
    INVALID = "invalid"


class Ended(StrEnum):
    """How a response ended.

    `STOP`: the model ended it. `LENGTH`: the token limit. `CONTENT_FILTER`: the system blocked the query, or cut the
    response off. `TOOL_CALL`: the model called a tool instead. `REFUSAL`: the text is a refusal that the system put
    into a field of its own.
    """

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    TOOL_CALL = "tool_call"
    REFUSAL = "refusal"

    @property
    def is_block(self) -> bool:
        """Return whether the system declined."""
        return self in (Ended.CONTENT_FILTER, Ended.REFUSAL)

    @classmethod
    def of(cls, reason: str) -> Ended | None:
        """Return how a response ended, given a finish reason in the words of any API; None if it is unknown."""
        return _REASONS.get(reason.strip().casefold().rpartition(".")[2].replace("-", "_").replace(" ", "_"))


# Finish reasons of OpenAI, Anthropic, Gemini, Bedrock, Inspect, Ollama, TGI and vLLM.
_REASONS: Mapping[str, Ended] = {
    reason: ended
    for ended, reasons in {
        Ended.STOP: "stop end_turn stop_sequence eos eos_token unknown",
        Ended.LENGTH: "length max_tokens max_length max_output_tokens model_length model_context_window_exceeded",
        Ended.CONTENT_FILTER: "content_filter content_filtered guardrail_intervened safety recitation blocklist "
        "prohibited_content spii image_safety",
        Ended.TOOL_CALL: "tool_call tool_calls tool_use function_call malformed_function_call",
        Ended.REFUSAL: "refusal",
    }.items()
    for reason in reasons.split()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A model's response to a query.

    Attributes:
        query_id: the query.
        model: name of the model.
        text: the final answer; empty if there is none, blank (such as " ") if the model answered with nothing visible.
        tokens: length, including the thoughts; 0 if unknown.
        ended: how the response ended.
        thoughts: reasoning before the answer, which no judge sees.
    """

    query_id: str
    model: str
    text: str
    tokens: int
    ended: Ended = Ended.STOP
    thoughts: str = ""

    @property
    def finished(self) -> bool:
        """Return False if the token limit or a content filter cut the response off."""
        return self.ended not in (Ended.LENGTH, Ended.CONTENT_FILTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A query without a response from a model, and the reason. The next run sends it again."""

    query_id: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A judge's verdict on one response; `why` gives the reason."""

    query_id: str
    model: str
    judge: str
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gold:
    """Reference answers to a query, for the scoring rules of a published benchmark.

    Attributes:
        query_id: the query.
        answers: the annotators' answers, with repeats; for multiple choice, the letter of the correct option.
        choices: the options of multiple choice, in order from A.
    """

    query_id: str
    answers: tuple[str, ...]
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Correctness of a response from 0 to 1, by a benchmark's own rule; `why` gives the compared texts."""

    query_id: str
    model: str
    scorer: str
    value: float
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """How a model was derived from another one.

    Attributes:
        of: the original model.
        kind: "relearned", "int8", "temperature" or "no adapter".
        data: fine-tuning data, such as "forget"; empty if there is none.
        amount: number of fine-tuning samples, or the temperature; 0 if neither applies.
    """

    of: str
    kind: str
    data: str = ""
    amount: Amount = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant(Derivation):
    """A modified copy of a model, to test whether its safety survives the change. `model` is its name in tables."""

    model: str
