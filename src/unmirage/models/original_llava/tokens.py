"""Build a processor that encodes prompts as LLaVA's own code does, from a checkpoint's tokenizer."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from tokenizers.pre_tokenizers import Metaspace
from transformers import (
    AddedToken,
    CLIPVisionConfig,
    LlamaTokenizer,
    LlavaImageProcessorPil,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from unmirage.errors import UserError, one_line

IMAGE, PAD = "<image>", "<pad>"
# As in llava-hf/llava-1.5-7b-hf. LLaVA's own code adds the sentence "A chat between a curious user and ..." before it.
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}{{ ' ' }}"
    "{% else %}"
    "{{ message['role'].upper() + ': ' }}"
    "{% for part in message['content'] if part['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{{ ' ' if message['role'] == 'user' else eos_token }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def read_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Return the checkpoint's tokenizer with an added image token and padding token.

    As in LLaVA's own code, text after an image is tokenized like text at the start of a prompt.
    """
    found = _read(folder)
    backend = found.backend_tokenizer
    if isinstance(backend.pre_tokenizer, Metaspace):
        # "first" would omit the space token that LLaVA saw after images in training.
        backend.pre_tokenizer.prepend_scheme = "always"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        **{kind: str(token) for kind in ("bos_token", "eos_token", "unk_token") if (token := getattr(found, kind))},
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_max_length=found.model_max_length,
    )
    tokenizer.add_tokens([AddedToken(IMAGE, special=True, normalized=False)], special_tokens=True)
    tokenizer.add_special_tokens({"pad_token": PAD})
    tokenizer.chat_template = None
    return tokenizer


def _read(folder: Path) -> Any:
    if (folder / "tokenizer.json").is_file():
        read, file, settings = PreTrainedTokenizerFast, folder / "tokenizer.json", {}
    elif (folder / "tokenizer.model").is_file():
        read, file, settings = LlamaTokenizer, folder / "tokenizer.model", {"legacy": True, "add_bos_token": True}
        missing = [name for name in ("sentencepiece", "google.protobuf") if not _is_installed(name)]
        if missing:
            raise UserError(f"{file}: reading it requires {missing[0]}; run pip install sentencepiece protobuf")
    else:
        raise UserError(f"{folder}: tokenizer is missing; add tokenizer.json or tokenizer.model")
    try:
        tokenizer = read.from_pretrained(folder, local_files_only=True, **settings)
    except Exception as error:  # the tokenizers library raises bare Exceptions
        raise UserError(f"{file}: tokenizer cannot be read ({one_line(error, 160)}); download it again") from None
    for kind in ("bos_token", "eos_token"):
        if getattr(tokenizer, kind) is None:
            raise UserError(f"{folder / 'tokenizer_config.json'}: {kind} is missing; set Llama's")
    return tokenizer


def _is_installed(module: str) -> bool:
    package = module.split(".")[0]
    return importlib.util.find_spec(package) is not None and importlib.util.find_spec(module) is not None


def make_processor(
    tokenizer: Any, vision: CLIPVisionConfig, pictures: dict[str, Any], features: str, *, pad_to_square: bool
) -> LlavaProcessor:
    """Return the processor for the converted model.

    Args:
        vision: config of the tower, which determines the image size.
        pictures: color and resampling settings that differ from CLIP's defaults.
        features: "default" or "full".
        pad_to_square: pad images with the mean color, as in LLaVA-1.5's training; otherwise crop the center.
    """
    edge = vision.image_size
    images = LlavaImageProcessorPil(
        **pictures, do_pad=pad_to_square, size={"shortest_edge": edge}, crop_size={"height": edge, "width": edge}
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=vision.patch_size,
        vision_feature_select_strategy=features,
        num_additional_image_tokens=1,  # the class token
        image_token=IMAGE,
        chat_template=TEMPLATE,
    )


def original_ids(tokenizer: Any, prompt: str) -> list[int]:
    """Return the ids of a prompt in LLaVA's own code, which tokenizes the text between images separately."""
    image = tokenizer.convert_tokens_to_ids(IMAGE)
    first, *rest = prompt.split(IMAGE)
    ids = list(tokenizer(first)["input_ids"])
    start = [tokenizer.bos_token_id] if tokenizer.bos_token_id in ids[:1] else []
    for chunk in rest:
        ids += [image, *tokenizer(chunk)["input_ids"][len(start) :]]
    return ids


def asks_as_original(tokenizer: Any) -> bool:
    """Return whether the tokenizer gives whole prompts the same ids as LLaVA's own code."""
    prompts = [f"USER: {IMAGE}\n{query} ASSISTANT:" for query in ("What is it?", "share", "2 of them", "Ünï — 你好")]
    return all(tokenizer(prompt)["input_ids"] == original_ids(tokenizer, prompt) for prompt in prompts)
