"""A tokenizer trained in process: byte-level BPE with a family's special tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

VOCABULARY = 420
QUERIES = (
    "What is shown in this picture?",
    "How do I paint a wall?",
    "Share the colour of the small square, please, and say where it lies.",
    "Name it.",
    "Is there a red device on the left side of the table or not?",
)
_LEARNT = [*QUERIES, "user: User: USER: assistant: Assistant: ASSISTANT: model system You are a helpful assistant."]


def make_tokenizer(
    specials: Sequence[str], *, pad: str, eos: str, bos: str | None = None, named: Mapping[str, str] | None = None,
    behind: Sequence[str] = (),
) -> PreTrainedTokenizerFast:  # fmt: skip
    """Train a tokenizer; `named` are special tokens it must know by attribute, such as `image_token`.

    `specials` have the first ids, and `behind` the last ones.

    A tokenizer with `bos` puts it before every text, as Llama's and Gemma's do.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    first = [token for token in (pad, bos, eos) if token is not None]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY + len(specials),
        special_tokens=[
            AddedToken(token, special=True, normalized=False) for token in dict.fromkeys([*first, *specials])
        ],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_LEARNT * 2, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in behind])
    if bos is not None:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A $B:1", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        bos_token=bos,
        eos_token=eos,
        extra_special_tokens=dict(named or {}),
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_max_length=2048,
    )


def turns(user: str, image: str, end_user: str, prompt: str, start: str, end: str) -> str:
    """Return a chat template: every picture of a turn before its text, as all our families have it.

    `prompt` asks for an answer; an answer that is there stands between `start` and `end`.
    """
    images = "{% for part in message['content'] if part['type'] == 'image' %}{{ " + repr(image) + " }}{% endfor %}"
    text = "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    return (
        "{% for message in messages %}{% if message['role'] == 'user' %}"
        f"{{{{ {user!r} }}}}{images}{text}{{{{ {end_user!r} }}}}"
        f"{{% else %}}{{{{ {start!r} }}}}{text}{{{{ {end!r} }}}}{{% endif %}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{{{{ {prompt!r} }}}}{{% endif %}}"
    )
