"""Switch the reasoning of a chat template on or off, and decode responses that have reasoning."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from unmirage.errors import UserError
from unmirage.models.base import Thinking
from unmirage.models.templates import MARK, probe_prompt
from unmirage.text.thoughts import left_open, marks_among

log = logging.getLogger(__name__)
# Variables of chat templates. Qwen, GLM, Gemma 4, MiniCPM, ERNIE; Granite, DeepSeek-V3.1, Kimi, Hermes.
_SWITCHES = ("enable_thinking", "thinking")


def switched(source: str, processor: Any, template: Any, thinking: Thinking) -> Any:
    """Return a chat template that asks for reasoning, or for none, wherever it is rendered.

    Args:
        source: the model, for messages.
        processor: the processor that renders it.
        template: the model's own template; some models have several, by name.
        thinking: "auto" leaves the template as it is.

    Raises:
        UserError: the template cannot do so.
    """
    if thinking == "auto":
        return template
    names = [name for name in _SWITCHES if _matters(processor, template, name)]
    if names:
        return _with(template, dict.fromkeys(names, thinking == "on"))
    opened = opening_of(processor, template)
    if thinking == "on" and not opened:
        raise UserError(
            f"--thinking on: the chat template of model '{source}' has no variable for it ({' or '.join(_SWITCHES)}); "
            "use --thinking auto"
        )
    if thinking == "off" and opened:
        raise UserError(
            f"--thinking off: the chat template of model '{source}' always begins with reasoning ({opened.strip()}); "
            "use --thinking auto, or a model that can answer without reasoning"
        )
    log.info("%s: the chat template has no variable for reasoning; --thinking %s changes nothing", source, thinking)
    return template


def opening_of(processor: Any, template: Any = None) -> str:
    """Return the tag that ends the prompt, if the prompt opens the reasoning of the response; "" if it does not.

    Args:
        template: chat template; None for that of the processor.
    """
    return left_open(_prompt(processor, processor.chat_template if template is None else template).rpartition(MARK)[2])


def same_prompts(processor: Any, one: Any, other: Any) -> bool:
    """Return whether two chat templates render the same prompt for a plain query."""
    return _prompt(processor, one) == _prompt(processor, other)


@dataclass(frozen=True, slots=True)
class Decoder:
    """Decodes the new tokens of responses. Special tokens are left out, except those that mark reasoning.

    Attributes:
        tokenizer: the tokenizer.
        special: special tokens by id.
        opening: what the prompt opens the reasoning with, which the response does not repeat.
    """

    tokenizer: Any
    special: Mapping[int, str]
    opening: str

    @classmethod
    def of(cls, processor: Any) -> Decoder:
        """Return the decoder of a model."""
        added = getattr(processor.tokenizer, "added_tokens_decoder", {})
        return cls(
            processor.tokenizer, {at: str(one) for at, one in added.items() if one.special}, opening_of(processor)
        )

    def text(self, ids: Tensor) -> str:
        """Return the text of a response, with the opening tag that is in the prompt."""
        tokens: list[int] = ids.tolist()
        marks = marks_among(self.special[one] for one in tokens if one in self.special)
        if marks:
            kept = [one for one in tokens if one not in self.special or self.special[one] in marks]
            text: str = self.tokenizer.decode(kept, skip_special_tokens=False)
        else:
            text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return self.opening + text.strip() if self.opening else text.strip()


def _matters(processor: Any, template: Any, name: str) -> bool:
    on, off = (_prompt(processor, _with(template, {name: value})) for value in (True, False))
    return on != off


def _with(template: Any, values: Mapping[str, bool]) -> Any:
    """Return the template with these variables set. transformers trims the line break after each statement."""
    if isinstance(template, Mapping):
        return {name: _with(one, values) for name, one in template.items()}
    return "".join(f"{{% set {name} = {str(value).lower()} %}}\n" for name, value in values.items()) + template


def _prompt(processor: Any, template: Any) -> str:
    """Return the prompt of a plain query by a chat template; "" if the template rejects it."""
    before, processor.chat_template = processor.chat_template, template
    try:
        return probe_prompt(processor)
    except UserError:
        return ""
    finally:
        processor.chat_template = before
