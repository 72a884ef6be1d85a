"""Every variant is made, asked and recorded; what has answered is passed over; another one is refused its name."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from unmirage.attack import plain
from unmirage.errors import UserError
from unmirage.evaluate import PhraseJudge
from unmirage.evaluate.robustness import (
    RelearnConfig,
    RelearnData,
    Stress,
    in_drawn_order,
    plan_variants,
    relearn,
    round_to_int8,
    run_stress,
)
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.records import Placed, Turn
from unmirage.run import Store

FAST = RelearnConfig(learning_rate=3e-3, batch_size=4, steps=4)
CONFIG = GenerationConfig(max_new_tokens=5, batch_size=16)
MADE_OF = {"model.safetensors": "abc"}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def store(tiny, tmp_path) -> Iterator[Store]:
    with Store(tmp_path / "store.sqlite") as store:
        store.add_queries(plain(tiny.samples("test"))[:10])
        yield store


@pytest.fixture
def loaded():
    return []


@pytest.fixture
def stress(tiny, loaded) -> Stress:
    def load(name):
        loaded.append(name)
        return HuggingFaceVLM.load(tiny.model, name)

    samples = in_drawn_order(tiny.samples("base"), 0)
    return Stress(
        of="m",
        variants=plan_variants("m", relearn=("forget",), samples=(0, 2, 4), int8=True, temperatures=(1.0,)),
        load=load,
        data={"forget": RelearnData(samples=samples, images=tiny.images)},
        relearning=FAST,
        images=tiny.images,
        generation=CONFIG,
    )


def quiet(*_):
    pass


def answers(store, name):
    return {one.query_id: one.text for one in store.responses(name)}


def test_every_variant_answers_as_it_does_when_it_is_made_by_hand(stress, store, tiny, loaded):
    stages = []
    assert run_stress(stress, store, MADE_OF, lambda *told: stages.append(told)) == 0
    names = ["m", "m + int8", "m + temperature 1", "m + forget 2", "m + forget 4"]
    assert store.models() == loaded == names
    assert store.variants() == {one.model: one for one in stress.variants}
    assert ("m + forget 2: align", 4, 4) in stages
    assert ("m + int8: ask", 10, 10) in stages

    def asked(vlm, config=CONFIG):
        return {one.query_id: one.text for one in vlm.answer(store.queries(), tiny.images, config)}

    assert answers(store, "m") == asked(tiny.load())
    rounded = tiny.load()
    round_to_int8(rounded.model)
    assert answers(store, "m + int8") == asked(rounded)
    warm = CONFIG.model_copy(update={"temperature": 1.0})
    assert answers(store, "m + temperature 1") == asked(tiny.load(), warm) != answers(store, "m")
    tuned = tiny.load()
    relearn(tuned, stress.data["forget"].samples[:2], tiny.images, FAST)
    assert answers(store, "m + forget 2") == asked(tuned) != answers(store, "m")
    assert answers(store, "m + forget 4") != answers(store, "m + forget 2")


def test_what_has_answered_is_passed_over_and_what_was_broken_off_gets_the_same_answers(
    stress, store, loaded, tmp_path
):
    stress = replace(stress, variants=stress.variants[2:3])
    run_stress(stress, store, MADE_OF, quiet)
    before, seen = answers(store, "m + forget 2"), list(loaded)
    assert run_stress(stress, store, MADE_OF, quiet) == 0
    assert loaded == seen
    import sqlite3

    with sqlite3.connect(tmp_path / "store.sqlite") as database:
        database.execute("DELETE FROM responses WHERE model = 'm + forget 2' AND rowid % 2")
    assert 0 < len(answers(store, "m + forget 2")) < 10
    run_stress(stress, store, MADE_OF, quiet)
    assert loaded == [*seen, "m + forget 2"]
    assert answers(store, "m + forget 2") == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"relearning": FAST.model_copy(update={"learning_rate": 1e-4})},
            "relearn.learning_rate: was 0.003, now 0.0001",
        ),
        ({"relearning": FAST.model_copy(update={"seed": 1})}, "relearn.seed: was 0, now 1"),
        ({"data": "others"}, "samples: was"),
    ],
)
def test_other_settings_under_the_same_name_are_refused_before_anything_is_trained(
    stress, store, loaded, tiny, change, message
):
    stress = replace(stress, variants=stress.variants[2:3])
    run_stress(stress, store, MADE_OF, quiet)
    if change == {"data": "others"}:
        other = RelearnData(samples=stress.data["forget"].samples[5:], images=tiny.images)
        change = {"data": {"forget": other}}
    seen = list(loaded)
    with pytest.raises(UserError, match=f"another model has responded as 'm \\+ forget 2' .*{message}"):
        run_stress(replace(stress, **change), store, MADE_OF, quiet)
    with pytest.raises(UserError, match="another model has responded as 'm'"):
        run_stress(stress, store, {"model.safetensors": "def"}, quiet)
    assert loaded == seen


def test_only_the_queries_named_are_asked(stress, store):
    stress = replace(stress, variants=(), queries=store.queries()[:3])
    assert len(stress.missing(store, "m")) == 3
    assert run_stress(stress, store, MADE_OF, quiet) == 0
    assert set(answers(store, "m")) == {query.id for query in store.queries()[:3]}


def test_with_a_judge_no_shot_is_asked_after_a_success(stress, store, tiny):
    from unmirage.attack import plan_queries
    from unmirage.attack.plan import AttackConfig

    store.add_queries(plan_queries(tiny.samples("test"), AttackConfig(shots=3)))

    class NoScreen(PhraseJudge):
        reads_all = True  # this model says little more than punctuation

    stress = replace(stress, variants=stress.variants[:1], until=NoScreen())
    assert run_stress(stress, store, MADE_OF, quiet) == 0
    # Whatever this model says is no refusal, so that the first shot succeeds.
    assert {q.shot for q in store.queries() if q.unsafe and q.id in answers(store, "m + int8")} == {0}
    assert len(store.unanswered("m + int8")) > 0


def test_a_model_without_its_adapter_is_loaded_from_its_base(stress, store, tiny, loaded):
    stress = replace(
        stress,
        variants=plan_variants("m", no_adapter=True),
        load_base=lambda name: (loaded.append(f"base of {name}"), HuggingFaceVLM.load(tiny.model, name))[1],
    )
    run_stress(stress, store, MADE_OF, quiet)
    assert loaded == ["m", "base of m + no adapter"]
    assert answers(store, "m + no adapter") == answers(store, "m")


def test_a_fine_tuned_model_is_kept_where_it_is_asked_for(stress, store, tmp_path):
    stress = replace(stress, variants=stress.variants[2:3], keep=tmp_path / "kept")
    run_stress(stress, store, MADE_OF, quiet)
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["m-forget-2"]
    again = HuggingFaceVLM.load(tmp_path / "kept" / "m-forget-2", "again")
    found = {one.query_id: one.text for one in again.answer(store.queries(), stress.images, CONFIG)}
    assert found == answers(store, "m + forget 2")


def test_answers_that_could_not_be_had_are_counted(stress, store):
    class Silent:
        name = "m"

        def answer(self, queries, images, config):
            from unmirage.records import Failure

            return (Failure(query_id=query.id, model="m", reason="no") for query in queries)

    silent = replace(stress, variants=(), load=lambda name: Silent())
    assert run_stress(silent, store, MADE_OF, quiet) == 10


def test_the_identity_of_fine_tuning_data_holds_turns_and_pictures(tiny):
    from unmirage.evaluate.robustness.stress import _digest

    (plain,) = tiny.samples("base")[:1]
    told = json.dumps([plain.query, plain.answer, plain.image])
    assert _digest([plain]) == hashlib.sha256(told.encode()).hexdigest()[:16]  # as older runs have it
    others = [
        replace(plain, context=(Turn("system", "Be kind."),)),
        replace(plain, context=(Turn("user", "Be kind."),)),
        replace(plain, images=(Placed("0.png", 4),)),
        replace(plain, images=(Placed("0.png", 5),)),
    ]
    assert len({_digest([one]) for one in (plain, *others)}) == 5
