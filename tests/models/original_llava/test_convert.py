"""A converted checkpoint says what its original says: the same logits, the same answers, the same prompts."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tests.models.original_llava.checkpoint import TOKENIZER, WORDS, Original
from tests.models.tiny_families import QUERIES, pictures
from transformers import LlavaForConditionalGeneration

from unmirage.data import ImageFolder
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.models.conversation import Conversation
from unmirage.models.conversion import Conversion
from unmirage.models.encoding import encode_example, encode_prompts
from unmirage.models.original_llava import convert
from unmirage.models.original_llava.adapter import EMBEDDINGS, HEAD
from unmirage.records import Query


def converted(original: Original, **options: Any) -> HuggingFaceVLM:
    out = original.root / "out"
    convert(str(original.folder), out, **{"vision_tower": str(original.tower), **options})
    return HuggingFaceVLM.load(out)


def logits_of_teacher(model: Any, processor: Any, picture: Any, query: str) -> torch.Tensor:
    """Return what the parts answer when put together as LLaVA's own code does: texts apart, the picture between."""
    pixels = processor.image_processor(picture, return_tensors="pt")["pixel_values"]
    tower = model.model.vision_tower(pixels, output_hidden_states=True)
    features = model.model.multi_modal_projector(tower.hidden_states[-2][:, 1:])
    before, after = (TOKENIZER(text, return_tensors="pt").input_ids for text in ("USER: ", f"\n{query} ASSISTANT:"))
    embed = model.model.language_model.embed_tokens
    inputs = torch.cat([embed(before), features, embed(after[:, 1:])], dim=1)
    hidden = model.model.language_model(inputs_embeds=inputs).last_hidden_state
    return model.lm_head(hidden)[0]


def assert_same(original: Original, vlm: HuggingFaceVLM) -> None:
    for picture, query in zip(pictures(3), QUERIES, strict=False):
        batch = encode_prompts(vlm.processor, [Conversation.about(query, picture)])
        with torch.no_grad():
            got = vlm.model(**batch).logits[0]
            expected = logits_of_teacher(original.model, vlm.processor, picture, query)
        torch.testing.assert_close(got[:, :WORDS], expected[:, :WORDS], rtol=1e-5, atol=1e-5)
        assert torch.equal(got.argmax(-1), expected[:, :WORDS].argmax(-1))


@pytest.mark.parametrize("tower", [False, True], ids=["tower beside it", "tower inside"])
def test_logits_are_the_original_s(original: Original, tower: bool) -> None:
    original.write(tower=tower)
    assert_same(original, converted(original))


def test_a_tower_inside_the_checkpoint_is_taken_before_the_folder_s(original: Original) -> None:
    original.write(tower=True)
    held = load_file(original.tower / "model.safetensors")
    save_file({name: torch.zeros_like(one) for name, one in held.items()}, original.tower / "model.safetensors")
    assert_same(original, converted(original))


def test_greedy_answers_are_the_original_s(original: Original) -> None:
    vlm = converted(original)
    folder = original.root / "pictures"
    folder.mkdir()
    for number, picture in enumerate(pictures(3)):
        picture.save(folder / f"{number}.png")
    queries = [
        Query(id=f"{n}", sample_id=f"{n}", kind="plain", text=QUERIES[n], image=f"{n}.png", shot=0, unsafe=False)
        for n in range(3)
    ]
    responses = vlm.answer(queries, ImageFolder(folder), GenerationConfig(max_new_tokens=8))
    answers = {one.query_id: one.text for one in responses}
    for number, picture in enumerate(pictures(3)):
        batch = encode_prompts(vlm.processor, [Conversation.about(QUERIES[number], picture)])
        ids = original.model.generate(**batch, max_new_tokens=8, do_sample=False)[0, batch["input_ids"].shape[1] :]
        assert answers[f"{number}"] == TOKENIZER.decode(ids, skip_special_tokens=True).strip()
    assert len({*answers.values()}) > 1


def test_every_tensor_is_kept_bit_by_bit_and_new_rows_are_the_mean(original: Original) -> None:
    converted(original)
    held = load_file(original.root / "out" / "model.safetensors")
    mine = load_file(original.folder / "model.safetensors")
    assert torch.equal(
        held["language_model.model.layers.1.mlp.up_proj.weight"], mine["model.layers.1.mlp.up_proj.weight"]
    )
    for name, old in ((EMBEDDINGS, "model.embed_tokens.weight"), (HEAD, "lm_head.weight")):
        assert len(held[name]) % 64 == 0
        assert torch.equal(held[name][:WORDS], mine[old])
        assert torch.equal(held[name][WORDS:], mine[old].mean(0).expand(len(held[name]) - WORDS, -1))


def test_the_directory_is_complete(original: Original) -> None:
    vlm = converted(original)
    _, found = LlavaForConditionalGeneration.from_pretrained(original.root / "out", output_loading_info=True)
    assert {key: list(value) for key, value in found.items() if value} == {}
    config = vlm.model.config
    assert (config.image_token_index, config.text_config.pad_token_id) == (WORDS, WORDS + 1)
    assert config.image_seq_length == 16
    assert vlm.model.generation_config.eos_token_id == 2
    assert vlm.processor.image_processor.do_pad is True
    assert sorted(path.name for path in (original.root / "out").iterdir()) == [
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        Conversion.FILE,
    ]


def test_where_it_comes_from_is_written_without_paths(original: Original) -> None:
    converted(original)
    text = (original.root / "out" / Conversion.FILE).read_text()
    document = json.loads(text)
    assert (document["source"], document["vision_tower"], document["base"]) == ("llava-v1.5-tiny", "clip", None)
    assert {*document["files"]["source"]} >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert document["settings"]["asks_as_original"] is True
    assert str(original.root) not in text


def test_shards_in_and_out(original: Original) -> None:
    whole = converted(original)
    original.shard()
    made = convert(str(original.folder), original.root / "shards", vision_tower=str(original.tower), shard_bytes=60_000)
    assert made.files > 3
    again = HuggingFaceVLM.load(original.root / "shards")
    state = again.model.state_dict()
    assert all(torch.equal(one, state[name]) for name, one in whole.model.state_dict().items())


def test_half_precision_is_kept_and_the_tower_follows(original: Original) -> None:
    file = original.folder / "model.safetensors"
    save_file({name: one.half() for name, one in load_file(file).items()}, file)
    vlm = converted(original)
    with safe_open(original.root / "out" / "model.safetensors", "pt") as held:
        assert {held.get_slice(name).get_dtype() for name in held.keys()} == {"F16"}  # noqa: SIM118
    assert json.loads((original.root / "out" / "config.json").read_text())["dtype"] == "float16"
    assert vlm.model.dtype == torch.float32


def test_pickles_are_read_when_asked_to(original: Original) -> None:
    whole = converted(original)
    original.shard(".bin", "pytorch_model")
    (original.folder / "mm_projector.bin").write_bytes(b"not to be read")
    made = original.root / "pickled"
    convert(str(original.folder), made, vision_tower=str(original.tower), from_pickle=True)
    state = HuggingFaceVLM.load(made).model.state_dict()
    assert all(torch.equal(one, state[name]) for name, one in whole.model.state_dict().items())


def test_a_linear_projector_stays_linear(original: Original) -> None:
    original.write(mm_projector_type="linear")
    first = original.model.model.multi_modal_projector.linear_1
    original.change(
        **dict.fromkeys(f"model__mm_projector__{layer}__{kind}" for layer in (0, 2) for kind in ("weight", "bias")),
        model__mm_projector__weight=first.weight.detach().clone(),
        model__mm_projector__bias=first.bias.detach().clone(),
    )
    vlm = converted(original)
    features = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(vlm.model.model.multi_modal_projector(features), first(features))


def test_pictures_are_padded_as_in_training_or_cropped(original: Original) -> None:
    picture = pictures(1, (64, 32))[0]
    vlm = converted(original)
    pixels = vlm.processor.image_processor(picture, return_tensors="pt")["pixel_values"][0]
    assert pixels.shape == (3, 32, 32)
    assert pixels[:, 0].abs().max() < 0.02  # the mean colour above the picture
    original.configure(image_aspect_ratio=None)
    convert(str(original.folder), original.root / "cropped", vision_tower=str(original.tower))
    cropped = HuggingFaceVLM.load(original.root / "cropped").processor
    pixels = cropped.image_processor(picture, return_tensors="pt")["pixel_values"][0]
    assert pixels[:, 0].abs().max() > 0.1


def test_it_can_be_trained_on(original: Original) -> None:
    vlm = converted(original)
    example = encode_example(vlm.processor, Conversation.about(QUERIES[0], pictures(1)[0]), "A square.")
    prompt, answer = example.input_ids[: example.prompt_length], example.input_ids[example.prompt_length :]
    assert TOKENIZER.decode(answer) == " A square.</s>"
    assert int((prompt == WORDS).sum()) == 16


def test_old_settings_of_the_decoder_go_along(original: Original) -> None:
    original.configure(rope_theta=5e5, max_position_embeddings=77, mm_vision_select_feature="cls_patch")
    config = converted(original).model.config
    assert config.text_config.rope_parameters["rope_theta"] == 5e5
    assert config.text_config.max_position_embeddings == 77
    assert (config.vision_feature_select_strategy, config.image_seq_length) == ("full", 17)
