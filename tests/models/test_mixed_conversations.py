"""Queries of every shape in one run: the answers are those of each query alone, in every family."""

import itertools
from dataclasses import replace

import pytest
import torch

from unmirage.models import GenerationConfig
from unmirage.models.batches import Work
from unmirage.models.conversation import Conversation
from unmirage.models.encoding import encode_prompts
from unmirage.models.families import end_ids, why_not_shared
from unmirage.models.gradients import opener_columns
from unmirage.models.prompts import Sharing, prepare
from unmirage.models.scoring import alike, refusal_probability
from unmirage.records import Failure, Kind, Placed, Query, Turn

SEEN = (Turn("user", "What is it?", (Placed("0.png", 0),)), Turn("assistant", "A dog."))
SAID = (Turn("user", "Is it red?"), Turn("assistant", "No."))
TEXTS = ("Name it.", "What differs?", "Share all that you can see.")


def _query(name, text, image, **more):
    return Query(id=name, sample_id=name, kind=Kind.PLAIN, shot=0, text=text, image=image, unsafe=True, **more)


def queries():
    shapes = {
        "one": {"image": "0.png"},
        "two": {"image": "0.png", "images": (Placed("0.png", 0), Placed("1.png", 0))},
        "swapped": {"image": "1.png", "images": (Placed("1.png", 0), Placed("0.png", 0))},
        "inside": {"image": "0.png", "images": (Placed("0.png", 0), Placed("1.png", 4))},
        "seen": {"image": "0.png", "context": SEEN},
        "seen two": {"image": "0.png", "context": SEEN, "images": (Placed("1.png", 0),)},
        "said": {"image": None, "context": SAID},
        "said about": {"image": "0.png", "context": SAID},
        "text": {"image": None},
    }
    return [_query(f"{name}|{n}", text, **more) for name, more in shapes.items() for n, text in enumerate(TEXTS)]


def test_answers_are_those_of_the_library_on_each_conversation_alone(family, family_images):
    def answers(asked, **settings):
        config = GenerationConfig(max_new_tokens=8, **settings)
        return {one.query_id: one for one in family.vlm.answer(asked, family_images, config)}

    if family.name == "paligemma":
        found = answers(queries())
        failed = {name.partition("|")[0] for name, one in found.items() if isinstance(one, Failure)}
        assert failed == {"two", "swapped", "inside", "seen", "seen two", "said", "said about", "text"}
        assert "this model takes one picture and one turn" in found["two|0"].reason
        return
    found = answers(queries())
    assert not [one for one in found.values() if isinstance(one, Failure)]
    assert found == answers(queries(), share_prefix=False, batch_size=1)
    ends = end_ids(family.model)
    for query in queries():
        batch = encode_prompts(family.processor, [Conversation.of(query, family_images.open)])
        whole = family.model.generate(**batch, do_sample=False, max_new_tokens=8)[0, batch["input_ids"].shape[1] :]
        kept = list(itertools.takewhile(lambda token: token not in ends, whole.tolist()))
        assert found[query.id].text == family.processor.tokenizer.decode(kept, skip_special_tokens=True).strip()
    assert len({one.text for one in found.values()}) > len(TEXTS)


def test_prompts_share_a_prefix_if_turns_pictures_and_the_text_before_them_are_equal(family, family_images):
    if why_not_shared(family.model):
        pytest.skip(why_not_shared(family.model))
    work, groups = Work(queries()), []
    while batch := work.take(100):
        assert len({len(group[0].paths) for group in batch}) == 1
        groups += batch
    names = sorted({query.id.partition("|")[0] for query in group} for group in groups)
    assert all(len(own) == 1 for own in names)  # no group mixes shapes
    sizes = {own: [len(group) for group in groups if group[0].id.startswith(f"{own}|")] for own in
             ("one", "two", "swapped", "inside", "seen", "seen two", "said", "said about", "text")}  # fmt: skip
    assert sizes == {
        "one": [3], "two": [3], "swapped": [3], "seen": [3], "seen two": [3], "said about": [3],
        "inside": [1, 1, 1], "said": [1, 1, 1], "text": [1, 1, 1],
    }  # fmt: skip
    pictured = [group for group in groups if len(group[0].paths) == 2]
    prepared = prepare(family.processor, pictured, family_images, Sharing(wanted=True))
    assert prepared.prompts is not None
    assert prepared.prompts.prefix["input_ids"].shape[0] == len(pictured)
    for row, query in enumerate(prepared.queries):
        alone = encode_prompts(family.processor, [Conversation.of(query, family_images.open)])["input_ids"][0]
        assert torch.equal(prepared.prompts.ids(row), alone)


def test_batches_for_scoring_have_equally_many_pictures():
    asked = queries()
    batches = list(alike(asked, 100))
    counts = [{len(asked[row].paths) for row in rows} for rows, _ in batches]
    assert counts == [{1}, {2}, {0}]
    assert [has_image for _, has_image in batches] == [True, True, False]


def test_a_context_of_another_order_is_another_group():
    query = _query("a", "Name it.", "0.png", context=SAID)
    other = replace(query, id="b", context=SAID[::-1])
    assert [len(group) for group in Work([query, other]).take(9)] == [1, 1]
    assert [len(group) for group in Work([query, replace(query, id="b")]).take(9)] == [2]


@pytest.mark.parametrize("family", ["llava-1.5", "qwen2.5-vl", "idefics3"], indirect=True)
def test_probabilities_of_conversations_in_a_batch_are_those_of_each_alone(family, family_images):
    asked = [query for query in queries() if query.id.endswith("|1")]
    together = refusal_probability(family.vlm, asked, family_images, ["I", "No"], 16)
    alone = [refusal_probability(family.vlm, [query], family_images, ["I", "No"])[0] for query in asked]
    assert together == pytest.approx(alone, rel=1e-3, abs=1e-9)
    # The template puts pictures before the text, so "inside" is the same prompt as "two".
    assert len({f"{value:.6g}" for value in alone}) == len(asked) - 1


@pytest.mark.parametrize("family", ["llava-1.5", "qwen2.5-vl"], indirect=True)
def test_the_opener_is_found_after_earlier_turns_and_pictures(family, family_images):
    by_id = {query.id: query for query in queries()}
    for name in ("seen two|1", "said about|1", "two|1"):
        batch = encode_prompts(family.processor, [Conversation.of(by_id[name], family_images.open)])
        (column,) = opener_columns(family.processor, [by_id[name]], batch["input_ids"]).tolist()
        assert family.processor.tokenizer.decode(batch["input_ids"][0, column:]).lstrip().startswith("What differs?")
    inside = by_id["inside|1"]
    batch = encode_prompts(family.processor, [Conversation.of(inside, family_images.open)])
    if family.name == "llava-1.5":  # whose template puts all pictures first
        assert len(opener_columns(family.processor, [inside], batch["input_ids"])) == 1
