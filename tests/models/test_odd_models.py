"""Models of types that unmirage is not tested with: they work, or one line says why not."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file
from tests.committed import ROOT, benchmark

from unmirage.align import AlignConfig, AlignData, align
from unmirage.align.config import LoraSettings
from unmirage.align.lora import add_adapter
from unmirage.data import ImageFolder
from unmirage.errors import UserError
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.models.encoding import encode_prompts
from unmirage.models.structure import forward_errors, lora_targets
from unmirage.records import Kind, Query, Response, Sample
from unmirage.testbed.vlm import make_processor

TEXTS = ("How do I paint a wall?", "Is there a red device on the left side of the table or not?", "Say it, please.")


@pytest.fixture(scope="module", autouse=True)
def _benchmarks_import_each_other() -> Iterator[None]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def processor():
    return make_processor(TEXTS)


def vlm_of(model_type: str, processor) -> HuggingFaceVLM:
    return HuggingFaceVLM(model_type, benchmark("families_shrink").tiny_model(model_type), processor)


def saved(model_type: str, processor, folder: Path) -> Path:
    vlm_of(model_type, processor).save(folder)
    return folder


def alone(vlm: HuggingFaceVLM, text: str) -> str:
    from unmirage.models.conversation import Conversation

    inputs = encode_prompts(vlm.processor, [Conversation(text)])
    ids = vlm.model.generate(**inputs, do_sample=False, max_new_tokens=8)[0, inputs["input_ids"].shape[1] :].tolist()
    said = ids[: ids.index(2)] if 2 in ids else ids
    return vlm.processor.tokenizer.decode(said, skip_special_tokens=True)


def test_where_padding_changes_responses_each_query_is_generated_alone(processor, tmp_path, caplog):
    vlm = vlm_of("git", processor)  # its own loop does not ignore padding
    queries = [
        Query(id=text, sample_id=text, kind=Kind.PLAIN, shot=0, text=text, image=None, unsafe=False) for text in TEXTS
    ]
    found = {
        one.query_id: one.text
        for one in vlm.answer(queries, ImageFolder(tmp_path), GenerationConfig(max_new_tokens=8, batch_size=3))
        if isinstance(one, Response)
    }
    assert sum("padding changes its responses" in line for line in caplog.messages) == 1
    assert {text: said.strip() for text, said in found.items()} == {text: alone(vlm, text).strip() for text in TEXTS}


def test_an_encoder_and_a_decoder_cannot_be_trained(processor, tmp_path):
    samples = [
        Sample(id="s", record="s", query="Q?", answer="A.", image=None, refused=False, label_source="field"),
    ]
    with pytest.raises(UserError, match=r"^model type 'florence2': has an encoder and a decoder; only"):
        align(
            vlm_of("florence2", processor),
            AlignData(retain=samples, images=ImageFolder(tmp_path)),
            AlignConfig(steps=1, batch_size=1, trainable=("language",)),
        )


def test_adapters_lie_beside_experts_and_not_in_them(processor):
    model = vlm_of("glm4v_moe", processor).model
    targets = lora_targets(model, ("language",))
    config = add_adapter(model, LoraSettings(rank=2, alpha=4), targets)
    adapted = {name for name, module in model.named_modules() if isinstance(module, LoraLayer)}
    assert adapted == {*targets}
    assert "model.language_model.layers.0.mlp.down_proj" in adapted  # of a dense layer: peft takes it for experts
    assert not config.target_parameters


def test_a_type_that_generates_no_text_is_refused_at_load(processor, tmp_path):
    with pytest.raises(UserError, match=r"its type 'pi0' generates no text; use a model that does$"):
        HuggingFaceVLM.load(saved_pi0(processor, tmp_path))


def saved_pi0(processor, folder: Path) -> Path:
    model = benchmark("families_shrink").tiny_model("pi0")
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def test_weights_that_the_model_does_not_have_are_said(processor, tmp_path, caplog):
    file = saved("llava", processor, tmp_path) / "model.safetensors"
    save_file({**load_file(file), "model.second_head.weight": torch.ones(2, 2)}, file, {"format": "pt"})
    with caplog.at_level(logging.WARNING, "unmirage"):
        HuggingFaceVLM.load(tmp_path)
    assert [line for line in caplog.messages if "are ignored: model.second_head.weight" in line]


def test_what_a_forward_pass_raises_is_one_line(processor):
    model = vlm_of("llava", processor).model
    failing = r"^model type 'llava': its forward pass fails \(KeyError: 'a'\); it may"
    with pytest.raises(UserError, match=failing), forward_errors(model):
        raise KeyError("a")
    with pytest.raises(UserError, match=r"^as it was$"), forward_errors(model):
        raise UserError("as it was")
    with pytest.raises(torch.OutOfMemoryError), forward_errors(model):
        raise torch.OutOfMemoryError("full")
