"""Prefixes and shapes of the data change nothing of the audit."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import unmirage as um
from unmirage.audit.corpus import Reader
from unmirage.data import load_samples
from unmirage.text.leads import Lead

VLGUARD = Path(__file__).parents[2] / ".." / "shared" / "data" / "vlguard" / "train.json"
pytestmark = pytest.mark.skipif(not VLGUARD.exists(), reason="VLGuard's text is not here")

EVERY = (
    "USER: ", "Human: ", "Q: ", "Question: ", "17. ", "Question 17: ", "(3) ", "[INST] ", "Please, ", "Hello! ",
    "USER: 17. Please ", "You are given an image. ", "Look at the picture, ", "Image-1: ", "### Instruction:\n",
)  # fmt: skip
SOME = ("USER: ", "Q: ", "17. ", "Question 17: ", "<|im_start|>user\n")
PLACEHOLDERS = (
    "<image>\n", "<|vision_start|><|image_pad|><|vision_end|>", "<IMG_CONTEXT>", "Picture 1: <img>{}</img>\n",
    "<image 1> ", "<|image_1|>\n", "[IMG]", "<start_of_image>",
)  # fmt: skip


@pytest.fixture(scope="module")
def samples():
    return load_samples(VLGUARD).samples


@pytest.fixture(scope="module")
def plain(samples):
    return Reader().read(samples)


def assert_same(corpus, plain):
    for name in ("refused", "tokens", "starts", "shapes", "texts", "records"):
        assert np.array_equal(getattr(corpus, name), getattr(plain, name)), name
    assert list(corpus.vocabulary) == list(plain.vocabulary)


@pytest.mark.parametrize("prefix", EVERY)
def test_a_prefix_of_all_queries_changes_no_word(prefix, samples, plain):
    corpus = Reader().read([replace(sample, query=prefix + sample.query) for sample in samples])
    assert_same(corpus, plain)
    assert max(lead.queries for lead in corpus.leads) == len(samples)
    assert max(lead.refused for lead in corpus.leads) == sum(sample.refused for sample in samples)


@pytest.mark.parametrize("prefix", SOME)
def test_a_marker_of_every_second_query_changes_no_word(prefix, samples, plain):
    marked = [replace(s, query=prefix + s.query) if n % 2 else s for n, s in enumerate(samples)]
    corpus = Reader().read(marked)
    assert_same(corpus, plain)
    assert corpus.leads == (
        Lead(
            text=prefix.strip(), shared=False, queries=len(samples) // 2, refused=sum(s.refused for s in samples[1::2])
        ),
    )


@pytest.mark.parametrize("mark", PLACEHOLDERS)
def test_a_placeholder_changes_no_word(mark, samples, plain, tmp_path):
    path = tmp_path / "d.jsonl"
    rows = [
        {"query": mark.format(s.image) + s.query, "refused": s.refused, "image": s.image, "id": s.record}
        for s in samples
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert_same(Reader().read(load_samples(path)), plain)


def test_a_marker_of_refused_queries_alone_is_told(samples):
    corpus = Reader().read([replace(s, query=f"USER: {s.query}") if s.refused else s for s in samples])
    (lead,) = corpus.leads
    assert lead.queries == lead.refused == sum(s.refused for s in samples)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["messages", "sharegpt", "swift", "preference", "qwen"])
def test_shapes_have_the_same_informedness(shape, samples, tmp_path):
    from tests.data.test_shapes import WRITERS

    path = tmp_path / "d.jsonl"
    path.write_text("\n".join(json.dumps(WRITERS[shape](s.image, s.query, s.answer)) for s in samples))
    one, other = um.audit(VLGUARD, label="answer"), um.audit(path)
    assert (one.informedness, one.auc, one.openers) == (other.informedness, other.auc, other.openers)
