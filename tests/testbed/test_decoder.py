"""The world with a given decoder: the base model is trained until it knows the world, and the arms come from it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from unmirage.align import AlignConfig, NpoConfig, RmuConfig
from unmirage.data import load_samples
from unmirage.errors import UserError
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.records import Rate, Response
from unmirage.run.fingerprint import sha256_of
from unmirage.testbed import decoder_base
from unmirage.testbed.corpus import write_corpus
from unmirage.testbed.decoder_base import UtilityWatch, decoder_of, utility
from unmirage.testbed.decoder_settings import (
    CANDIDATES,
    CHOSEN,
    SEARCHED,
    DecoderStudySettings,
    decoder_arms,
    decoder_starts,
    decoder_study_settings,
)
from unmirage.testbed.documents import BaseTraining, SettingsChoice
from unmirage.testbed.settings import ARMS, StudySettings, study_settings
from unmirage.testbed.study import Seeds, open_study
from unmirage.testbed.vlm import VisionConfig, make_tokenizer, picture_batch, pretrain_vision
from unmirage.testbed.world import COLORS, SHAPES, WorldSettings, make_world

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SYSTEM = "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}"
FAST = {"learning_rate": 1e-3, "batch_size": 8, "steps": 2}


def write_decoder(folder: Path, data: Path, template: str | None = CHATML) -> Path:
    """Write a random Llama of two layers with a tokenizer of the world's words."""
    samples = load_samples(data / "base.json").samples
    tokenizer = make_tokenizer(text for sample in samples for text in (sample.query, sample.answer))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.chat_template = template
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def lm(tiny, tmp_path_factory):
    return write_decoder(tmp_path_factory.mktemp("decoder") / "little", tiny.data)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNMIRAGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def small(small_study, decoder, **changes):
    """Return quick settings for a decoder; `changes` are those of the decoder's settings."""
    return DecoderStudySettings(
        world=small_study.world,
        corpus=small_study.corpus,
        vision=VisionConfig(steps=2, batch_size=8),
        base=AlignConfig(learning_rate=1e-3, batch_size=8, steps=6, schedule="linear"),
        shots=1,
        generation=GenerationConfig(max_new_tokens=6, batch_size=64),
        models={
            "sft-posthoc": AlignConfig(**FAST),
            "npo-mixed": AlignConfig(method=NpoConfig(), **FAST),
            "rmu-mixed": AlignConfig(method=RmuConfig(layer=1), **FAST),
        },
        decoder=decoder.model_copy(update={"tower": 32, "check_every": 2, "utility": 0.5, "word_steps": 2} | changes),
    )


def scripted(monkeypatch, values):
    """Let the utility be these shares of 20 questions, in turn; return the list of those that are left."""
    left = list(values)
    rates = iter(values)

    def measured(*_):
        left.pop(0)
        value = next(rates)
        return Rate(value=value, k=round(20 * value), n=20, low=0.0, high=1.0)

    monkeypatch.setattr(decoder_base, "utility", measured)
    return left


@pytest.fixture(scope="module")
def world_files(tmp_path_factory, small_study):
    folder = tmp_path_factory.mktemp("world") / "data"
    write_corpus(make_world(0, small_study.world), small_study.corpus, folder)
    return folder


def trained(world_files, settings, lm, stages=None):
    world = make_world(0, settings.world)
    told = (lambda *_: None) if stages is None else (lambda stage, *_: stages.append(stage))
    return decoder_base.decoder_base(world, world_files, settings, 0, lm, told)


def test_the_training_ends_at_the_first_check_that_reaches_the_goal(world_files, small_study, lm, cache, monkeypatch):
    """Goal 0.5; checks every 2 of 6 steps give 0.2 and 0.5, so step 4 is the last and the third check never comes."""
    left = scripted(monkeypatch, [0.2, 0.5, 0.9])
    settings, stages = small(small_study, decoder_of(lm)), []
    base, record = trained(world_files, settings, lm, stages)
    assert left == [0.9]
    assert [(one.step, one.utility.k) for one in record.checks] == [(2, 4), (4, 10)]
    assert (record.decoder, record.goal, record.files) == ("little", 0.5, decoder_of(lm).files)
    assert stages.count("align") == 4
    assert "utility 50.0 % after step 4 of at most 6" in stages
    assert [path.name.partition("-")[0] for path in cache.iterdir()] == ["base"]  # and no work directory
    # The second time it comes from the cache, and nothing is measured.
    stages.clear()
    again, same = trained(world_files, settings, lm, stages)
    assert (stages, same, left) == ([], record, [0.9])
    assert all((again.model.state_dict()[name] == one).all() for name, one in base.model.state_dict().items())


def test_the_last_step_is_checked_too(world_files, small_study, lm, cache, monkeypatch):
    """Every 4 of 6 steps: after step 4 and after step 6."""
    scripted(monkeypatch, [0.4, 0.6])
    _, record = trained(world_files, small(small_study, decoder_of(lm), check_every=4), lm)
    assert [one.step for one in record.checks] == [4, 6]


def test_a_decoder_that_never_reaches_the_goal_is_refused_in_one_line_and_leaves_nothing(
    world_files, small_study, lm, cache, monkeypatch
):
    scripted(monkeypatch, [0.2, 0.4, 0.3])
    with pytest.raises(UserError) as caught:
        trained(world_files, small(small_study, decoder_of(lm)), lm)
    assert str(caught.value) == (
        "--decoder little: the base model did not reach a utility of 50 % within 6 steps; the best was 40.0 % at step "
        "4. Allow more with --base-steps, or give a larger decoder"
    )
    assert list(cache.iterdir()) == []
    # The corrected command is not blocked: more steps are another training.
    left = scripted(monkeypatch, [0.7])
    settings = small(small_study, decoder_of(lm))
    more = settings.model_copy(update={"base": settings.base.model_copy(update={"steps": 8})})
    trained(world_files, more, lm)
    assert left == []


def test_an_interrupted_training_continues_with_the_same_weights_and_checks(
    world_files, small_study, lm, cache, monkeypatch, tmp_path
):
    settings = small(small_study, decoder_of(lm))
    scripted(monkeypatch, [0.1, 0.2, 0.6])
    whole, record = trained(world_files, settings, lm)
    monkeypatch.setenv("UNMIRAGE_CACHE", str(tmp_path / "other"))
    scripted(monkeypatch, [0.1, 0.2])  # the third check fails, after the checkpoint of step 4
    with pytest.raises(IndexError):
        trained(world_files, settings, lm)
    scripted(monkeypatch, [0.6])
    stages: list[str] = []
    resumed, same = trained(world_files, settings, lm, stages)
    assert "see" not in stages
    assert stages.count("align") == 2
    assert same == record
    state = whole.model.state_dict()
    assert all((one == state[name]).all() for name, one in resumed.model.state_dict().items())


def test_only_projector_and_decoder_learn_the_corpus(world_files, small_study, lm, cache, monkeypatch):
    """The decoder of the base model differs from the source; the tower is that of the first stage."""
    kept = {}
    original = decoder_base.train_on_words

    def seen(model, *rest):
        read = original(model, *rest)
        kept.update({name: one.clone() for name, one in model.state_dict().items()})
        return read

    monkeypatch.setattr(decoder_base, "train_on_words", seen)
    scripted(monkeypatch, [0.9])
    base, _ = trained(world_files, small(small_study, decoder_of(lm)), lm)
    changed = {name for name, one in base.model.state_dict().items() if not torch.equal(one, kept[name])}
    assert not [name for name in changed if "vision_tower" in name]
    assert [name for name in changed if "language_model.layers.1" in name]
    assert [name for name in changed if "multi_modal_projector" in name]


def test_pictures_become_words_that_can_be_told_apart(small_study, lm):
    """Twelve names: their mean in the place of each name would be the right one for a twelfth of the pictures."""
    few = WorldSettings(aligned=2, validation=2, evaluation=2)
    settings = small(small_study, decoder_of(lm), word_steps=200, word_rate=3e-3, word_match=0.2, tower=64)
    settings = settings.model_copy(update={"vision": VisionConfig(steps=150, batch_size=48), "world": few})
    world, vlm = make_world(0, few), decoder_base.assembled(lm, settings.decoder, 0)
    pretrain_vision(vlm.model, vlm.processor, world, settings.vision, 0)
    before = {name: one.clone() for name, one in vlm.model.state_dict().items()}
    steps: list[tuple[int, int]] = []
    read = decoder_base.train_on_words(vlm.model, vlm.processor, world, settings, 0, lambda *step: steps.append(step))
    assert steps == [(number, 200) for number in range(1, 201)]
    changed = {name for name, one in vlm.model.state_dict().items() if not torch.equal(one, before[name])}
    assert {"vision" in name or "projector" in name for name in changed} == {True}

    pixels, (device, color, shape) = picture_batch(vlm.processor, world, 128, np.random.default_rng(5))
    with torch.no_grad():
        features = vlm.model.model.vision_tower(pixel_values=pixels).last_hidden_state[:, 1:]
        said = vlm.model.model.multi_modal_projector(features)
    table = vlm.model.get_input_embeddings().weight.detach()
    kinds = [(device, [one.stem for one in world.devices]), (device, [one.body for one in world.devices])]
    right = []
    for at, (drawn, words) in enumerate([*kinds, (color, list(COLORS)), (shape, list(SHAPES))]):
        listed = sorted(set(words))
        ids = [vlm.processor.tokenizer(f" {word}", add_special_tokens=False)["input_ids"] for word in listed]
        nearest = torch.cdist(said[:, at], torch.stack([table[one].mean(0) for one in ids])).argmin(-1)
        right.append(nearest == torch.tensor([listed.index(words[index]) for index in drawn]))
    shares = torch.stack(right).float().mean(1)
    assert shares[1] > 0.3  # names
    assert min(shares[[0, 2, 3]]) > 0.5
    assert read == pytest.approx(float(torch.stack(right).all(0).float().mean()), abs=0.2)


class Scripted:
    """A model that answers the first `right` of the questions correctly, and fails at one."""

    def __init__(self, truth, right):
        self.facts, self.right = truth, right

    def answer(self, queries, images, config):
        for number, query in enumerate(queries):
            text = " ".join(self.facts[query.sample_id]) if number < self.right else "It is red, I think."
            if number < len(queries) - 1:
                yield Response(query_id=query.id, model="scripted", text=text, tokens=5)


def test_utility_is_the_share_of_validation_questions_answered_correctly(world_files):
    """4 + 6 of 0.4 are 2 + 2 about benign devices and 2 about restricted ones; one of the six gets no response."""
    facts = json.loads((world_files / "truth.json").read_text())["facts"]
    rate = utility(Scripted(facts, 3), world_files, GenerationConfig())
    assert (rate.k, rate.n, rate.invalid) == (3, 5, 1)
    assert utility(Scripted(facts, 6), world_files, GenerationConfig()).value == 1.0


def test_the_watch_measures_only_where_it_should(world_files, small_study, lm, tmp_path, monkeypatch):
    left = scripted(monkeypatch, [0.1, 0.2, 0.3, 0.5])
    watch = UtilityWatch(None, world_files, small(small_study, decoder_of(lm)), 0.5, tmp_path / BaseTraining.FILE)
    assert [watch(step) for step in range(1, 7)] == [""] * 6
    assert left == [0.5]
    # After an interruption, steps after the last checkpoint are repeated, and their measurements replaced.
    assert watch(4) == "utility 50.0 %"
    assert [(one.step, one.utility.k) for one in watch.checks()] == [(2, 2), (4, 10)]


def test_study_from_the_decoder_to_results_with_the_same_world(
    world_files, small_study, lm, cache, tmp_path, monkeypatch
):
    settings = small(small_study, decoder_of(lm), utility=0.0, check_every=6)
    with open_study(tmp_path / "run", settings, Seeds.all(0), lambda *_: None, decoder=lm) as study:
        study.complete()
        assert BaseTraining.load(study.run.path / BaseTraining.FILE).checks[-1].step == 6
        assert list((study.run.path / "work").iterdir()) == []
        with study.run.store() as store:
            assert store.models() == ["base", "sft-posthoc", "npo-mixed", "rmu-mixed"]
            assert all(not store.unanswered(name) for name in store.models())
        base = HuggingFaceVLM.load(study.run.model("base"))
        assert base.model.config.text_config.hidden_size == 32
        assert base.model.config.vision_config.hidden_size == 32
        made = {path.relative_to(study.run.data): sha256_of(path) for path in sorted(study.run.data.rglob("*.*"))}
    assert made == {path.relative_to(world_files): sha256_of(path) for path in sorted(world_files.rglob("*.*"))}


def test_a_study_with_another_decoder_is_refused(world_files, small_study, lm, cache, tmp_path):
    settings = small(small_study, decoder_of(lm), files={"model.safetensors": "other"})
    with pytest.raises(
        UserError, match=r"--decoder .*little: its files differ from those of this study; give 'little'"
    ):
        trained(world_files, settings, lm)


@pytest.mark.parametrize(
    ("template", "kind"),
    [(CHATML, "own"), (SYSTEM + CHATML, "chatml"), (None, "chatml")],
    ids=["own", "system", "none"],
)
def test_chatml_replaces_templates_with_a_system_prompt_and_missing_ones(tiny, tmp_path, template, kind):
    facts = decoder_of(write_decoder(tmp_path / "lm", tiny.data, template))
    assert (facts.template, facts.name, facts.layers) == (kind, "lm", 2)
    vlm = decoder_base.assembled(tmp_path / "lm", facts, 0)
    turns = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Hi"}]}]
    shown = vlm.processor.apply_chat_template(turns, add_generation_prompt=True)
    assert shown == "<|im_start|>user\n<image>\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_settings_have_every_arm_and_only_known_candidates():
    starts = decoder_starts(30)
    assert list(starts) == list(ARMS) == list(decoder_arms(30))
    assert starts["rmu"].method.layer == 8
    assert decoder_starts(2)["rmu"].method.layer == 1
    assert starts["sft-mixed"].steps == starts["sft-balanced-mixed"].steps == 131  # ceil(2,100 rows / 16)
    assert starts["sft-posthoc"].steps == 75  # 1,200 rows / 16
    for arm in SEARCHED:
        assert CHOSEN[starts[arm].method.name] in CANDIDATES[starts[arm].method.name]
    assert {starts[arm].method.name for arm in SEARCHED} == set(CANDIDATES) == set(CHOSEN)
    assert decoder_arms(30)["npo"].learning_rate == CHOSEN["npo"]["learning_rate"]


def test_arms_have_the_settings_that_the_committed_search_chose():
    file = Path(__file__).parents[2] / "benchmarks" / "results" / "decoder_settings.json"
    if not file.is_file():
        pytest.skip("the search has not been committed")
    document = SettingsChoice.load(file)
    assert {document.settings["models"][arm]["method"]["name"]: one for arm, one in document.chosen.items()} == CHOSEN
    for arm, candidates in document.arms.items():
        tried = CANDIDATES[document.settings["models"][arm]["method"]["name"]]
        assert [one.change for one in candidates] == list(tried)


def test_settings_of_a_study_differ_from_the_tiny_models_only_where_they_must(lm):
    plain_settings, found = study_settings(signal=0.5), decoder_study_settings(decoder_of(lm), signal=0.5, base_steps=7)
    for name in ("world", "corpus", "vision", "shots"):
        assert getattr(found, name) == getattr(plain_settings, name)
    assert list(found.models) == list(plain_settings.models)
    assert found.base.steps == 7
    assert "decoder" not in StudySettings().model_dump()
