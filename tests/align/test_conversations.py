"""Training on earlier turns and several pictures: what the dry run shows, cached features, keys and errors."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import Any

import pytest
from tests.models.conftest import family_images  # noqa: F401
from tests.models.test_conversations import HUB
from tests.models.tiny_families import FAMILIES

from unmirage.align import AlignConfig, AlignData, NpoConfig, SftConfig, align
from unmirage.align.dataset import EncodedSamples
from unmirage.align.estimate.run import estimate
from unmirage.align.reference_cache import key_of
from unmirage.cli.align_dry_run import rendered
from unmirage.data import ImageFolder
from unmirage.errors import UserError
from unmirage.models import HuggingFaceVLM
from unmirage.records import Placed, Sample, Turn
from unmirage.run.fingerprint import hashed_fields

RULES = Turn("system", "Be kind.")
SEEN = (Turn("user", "What is it?", (Placed("0.png", 0),)), Turn("assistant", "A dog."))
IMAGE = {"type": "image"}


def sample(name: str, query: str, answer: str, image: str | None = None, **more: Any) -> Sample:
    return Sample(
        id=name, record=name, query=query, answer=answer, image=image, refused=False, label_source="field", **more
    )


ROWS = [
    sample("system", "Name it.", "Red.", "0.png", context=(RULES,)),
    sample("turns", "Where is it?", "On the left.", "0.png", context=(RULES, *SEEN)),
    sample("two", "A: \nB: \nWhat differs?", "No.", "1.png", images=(Placed("1.png", 3), Placed("2.png", 7))),
]
TURNS = {
    "system": [("system", ["Be kind."]), ("user", [IMAGE, "Name it."]), ("assistant", ["Red."])],
    "turns": [
        ("system", ["Be kind."]), ("user", [IMAGE, "What is it?"]), ("assistant", ["A dog."]),
        ("user", ["Where is it?"]), ("assistant", ["On the left."]),
    ],
    "two": [("user", ["A: ", IMAGE, "\nB: ", IMAGE, "\nWhat differs?"]), ("assistant", ["No."])],
}  # fmt: skip


def vlm_of(kind: str) -> HuggingFaceVLM:
    model, processor = FAMILIES[kind]()
    processor.chat_template = HUB.get(kind, processor.chat_template)
    return HuggingFaceVLM(kind, model, processor)


@pytest.mark.parametrize("kind", HUB)
def test_the_dry_run_shows_the_template_on_the_whole_conversation(kind: str, family_images: ImageFolder) -> None:  # noqa: F811
    vlm = vlm_of(kind)
    plan = estimate(vlm, AlignData(retain=ROWS, images=family_images), AlignConfig(steps=1, batch_size=1))
    assert [one.sample_id for one in plan.samples] == list(TURNS)
    tokenizer, image_id = vlm.processor.tokenizer, vlm.processor.image_token_id
    for one, row in zip(plan.samples, ROWS, strict=True):
        turns = [
            {"role": role, "content": [{"type": "text", "text": p} if isinstance(p, str) else p for p in parts]}
            for role, parts in TURNS[one.sample_id]
        ]
        told = vlm.processor.apply_chat_template(turns)
        ids = vlm.processor(text=[told], images=[[family_images.open(path) for path in row.paths]])["input_ids"][0]
        whole = tokenizer.decode(ids)
        token = tokenizer.convert_ids_to_tokens(image_id)
        runs = re.sub(f"(?:{re.escape(token)})+", lambda run, token=token: f"<image ×{run[0].count(token)}>", whole)
        end = tokenizer.eos_token
        shown = one.text.replace("[[", "").replace("]]", "")
        assert shown.removesuffix(end).strip() == runs.strip().removesuffix(end).strip()
        (loss,) = re.findall(r"\[\[(.*)\]\]", one.text)
        assert loss.strip() == f"{row.answer}{end}"
        assert str(rendered(one, marks=True)).endswith(one.text)


@pytest.mark.parametrize("kind", ["llava-1.5", "llava-onevision", "internvl3", "idefics3", "gemma3"])
def test_kept_features_are_those_of_all_pictures_of_a_sample(kind: str, family_images: ImageFolder) -> None:  # noqa: F811
    own = (Turn("user", "Is it red?", (Placed("0.png", 0),)), Turn("assistant", "No."))
    two = (Placed("0.png", 0), Placed("1.png", 0))
    rows = [
        sample("one", "Name it.", "Red.", "0.png"),
        sample("two", "What differs?", "It is left.", "0.png", images=two),
        sample("swapped", "What differs?", "No.", "1.png", images=two[::-1]),
        sample("seen", "Share it.", "A wall.", "0.png", context=own, images=(Placed("1.png", 0),)),
    ]
    forget = [replace(one, id=f"f-{one.id}", answer="A device.") for one in rows]
    vlm = vlm_of(kind)
    firsts = EncodedSamples(rows, vlm.processor, family_images).first_shown(range(4))
    assert firsts == {0: 0, 1: 1, 2: 2, 3: 1}  # the pictures of "seen" are those of "two", in the same order
    found = []
    for kept in (False, True):
        one = HuggingFaceVLM(kind, copy.deepcopy(vlm.model), vlm.processor)
        config = AlignConfig(
            method=NpoConfig(loss_tokens="all"), batch_size=4, steps=2, learning_rate=1e-3, collapse_nats=None,
            optimizations={"cache_images": kept, "cache_reference": kept},
        )  # fmt: skip
        found.append(align(one, AlignData(retain=rows, forget=forget, images=family_images), config).parts)
    for plain, cached in zip(*found, strict=True):
        assert plain.keys() == cached.keys()
        assert all(abs(plain[part] - cached[part]) < 1e-3 * (abs(plain[part]) + 1e-2) for part in plain)


def test_the_key_of_the_caches_holds_turns_and_pictures(family_images: ImageFolder) -> None:  # noqa: F811
    vlm = vlm_of("llava-1.5")

    def key(*samples: Sample) -> str:
        streams: Any = {"retain": list(samples)}
        return key_of(vlm.model, vlm.processor, streams, family_images, AlignConfig(method=SftConfig()))

    plain = sample("a", "Name it.", "Red.", "0.png")
    keys = [
        key(plain),
        key(replace(plain, context=(RULES,))),
        key(replace(plain, context=SEEN)),
        key(replace(plain, images=(Placed("0.png", 8),))),
        key(replace(plain, images=(Placed("0.png", 0), Placed("1.png", 0)))),
        key(replace(plain, images=(Placed("0.png", 0), Placed("2.png", 0)))),
    ]
    assert len(set(keys)) == len(keys)


def test_the_key_of_ordinary_samples_is_that_of_older_versions() -> None:
    assert hashed_fields(sample("a", "Name it.", "Red.")) == {
        "id": "a", "record": "a", "query": "Name it.", "answer": "Red.", "image": None, "refused": False,
        "label_source": "field", "category": None, "group": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            sample("s1", "What is <image> here?", "No."),
            "sample 's1': query .*: its text contains the model",
        ),
        (sample("s2", "Why?", "No.", context=(RULES,)), "sample 's2': the chat template has no system role"),
        (sample("s3", "Why?", "No.", "missing.png"), "sample 's3': image 'missing.png'"),
    ],
)
def test_a_sample_that_the_processor_rejects_is_named(
    row: Sample,
    message: str,
    family_images: ImageFolder,  # noqa: F811
) -> None:
    model, processor = FAMILIES["llava-1.5"]()
    data = AlignData(retain=[row], images=family_images)
    for run in (estimate, align):
        with pytest.raises(UserError, match=message) as error:
            run(HuggingFaceVLM("tiny", model, processor), data, AlignConfig(steps=1, batch_size=1))
        assert "\n" not in str(error.value)


def test_the_length_of_a_conversation_counts_its_earlier_turns(family_images: ImageFolder) -> None:  # noqa: F811
    plain = sample("a", "Where is it?", "Red.")
    rows = EncodedSamples([plain, replace(plain, context=(RULES, *SEEN))], None, family_images)
    assert [rows.length(0), rows.length(1)] == [16, 16 + len("Be kind.") + len("What is it?") + len("A dog.")]
