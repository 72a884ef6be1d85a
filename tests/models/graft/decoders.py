"""Tiny random text decoders with a tokenizer and a ChatML template, as a chat model on the hub has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tests.models.tiny_families.text import make_tokenizer
from tests.tiny_gguf import CHATML
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
CLASSES = {
    "llama": (LlamaForCausalLM, LlamaConfig),
    "mistral": (MistralForCausalLM, MistralConfig),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config),
    "gemma2": (Gemma2ForCausalLM, Gemma2Config),
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig),
    "phi": (PhiForCausalLM, PhiConfig),
}


def chat_tokenizer(**options: Any) -> Any:
    """Return a tokenizer of 423 tokens with ChatML's tokens and template, but without <image>."""
    chosen = {"pad": "<|endoftext|>", "eos": "<|im_end|>"} | options
    tokenizer = make_tokenizer(["<|im_start|>", "<|im_end|>"], **chosen)
    tokenizer.chat_template = CHATML
    return tokenizer


def decoder(kind: str = "llama", *, tied: bool = True, spare: int = 0, **options: Any) -> tuple[Any, Any]:
    """Return a random decoder and its tokenizer; `spare` embeddings have no token."""
    tokenizer = chat_tokenizer()
    model, config = CLASSES[kind]
    torch.manual_seed(3)
    made = model(
        config(
            **SIZES,
            **({"head_dim": 8} if kind in ("qwen3", "gemma2", "gemma3") else {}),
            vocab_size=len(tokenizer) + spare,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            tie_word_embeddings=tied,
            **options,
        )
    )
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0.0, 0.3)  # the default spread would hide what is lost in such narrow layers
    return made.eval(), tokenizer


def saved(folder: Path, kind: str = "llama", **options: Any) -> Path:
    """Write a decoder to a directory."""
    model, tokenizer = decoder(kind, **options)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
