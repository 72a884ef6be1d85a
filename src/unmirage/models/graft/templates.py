"""Adapt the chat template of a text decoder to pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from unmirage.errors import UserError, one_line

IMAGE = "<image>"
CHATML = "chatml"
_CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_CHATML_TOKENS = ("<|im_start|>", "<|im_end|>")
# Before the decoder's own template: turns messages with lists of parts into messages with plain text, in which the
# pictures come first.
_READING = (
    "{%- set turns = namespace(read=[]) -%}"
    "{%- for message in messages -%}"
    "{%- set said = namespace(text='') -%}"
    "{%- if message['content'] is string -%}"
    "{%- set said.text = message['content'] -%}"
    "{%- elif message['content'] -%}"
    "{%- for part in message['content'] if part['type'] == 'image' -%}"
    f"{{%- set said.text = said.text + '{IMAGE}\n' -%}}"
    "{%- endfor -%}"
    "{%- for part in message['content'] if part['type'] == 'text' -%}"
    "{%- set said.text = said.text + part['text'] -%}"
    "{%- endfor -%}"
    "{%- endif -%}"
    "{%- set turns.read = turns.read + [dict(message, content=said.text)] -%}"
    "{%- endfor -%}"
    "{%- set messages = turns.read %}{{ '' }}"  # not a block at the end: the renderer drops the line break after one
)
_QUERY, _ANSWER, _SYSTEM = "unmirage-query", "unmirage-answer", "unmirage-system"


def picture_template(source: str, tokenizer: Any, chosen: str | Path | None = None) -> str:
    """Return a chat template that takes text or lists of parts, and puts pictures before the text of their turn.

    Args:
        source: the decoder, for messages.
        tokenizer: the decoder's tokenizer.
        chosen: file of another chat template for text, or "chatml"; None for the tokenizer's own.

    Raises:
        UserError: there is no chat template, or it does not render a question and an answer, or not their roles.
    """
    template = _READING + _text_template(source, tokenizer, chosen)
    what = f"model '{source}': its chat template" if chosen is None else f"--chat-template {chosen}: the template"
    try:
        said = _rendered(tokenizer, template, [_user(picture=True), {"role": "assistant", "content": _ANSWER}])
    except (TemplateError, TypeError, ValueError) as error:
        raise UserError(f"{what} fails: {one_line(error, 200)}; {_fix()}") from error
    places = [said.find(part) for part in (IMAGE, _QUERY, _ANSWER)]
    if min(places) < 0 or places != sorted(places):
        raise UserError(f"{what} leaves out the picture, the question or the answer; {_fix()}")
    if _ignores_roles(tokenizer, template, said):
        raise UserError(f"{what} does not tell a question from an answer: it ignores the roles; {_fix()}")
    return template


def _ignores_roles(tokenizer: Any, template: str, said: str) -> bool:
    """Return whether a conversation with swapped roles is rendered as `said`, the one with the right roles."""
    swapped = [_user(picture=True) | {"role": "assistant"}, {"role": "user", "content": _ANSWER}]
    try:
        return _rendered(tokenizer, template, swapped) == said
    except (TemplateError, TypeError, ValueError):
        return False  # a template that refuses a conversation that starts with an answer knows the roles


def default_system(tokenizer: Any, template: str) -> str:
    """Return the system prompt that a template inserts into conversations without one; "" if it inserts none."""
    plain = _rendered(tokenizer, template, [_user()])
    try:
        told = _rendered(tokenizer, template, [{"role": "system", "content": _SYSTEM}, _user()])
    except (TemplateError, TypeError, ValueError):
        return ""  # the template has no system role
    before, found, after = told.partition(_SYSTEM)
    length = len(plain) - len(before) - len(after)
    if not found or length <= 0 or not plain.startswith(before) or not plain.endswith(after):
        return ""
    return plain[len(before) : len(before) + length].strip()


def _text_template(source: str, tokenizer: Any, chosen: str | Path | None) -> str:
    if chosen is None:
        own = getattr(tokenizer, "chat_template", None)
        own = own.get("default") if isinstance(own, dict) else own
        if not own:
            raise UserError(f"model '{source}': its tokenizer has no chat template; {_fix()}")
        return str(own)
    if str(chosen) == CHATML:
        vocabulary = tokenizer.get_vocab()
        if missing := [token for token in _CHATML_TOKENS if token not in vocabulary]:
            raise UserError(
                f"--chat-template chatml: the tokenizer of '{source}' has no token {missing[0]}; give a Jinja file"
            )
        return _CHATML
    try:
        return Path(chosen).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--chat-template {chosen}: cannot be read ({one_line(error, 160)}); {_fix()}") from None


def _fix() -> str:
    return "add --chat-template FILE with a Jinja template for text, or --chat-template chatml"


def _user(*, picture: bool = False) -> dict[str, Any]:
    parts = [{"type": "text", "text": _QUERY}]
    return {"role": "user", "content": [{"type": "image"}, *parts] if picture else parts}


def _rendered(tokenizer: Any, template: str, messages: Sequence[dict[str, Any]]) -> str:
    text: str = tokenizer.apply_chat_template(list(messages), chat_template=template, tokenize=False)
    return text
