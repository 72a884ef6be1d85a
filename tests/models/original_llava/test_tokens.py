"""Prompts get the ids that LLaVA's own code gives them, whatever the tokenizer does at the start of a text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.models.original_llava.checkpoint import TOKENIZER, Original
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CLIPVisionConfig, PreTrainedTokenizerFast

from unmirage.models.original_llava.tokens import IMAGE, asks_as_original, make_processor, original_ids, read_tokenizer


@pytest.mark.parametrize("scheme", ["first", "always"])
def test_text_behind_a_picture_starts_like_any_other(tmp_path: Path, scheme: str) -> None:
    """Llama's tokenizer puts a blank before a text; LLaVA was trained with one behind each picture too."""
    letters = ["<unk>", "<s>", "</s>", "▁", "\n", *"USER:ANTI?Whatsi"]
    backend = Tokenizer(models.BPE(vocab={one: n for n, one in enumerate(dict.fromkeys(letters))}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(tmp_path)
    tokenizer = read_tokenizer(tmp_path)
    ids = tokenizer(f"USER: {IMAGE}\nWhat")["input_ids"]
    words = ["<s>", *"▁USER:▁", IMAGE, "▁", "\n", *"What"]
    assert tokenizer.convert_ids_to_tokens(ids) == words
    assert asks_as_original(tokenizer)
    tokenizer.save_pretrained(tmp_path / "again")
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path / "again")
    assert again(f"USER: {IMAGE}\nWhat")["input_ids"] == ids


def test_sentencepiece_models_are_read(tmp_path: Path) -> None:
    sentencepiece = pytest.importorskip("sentencepiece", reason="an extra that only old tokenizers need")
    pytest.importorskip("google.protobuf")
    (tmp_path / "text").write_text("USER: What is shown? ASSISTANT: A wall and a square.\n" * 50)
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text"), model_prefix=str(tmp_path / "tokenizer"), vocab_size=300, model_type="bpe",
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, hard_vocab_limit=False,
    )  # fmt: skip
    named = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**named, "legacy": False, "model_max_length": 99}))
    tokenizer = read_tokenizer(tmp_path)
    model = sentencepiece.SentencePieceProcessor(str(tmp_path / "tokenizer.model"))
    size = model.get_piece_size()
    expected = [1, *model.encode("USER: "), size, *model.encode("\nWhat is shown? ASSISTANT:")]
    assert tokenizer(f"USER: {IMAGE}\nWhat is shown? ASSISTANT:")["input_ids"] == expected
    assert asks_as_original(tokenizer)
    assert (len(tokenizer), tokenizer.model_max_length) == (size + 2, 99)


def test_original_ids_put_the_parts_together(original: Original) -> None:
    tokenizer = read_tokenizer(original.folder)
    ids = original_ids(tokenizer, f"a{IMAGE}b{IMAGE}c")
    assert tokenizer.convert_ids_to_tokens(ids) == ["<s>", "a", IMAGE, "b", IMAGE, "c"]
    assert tokenizer.pad_token_id == len(TOKENIZER) + 1


def test_the_chat_template(original: Original) -> None:
    tokenizer = read_tokenizer(original.folder)
    processor = make_processor(tokenizer, CLIPVisionConfig(), {}, "default", pad_to_square=True)
    ask = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Why?"}]}
    say = {"role": "assistant", "content": [{"type": "text", "text": "So."}]}
    system = {"role": "system", "content": [{"type": "text", "text": "A chat."}]}
    assert processor.apply_chat_template([ask], add_generation_prompt=True) == "USER: <image>\nWhy? ASSISTANT:"
    assert processor.apply_chat_template([ask, say]) == "USER: <image>\nWhy? ASSISTANT: So.</s>"
    assert processor.apply_chat_template([system, ask]) == "A chat. USER: <image>\nWhy? "
