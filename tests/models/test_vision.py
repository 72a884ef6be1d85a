"""A vision encoder: one vector a picture, whatever else is in the batch; what is no vision model is named."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertModel,
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    ViTConfig,
    ViTForImageClassification,
)
from transformers.models.clip import CLIPImageProcessorPil

from unmirage.data import ImageFolder
from unmirage.errors import UserError
from unmirage.models.encoders import VisionEncoder

VISION = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
TEXT = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 50,
}  # fmt: skip
ENDS = {"bos_token_id": 0, "eos_token_id": 1, "max_position_embeddings": 8}
MODELS = {
    "clip vision": (lambda: CLIPVisionModel(CLIPVisionConfig(**VISION)), 16),
    "clip": (lambda: CLIPModel(CLIPConfig(text_config=TEXT | ENDS, vision_config=VISION, projection_dim=12)), 12),
    "dinov2": (lambda: Dinov2Model(Dinov2Config(**VISION)), 16),
}


def saved(folder, model):
    """Save a model with an image processor that needs no torchvision."""
    torch.manual_seed(0)
    model().save_pretrained(folder)
    size = {"height": 32, "width": 32}
    CLIPImageProcessorPil(size=size, crop_size=size).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the directory of a vision model. Nobody changes it."""
    return saved(tmp_path_factory.mktemp("encoder"), MODELS["clip vision"][0])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Return 40 pictures of different colours and sizes; "again.png" is the first one once more."""
    root = tmp_path_factory.mktemp("pictures")
    for number in range(40):
        picture = Image.new("RGB", (20 + number, 300 - 7 * number), (6 * number, 20, 250 - 6 * number))
        picture.save(root / f"{number}.png")
    Image.open(root / "0.png").save(root / "again.png")
    Image.new("L", (1, 1), 7).save(root / "dot.png")
    return ImageFolder(root)


PATHS = [*(f"{number}.png" for number in range(40)), "again.png", "dot.png"]


@pytest.mark.parametrize("name", MODELS)
def test_every_picture_becomes_one_finite_vector(tmp_path, pictures, name):
    model, size = MODELS[name]
    vectors = VisionEncoder.load(saved(tmp_path, model)).encode(pictures, PATHS)
    assert (vectors.shape, vectors.dtype) == ((42, size), np.float64)
    assert np.isfinite(vectors).all()
    assert len(np.unique(vectors.round(4), axis=0)) == 41  # of 42, two are the same picture


def test_equal_pictures_have_equal_vectors_whatever_else_is_in_the_batch(folder, pictures):
    encoder = VisionEncoder.load(folder)
    together = encoder.encode(pictures, PATHS)  # more than one batch
    np.testing.assert_allclose(together[0], together[40], atol=1e-5)
    alone = np.concatenate([encoder.encode(pictures, [path]) for path in PATHS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together, VisionEncoder.load(folder).encode(pictures, PATHS), atol=0)


def test_a_clip_model_gives_what_it_compares_with_texts(tmp_path, pictures):
    encoder = VisionEncoder.load(saved(tmp_path, MODELS["clip"][0]))
    picture = pictures.inspect("3.png")[1]
    pixels = CLIPImageProcessorPil.from_pretrained(tmp_path)(images=[picture], return_tensors="pt")["pixel_values"]
    model = CLIPModel.from_pretrained(tmp_path)
    with torch.inference_mode():
        expected = model.visual_projection(model.vision_model(pixel_values=pixels).pooler_output)
    np.testing.assert_allclose(encoder.encode(pictures, ["3.png"]), expected.numpy(), atol=1e-5)


def test_a_classifier_without_a_pooling_layer_is_averaged_over_the_picture(tmp_path, pictures):
    saved(tmp_path, lambda: ViTForImageClassification(ViTConfig(**VISION)))
    first, second = (VisionEncoder.load(tmp_path).encode(pictures, PATHS) for _ in range(2))
    np.testing.assert_array_equal(first, second)  # nothing of it is left at random


def test_no_pictures_are_no_vectors(folder, pictures):
    assert VisionEncoder.load(folder).encode(pictures, []).shape == (0, 1)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none': no such directory; give the directory of a Hugging Face vision model"):
        VisionEncoder.load(tmp_path / "none")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "no config.json"),
        (("config.json",), "no weights; save it in safetensors"),
        (("config.json", "pytorch_model.bin"), "only pytorch_model.bin, a pickle, which is never loaded"),
        (("config.json", "model.safetensors"), "cannot be loaded"),
    ],
)
def test_unusable_directories_are_named(tmp_path, files, message):
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match=message) as error:
        VisionEncoder.load(tmp_path)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_text_model_is_refused_before_a_picture_is_read(tmp_path):
    BertModel(BertConfig(**TEXT)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="cannot be loaded: Can't load image processor"):
        VisionEncoder.load(tmp_path)
    CLIPImageProcessorPil().save_pretrained(tmp_path)
    with pytest.raises(UserError, match=f"encoder '{tmp_path}': cannot encode images: "):
        VisionEncoder.load(tmp_path)


@pytest.mark.parametrize("cut", [20, 1000])
def test_weights_that_are_cut_short_are_one_named_error(tmp_path, cut):
    weights = saved(tmp_path, MODELS["clip vision"][0]) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:cut])
    with pytest.raises(UserError, match="cannot be loaded"):
        VisionEncoder.load(tmp_path)


def test_weights_that_lack_a_part_are_not_filled_up_at_random(tmp_path):
    weights = saved(tmp_path, MODELS["clip vision"][0]) / "model.safetensors"
    tensors = load_file(weights)
    del tensors[next(name for name in tensors if name.endswith("layers.1.mlp.fc1.weight"))]
    save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"the weights lack \S*layers\.1\.mlp\.fc1\.weight"):
        VisionEncoder.load(tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path):
    config = saved(tmp_path, MODELS["clip vision"][0]) / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"intermediate_size": 48}))
    with pytest.raises(UserError, match="cannot be loaded"):
        VisionEncoder.load(tmp_path)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    weights = saved(tmp_path, MODELS["clip vision"][0]) / "model.safetensors"
    save_file(
        {name: torch.full_like(tensor, torch.nan) for name, tensor in load_file(weights).items()},
        weights,
        metadata={"format": "pt"},
    )
    with pytest.raises(UserError, match="cannot encode images: its vectors contain NaN"):
        VisionEncoder.load(tmp_path)
