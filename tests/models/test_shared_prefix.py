"""Shared-prefix answering: token for token what plain greedy generation gives, in every family."""

import itertools
from dataclasses import replace

import pytest
import torch

from unmirage.errors import UserError
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.models.conversation import Conversation
from unmirage.models.encoding import encode_prompts
from unmirage.models.families import attention_reach, end_ids, why_not_shared
from unmirage.models.greedy import greedy
from unmirage.models.prompts import encode_groups
from unmirage.records import Failure, Kind, Query

ASKED = (
    ("0.png", ("What is shown here?", "What can you tell me about the picture?", "Share it.")),
    ("1.png", ("Describe the colour of the thing on the left.", "Describe the dog.")),
    ("2.png", ("Is it a cat?",)),
    ("3.png", ("Please list all things that you can see in this picture, one by one.", "Please, what is it?")),
)
TOKENS = 12


def one_by_one(family, images, tokens: int = TOKENS) -> list[list[int]]:
    """Return the ids that the library's own greedy loop gives for each query alone."""
    found = []
    for name, texts in ASKED:
        for text in texts:
            batch = encode_prompts(family.processor, [Conversation.about(text, images.open(name))])
            ids = family.model.generate(**batch, do_sample=False, max_new_tokens=tokens)
            found.append(ids[0, batch["input_ids"].shape[1] :].tolist())
    return found


def grouped(asked, pictures):
    """Return the groups of conversations about one picture each."""
    return [
        [Conversation.about(text, picture) for text in texts]
        for (_, texts), picture in zip(asked, pictures, strict=True)
    ]


def wide(family):
    """Return the family with windows that no prompt here exceeds."""
    if (attention_reach(family.model) or 512) >= 512:
        return family
    family = family.fresh()
    family.model.config.text_config.sliding_window = 1024
    for layer in family.model.model.language_model.layers:
        if layer.self_attn.sliding_window is not None:
            layer.self_attn.sliding_window = 1024
    return family


def test_tokens_are_those_of_plain_greedy_generation(family, family_images):
    if why_not_shared(family.model):
        pytest.skip(why_not_shared(family.model))
    family = wide(family)
    pictures = [family_images.open(name) for name, _ in ASKED]
    prompts = encode_groups(family.processor, grouped(ASKED, pictures))
    rows = iter(range(len(prompts.group)))
    for picture, (_, texts) in zip(pictures, ASKED, strict=True):
        for text in texts:
            alone = encode_prompts(family.processor, [Conversation.about(text, picture)])["input_ids"][0]
            assert torch.equal(prompts.ids(next(rows)), alone)
    assert prompts.prefix["input_ids"].shape[0] == len(ASKED)
    image_ids = {family.processor.tokenizer.convert_tokens_to_ids(str(family.processor.image_token))}
    assert not image_ids & set(prompts.suffix_ids.flatten().tolist())  # pictures are in the prefix, all of them
    assert [row.tolist() for row in greedy(family.model, prompts, TOKENS)] == one_by_one(family, family_images)


def test_the_vlm_answers_the_same_with_and_without_sharing(family, family_images):
    queries = [
        Query(id=f"{name}|{n}", sample_id=name, kind=Kind.PLAIN, shot=n, text=text, image=name, unsafe=True)
        for name, texts in ASKED
        for n, text in enumerate(texts)
    ]
    if family.name != "paligemma":  # which takes no query without a picture
        queries += [replace(query, id=f"text|{query.id}", image=None) for query in queries[:3]]

    def answers(**settings):
        config = GenerationConfig(max_new_tokens=TOKENS, **settings)
        return {one.query_id: one for one in family.vlm.answer(queries, family_images, config)}

    shared = answers()
    assert set(shared) == {query.id for query in queries}
    assert not any(isinstance(one, Failure) for one in shared.values())
    assert shared == answers(share_prefix=False, batch_size=1) == answers(batch_size=3)
    ends = end_ids(family.model)
    for query, ids in zip(queries, one_by_one(family, family_images), strict=False):
        kept = list(itertools.takewhile(lambda token: token not in ends, ids))
        text = family.processor.tokenizer.decode(kept, skip_special_tokens=True).strip()
        assert (shared[query.id].text, shared[query.id].tokens) == (text, len(kept))


def test_families_that_do_not_share_say_why(family):
    reason = why_not_shared(family.model)
    assert (reason != "") is (family.name in ("paligemma", "mllama"))


@pytest.mark.parametrize("family", ["llava-1.5"], indirect=True)
def test_a_repetition_penalty_of_the_model_s_own_settings_counts(family, family_images):
    penal = family.fresh()
    penal.model.generation_config.repetition_penalty = 1.3
    pictures = [family_images.open(name) for name, _ in ASKED]
    prompts = encode_groups(penal.processor, grouped(ASKED, pictures))
    expected = one_by_one(penal, family_images)
    assert expected != one_by_one(family, family_images)
    assert [row.tolist() for row in greedy(penal.model, prompts, TOKENS)] == expected


@pytest.mark.parametrize("family", ["llava-1.5"], indirect=True)
def test_other_settings_that_change_greedy_answers_go_through_the_library(family):
    other = family.fresh()
    other.model.generation_config.no_repeat_ngram_size = 3
    assert why_not_shared(other.model) == "its generation settings have no_repeat_ngram_size=3"


def test_where_attention_has_a_window_is_known(family):
    reach = {"gemma3": 16, "gemma3n": 512, "gemma4": 512, "cohere2-vision": 512, "llama4": 1024}
    assert attention_reach(family.model) == reach.get(family.name)


def test_memory_that_runs_out_halves_the_batch_and_loses_no_row(tiny, monkeypatch):
    vlm = tiny.load()
    asked = []

    def tight(model, prompts, tokens, sampling):
        asked.append(len(prompts.group))
        if len(prompts.group) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return greedy(model, prompts, tokens)

    queries = [
        Query(id=f"{s.id}|{n}", sample_id=s.id, kind=Kind.PLAIN, shot=n, text=text, image=s.image, unsafe=True)
        for s in tiny.samples("test")[:9]
        for n, text in enumerate((s.query, f"Well, {s.query}"))
    ]
    config = GenerationConfig(max_new_tokens=4)
    calm = {
        one.query_id: one
        for one in HuggingFaceVLM("tiny", vlm.model, vlm.processor).answer(queries, tiny.images, config)
    }
    monkeypatch.setattr("unmirage.models.decoding.greedy", tight)
    found = list(vlm.answer(queries, tiny.images, config))
    assert {one.query_id: one for one in found} == calm
    assert len(found) == len(queries)
    assert asked[0] > 3
    assert max(asked[-4:]) <= 3


def test_a_single_query_that_does_not_fit_is_a_failure(tiny, monkeypatch):
    def never(model, prompts, tokens, sampling):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("unmirage.models.decoding.greedy", never)
    sample = tiny.samples("test")[0]
    query = Query(id="q", sample_id="s", kind=Kind.PLAIN, shot=0, text="What?", image=sample.image, unsafe=True)
    found = list(tiny.load().answer([query], tiny.images, GenerationConfig()))
    assert found == [Failure(query_id="q", model="tiny", reason="out of memory with a batch of one query")]


def _question() -> Query:
    return Query(id="q", sample_id="s", kind=Kind.PLAIN, shot=0, text="What?", image=None, unsafe=True)


def test_a_failing_loop_is_replaced_by_the_librarys_and_named_once(tiny, monkeypatch, caplog):
    asked = []

    def broken(model, prompts, tokens, sampling):
        asked.append(len(prompts.group))
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    queries = [
        Query(id=f"{s.id}|{n}", sample_id=s.id, kind=Kind.PLAIN, shot=n, text=text, image=s.image, unsafe=True)
        for s in tiny.samples("test")[:3]
        for n, text in enumerate((s.query, f"Well, {s.query}"))
    ]
    config = GenerationConfig(max_new_tokens=4, batch_size=4)
    right = {one.query_id: one for one in tiny.load().answer(queries, tiny.images, config)}
    monkeypatch.setattr("unmirage.models.decoding.greedy", broken)
    vlm = tiny.load()
    found = list(vlm.answer(queries, tiny.images, config))
    assert {one.query_id: one for one in found} == right
    assert len(found) == len(queries)
    assert len(asked) == 1
    lines = [line for line in caplog.messages if "the library's own loop" in line]
    assert len(lines) == 1
    assert "(RuntimeError: mat1 and mat2 shapes cannot be multiplied)" in lines[0]


def test_what_fails_in_both_loops_is_one_line(tiny, monkeypatch):
    def broken(*_, **__):
        raise IndexError("list index out of range")

    vlm = tiny.load()
    monkeypatch.setattr("unmirage.models.decoding.greedy", broken)
    monkeypatch.setattr(type(vlm.model), "generate", broken)
    match = r"generation fails for its type 'llava': IndexError: list index out of range"
    with pytest.raises(UserError, match=match):
        list(vlm.answer([_question()], tiny.images, GenerationConfig()))


def test_an_untested_type_is_compared_with_the_library_first(tiny, monkeypatch, caplog):
    def other(model, prompts, tokens, sampling):
        return [row + 1 for row in greedy(model, prompts, tokens, sampling)]

    config = GenerationConfig(max_new_tokens=4)
    right = list(tiny.load().answer([_question()], tiny.images, config))
    monkeypatch.setattr("unmirage.models.decoding.greedy", other)
    wrong = list(tiny.load().answer([_question()], tiny.images, config))
    assert wrong != right
    monkeypatch.setattr("unmirage.models.untested.TESTED", frozenset())
    vlm = tiny.load()
    assert list(vlm.answer([_question()], tiny.images, config)) == right
    assert sum("model type 'llava' is not among those" in line for line in caplog.messages) <= 1
    assert sum("its tokens differ" in line for line in caplog.messages) == 1
