"""A Hugging Face VLM: batched equals single, saved equals reloaded, and only safetensors are read."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from unmirage.align import AlignConfig, AlignData, align
from unmirage.attack import plain, plan_queries
from unmirage.attack.plan import AttackConfig
from unmirage.errors import UserError
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.records import Query


@pytest.fixture(scope="module")
def taught(tiny) -> HuggingFaceVLM:
    """Return a model that has learnt to end its answers, so that rows of one batch finish at different times."""
    vlm = tiny.load()
    data = AlignData(retain=tiny.samples("base"), images=tiny.images)
    align(vlm, data, AlignConfig(learning_rate=3e-3, batch_size=16, steps=40, warmup=0.1))
    return vlm


def _queries(tiny) -> list[Query]:
    samples = tiny.samples("test")
    queries = plan_queries(samples, AttackConfig(shots=2))
    return queries + [replace(query, id=f"text-{query.id}", image=None) for query in plain(samples[:4])]


def _answers(vlm: HuggingFaceVLM, tiny, batch_size: int) -> dict[str, tuple[str, int, bool]]:
    config = GenerationConfig(max_new_tokens=12, batch_size=batch_size)
    responses = vlm.answer(_queries(tiny), tiny.images, config)
    return {one.query_id: (one.text, one.tokens, one.finished) for one in responses}


def test_batched_equals_single(taught: HuggingFaceVLM, tiny) -> None:
    single = _answers(taught, tiny, 1)
    assert _answers(taught, tiny, 7) == single
    assert _answers(taught, tiny, 64) == single
    assert set(single) == {query.id for query in _queries(tiny)}
    assert any(finished for _, _, finished in single.values())
    assert len({tokens for _, tokens, _ in single.values()}) > 1


def test_saved_equals_reloaded(taught: HuggingFaceVLM, tiny, tmp_path) -> None:
    folder = tmp_path / "again"
    folder.mkdir()
    taught.save(folder)
    again = HuggingFaceVLM.load(folder)
    state = again.model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in taught.model.state_dict().items())
    assert _answers(again, tiny, 16) == _answers(taught, tiny, 16)
    assert again.name == "again"


def test_directory_is_an_ordinary_hugging_face_model(tiny) -> None:
    model = AutoModelForImageTextToText.from_pretrained(tiny.model)
    processor = AutoProcessor.from_pretrained(tiny.model)
    assert type(model).__name__ == "LlavaForConditionalGeneration"
    assert type(processor).__name__ == "LlavaProcessor"
    assert {path.suffix for path in tiny.model.iterdir()} <= {".json", ".jinja", ".safetensors"}


def test_the_picture_matters(taught: HuggingFaceVLM, tiny) -> None:
    processor = taught.processor
    samples = tiny.samples("general")
    from unmirage.models.conversation import Conversation
    from unmirage.models.encoding import encode_prompts

    text = "What is the colour of this device?"
    asked = [Conversation.about(text, tiny.images.open(sample.image)) for sample in samples[:2]]
    batch = encode_prompts(processor, asked)
    logits = taught.model(**batch).logits[:, -1]
    assert not torch.allclose(logits[0], logits[1])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "no config.json"),
        (("config.json",), "no weights; save it in safetensors"),
        (("config.json", "pytorch_model.bin"), "only pytorch_model.bin, a pickle, which is never loaded"),
    ],
)
def test_unusable_directories_are_named(tmp_path, files: tuple[str, ...], message: str) -> None:
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match=message):
        HuggingFaceVLM.load(tmp_path)


def test_corrupt_weights_are_one_named_error(tiny, tmp_path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(tiny.model, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"broken': cannot be loaded"):
        HuggingFaceVLM.load(folder)


def test_code_of_a_repository_is_not_run(tiny, tmp_path) -> None:
    folder = tmp_path / "remote"
    shutil.copytree(tiny.model, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own-kind", "auto_map": {"AutoConfig": "own.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(
        UserError, match=r"auto_map refers to own.Config, code that comes with the model and is not run"
    ):
        HuggingFaceVLM.load(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["/nowhere/model", "./nowhere", "just-a-name", "a/b/c"])
def test_a_name_that_is_neither_directory_nor_hub_id(name: str) -> None:
    with pytest.raises(UserError, match="no such folder, nor a hub model of that name"):
        HuggingFaceVLM.load(name)


def test_repr_is_one_short_line(tiny):
    vlm = tiny.load()
    kind = type(vlm.model).__name__
    assert repr(vlm) == f"HuggingFaceVLM({vlm.name!r}, source={vlm.source!r}, model={kind})"
    assert "\x1b" not in repr(HuggingFaceVLM("a\x1b[1mb", vlm.model, vlm.processor))
