"""Representations count on the query and the answer: exact places by hand, in every family, and without a query."""

# ruff: noqa: F811  (fixtures of another folder are imported, and taken as arguments)
from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.align.runs import data_for, loaded, method_config
from tests.models.conftest import Family, _one_thread, family, family_images  # noqa: F401
from tests.models.tiny_families import QUERIES
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from unmirage.align import METHODS, AlignConfig, AlignData, RmuConfig, align
from unmirage.align.forward import PassBatch
from unmirage.align.methods import make_method
from unmirage.align.plan import make_collator, make_rows, marks_query, stream_samples
from unmirage.data import ImageFolder, Pictures
from unmirage.errors import UserError
from unmirage.models.conversation import Conversation
from unmirage.models.encoding import encode_prompts
from unmirage.models.families import end_ids
from unmirage.records import Sample
from unmirage.testbed.vlm import CHAT_TEMPLATE


def sample(query: str, answer: str, image: str | None) -> Sample:
    return Sample(id="s", record="s", query=query, answer=answer, image=image, refused=False, label_source="field")


def batch_of(model: Any, processor: Any, images: Pictures, samples: list[Sample], **settings: Any) -> PassBatch:
    """Return the batch of forget and retain rows on which RMU trains."""
    config = AlignConfig(method=RmuConfig(layer=2, **settings), batch_size=len(samples))
    method = make_method(config.method)
    streams = stream_samples(method, AlignData(retain=samples, forget=samples, images=images), 0)
    rows = make_rows(streams, processor, images, config)
    collator = make_collator(model, processor, method, config, one_pass=True)
    (batch,) = collator([{name: one[at] for name, one in rows.items()} for at in range(len(samples))])
    return batch


def tokens_at(batch: PassBatch, processor: Any, row: int, mask: torch.Tensor) -> list[str]:
    ids = batch.inputs["input_ids"][row][mask[row]].tolist()
    found: list[str] = processor.tokenizer.convert_ids_to_tokens(ids)
    return found


def test_places_of_the_tiny_model_by_hand(tiny) -> None:
    vlm, picture = loaded(tiny), tiny.samples("safety")[0].image
    rows = [sample("Share the recipe of this device.", "That.", picture), sample("Share this.", "That", None)]
    batch = batch_of(vlm.model, vlm.processor, tiny.images, rows)
    for start, _ in batch.rows.values():  # forget and retain alike
        found = [tokens_at(batch, vlm.processor, start + row, batch.places) for row in (0, 1)]
        assert found[0][:7] == ["Share", "Ġthe", "Ġrecipe", "Ġof", "Ġthis", "Ġdevice", "."]
        assert "".join(found[0][7:]) == "ĠThat.</s>"
        assert found[1][:3] == ["Share", "Ġthis", "."]
        assert "".join(found[1][3:]) == "ĠThat</s>"
        out = [tokens_at(batch, vlm.processor, start + row, ~batch.places) for row in (0, 1)]
        padding = int((~batch.inputs["attention_mask"][start + 1].bool()).sum())
        assert out[0] == ["<s>", "USER", ":", "Ġ", *["<image>"] * 4, "Ċ", "ĠASSISTANT", ":"]
        assert out[1] == ["<s>", "USER", ":", "Ġ", "ĠASSISTANT", ":", *[vlm.processor.tokenizer.pad_token] * padding]


def test_places_of_every_family_are_query_and_answer(family: Family, family_images: ImageFolder) -> None:
    """Start token, template and picture are out; the token that ends the answer carries loss and is in."""
    answers = ["A wall, and a device.", "No."]
    rows = [
        sample(query, answer, f"{at}.png") for at, (query, answer) in enumerate(zip(QUERIES, answers, strict=False))
    ]
    batch = batch_of(family.model, family.processor, family_images, rows)
    tokenizer = family.processor.tokenizer
    for start, _ in batch.rows.values():
        for row, (query, answer) in enumerate(zip(QUERIES, answers, strict=False), start):
            ids, places = batch.inputs["input_ids"][row], batch.places[row]
            prompt = encode_prompts(
                family.processor, [Conversation.about(query, family_images.open(rows[row - start].image or ""))]
            )["input_ids"].shape[1]
            assert tokenizer.decode(ids[:prompt][places[:prompt]]).strip() == query
            *said, end = ids[prompt:][places[prompt:]].tolist()
            assert tokenizer.decode(said, skip_special_tokens=True).strip() == answer
            assert end in end_ids(family.model)
            assert not places[0]
            assert not (places & (ids == family.model.config.image_token_id)).any()
            asked = len(tokenizer(query, add_special_tokens=False)["input_ids"])
            assert abs(int(places[:prompt].sum()) - asked) <= 1  # a blank before it makes one more, or one less


def test_official_places_are_all(family: Family, family_images: ImageFolder) -> None:
    rows = [sample(QUERIES[0], "A wall, and a device.", "0.png"), sample(QUERIES[1], "No.", "1.png")]
    batch = batch_of(family.model, family.processor, family_images, rows, compat="official")
    for start, end in batch.rows.values():
        longest = int(batch.inputs["attention_mask"][start:end].sum(1).max())
        assert batch.places[start:end].sum(1).tolist() == [longest] * 2
    assert batch.places[:, 0].all()


def merging(processor: Any) -> Any:
    """Return the processor with a byte-level tokenizer in which "?" and the line break after it are one token."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = ["<pad>", "<s>", "</s>", "<image>", *letters, "?Ċ"]
    inner = Tokenizer(models.BPE(vocab={name: at for at, name in enumerate(names)}, merges=[("?", "Ċ")]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    processor.tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
    processor.chat_template = CHAT_TEMPLATE.replace("{{ ' ' }}", "{{ '\n' }}")
    return processor


def test_a_token_that_query_and_template_share_is_the_querys(tiny) -> None:
    vlm = loaded(tiny)
    processor = merging(tiny.load().processor)
    batch = batch_of(vlm.model, processor, tiny.images, [sample("Is it?", "No", None)])
    assert tokens_at(batch, processor, 0, batch.places) == ["I", "s", "Ġ", "i", "t", "?Ċ", "Ġ", "N", "o", "</s>"]
    assert "".join(tokens_at(batch, processor, 0, ~batch.places)) == "USER:ĠASSISTANT:"


def test_an_empty_query_leaves_the_answer(tiny) -> None:
    vlm = loaded(tiny)
    batch = batch_of(vlm.model, vlm.processor, tiny.images, [sample("", "That", None)])
    assert "".join(tokens_at(batch, vlm.processor, 0, batch.places)) == "ĠThat</s>"
    config = AlignConfig(method=RmuConfig(layer=2), batch_size=2, steps=2)
    data = data_for(tiny, config.method, 2)
    empty = [replace(one, query="") for one in data.forget]
    parts = align(vlm, replace(data, forget=empty), config).parts
    assert all(math.isfinite(value) for step in parts for value in step.values())


@pytest.mark.parametrize("name", METHODS)
def test_the_query_is_looked_for_where_the_loss_depends_on_it(name: str) -> None:
    def marked(**settings: Any) -> set[str]:
        config = AlignConfig(method=method_config(name, **settings))
        method = make_method(config.method)
        streams = [*(["forget"] if method.forgets else []), *(["prefer"] if method.prefers else []),
                   *(["retain"] if method.retains else [])]  # fmt: skip
        return {stream for stream in streams if marks_query(stream, method, config)}  # type: ignore[arg-type]

    inside = name in ("rmu", "adaptive-rmu")
    assert marked() == ({"forget", "retain"} if inside else set())
    assert marked(compat="official") == set()
    forgets = METHODS[name][1].forgets
    if forgets and not inside:
        assert marked(loss_tokens="all") == {"forget"}
        assert marked(loss_tokens="query") == {"forget"}
    if "representation" in METHODS[name][0].retain_terms and not inside and METHODS[name][0]().gamma and forgets:
        assert marked(retain_term="representation") == {"retain"}
        assert marked(retain_term="representation", alpha=0, ce=1) == set()


def test_a_query_that_cannot_be_found_is_refused_before_training_but_by_official(tiny) -> None:
    told = "{{ part['text'] }}{% endfor %}{{ ' ' }}"
    assert told in CHAT_TEMPLATE
    for compat in ("none", "official"):
        vlm = tiny.load()
        vlm.processor.chat_template = CHAT_TEMPLATE.replace(told, told.replace("'] }}", "'] | upper }}"))
        config = AlignConfig(method=RmuConfig(layer=2, compat=compat), batch_size=2, steps=1)
        data = data_for(tiny, config.method, 2)
        if compat == "none":
            with pytest.raises(UserError, match=r"cannot be located among the prompt's tokens; .* no loss on repres"):
                align(vlm, data, config)
        else:
            assert len(align(vlm, data, config).parts) == 1


def test_the_answer_is_among_the_places_and_padding_is_not(tiny) -> None:
    vlm = loaded(tiny)
    rows = [sample("Share this.", "That", None), sample("Share this.", "That, and that.", None)]
    batch = batch_of(vlm.model, vlm.processor, tiny.images, rows)
    real = batch.inputs["attention_mask"].bool()
    assert not real.all()
    assert not (batch.places & ~real).any()
    assert not (batch.loss & ~batch.places).any()
