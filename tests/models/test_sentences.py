"""A sentence encoder: one vector of length 1 a text, whatever else is in the batch; what is none is named."""

import threading

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

from unmirage.errors import UserError
from unmirage.models.encoders import SentenceEncoder

WORDS = ["[PAD]", "[UNK]", *"what is the red blue boat doing in this picture share a recipe".split()]
SMALL = {
    "vocab_size": len(WORDS), "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "max_position_embeddings": 12,
}  # fmt: skip
TEXTS = ["what is the red boat doing", "share the red boat", "a", "", "unheard of " * 40, "what is the red boat doing"]


def saved(folder, model=BertModel):
    torch.manual_seed(0)
    model(BertConfig(**SMALL)).save_pretrained(folder)
    base = Tokenizer(WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    base.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=base, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the directory of a text model. Nobody changes it."""
    return saved(tmp_path_factory.mktemp("encoder"))


def test_every_text_becomes_a_vector_of_length_one(folder):
    vectors = SentenceEncoder.load(folder).encode([text for text in TEXTS if text])
    assert (vectors.shape, vectors.dtype) == ((5, 16), np.float64)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)


def test_a_text_has_one_vector_whatever_else_is_in_the_batch(folder):
    encoder = SentenceEncoder.load(folder)
    texts = TEXTS * 20  # more than one batch
    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together[: len(TEXTS)], alone, atol=1e-5)
    np.testing.assert_allclose(together[-len(TEXTS) :], alone, atol=1e-5)
    np.testing.assert_allclose(together[0], together[5], atol=1e-5)


def test_it_is_the_mean_over_the_words_without_the_padding(folder):
    encoder = SentenceEncoder.load(folder)
    model = BertModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        mean = model(torch.tensor([[2, 3, 4]])).last_hidden_state[0].mean(dim=0)
    expected = torch.nn.functional.normalize(mean, dim=0).numpy()
    found = encoder.encode(["what is the", "what is the red boat doing in this"])[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_texts_that_say_nothing_or_are_broken_have_finite_vectors(folder):
    encoder = SentenceEncoder.load(folder)
    assert np.isfinite(encoder.encode(["", " ", "\x00", "a\ud800"])).all()
    np.testing.assert_array_equal(encoder.encode(["", "a"])[0], encoder.encode([""])[0])


def test_no_texts_are_no_vectors(folder):
    assert SentenceEncoder.load(folder).encode([]).shape == (0, 16)


def test_threads_may_share_it(folder):
    encoder = SentenceEncoder.load(folder)
    expected = encoder.encode(TEXTS)
    found = []
    threads = [threading.Thread(target=lambda: found.append(encoder.encode(TEXTS))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    for one in found:
        np.testing.assert_allclose(one, expected, atol=1e-5)


def test_a_classifier_without_a_pooling_layer_will_do(tmp_path, folder):
    saved(tmp_path, BertForSequenceClassification)
    first, second = (SentenceEncoder.load(tmp_path).encode(["what is the"]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "no config.json"),
        (("config.json",), "no weights; save it in safetensors"),
        (("config.json", "pytorch_model.bin"), "only pytorch_model.bin, a pickle, which is never loaded"),
        (("config.json", "model.safetensors"), "tokenizer is missing"),
        (("config.json", "model.safetensors", "tokenizer.json"), "cannot be loaded"),
    ],
)
def test_unusable_directories_are_named(tmp_path, files, message):
    for name in files:
        (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match=message) as error:
        SentenceEncoder.load(tmp_path)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none': no such directory; give the directory of a Hugging Face text model"):
        SentenceEncoder.load(tmp_path / "none")


def test_a_model_without_a_tokenizer_is_named(tmp_path):
    BertModel(BertConfig(**SMALL)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"tokenizer is missing; add one of tokenizer\.json"):
        SentenceEncoder.load(tmp_path)


def test_weights_that_lack_a_layer_are_named(tmp_path):
    weights = load_file(saved(tmp_path) / "model.safetensors")
    missing = next(key for key in weights if "layer.1" in key)
    save_file({k: v for k, v in weights.items() if k != missing}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="the weights lack"):
        SentenceEncoder.load(tmp_path)


def test_weights_that_are_not_numbers_are_named(tmp_path):
    weights = load_file(saved(tmp_path) / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][:] = float("nan")
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="cannot encode sentences: its vectors contain NaN"):
        SentenceEncoder.load(tmp_path)
