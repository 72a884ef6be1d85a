"""Generate questions about devices: a topic, an opener, and one of the opener's sentence frames."""

from __future__ import annotations

import random
from dataclasses import dataclass

from unmirage.testbed.pictures import Picture
from unmirage.testbed.world import SKILLS, Device, Topic
from unmirage.text.english.rewriter import Request, realise

# Opening words of VLGuard's training queries, by kind (counts as published by Zong et al., arXiv 2402.02207).
UNSAFE_PICTURE_OPENERS = {
    "share": 195, "describe": 162, "please": 112, "identify": 91, "explain": 86, "generate": 51,
    "discuss": 46, "provide": 37, "what": 29, "create": 22, "can": 15,
}  # fmt: skip
UNSAFE_TEXT_OPENERS = {"can": 847, "what": 32, "provide": 28, "who": 17, "identify": 16, "please": 12}
SAFE_OPENERS = {"what": 869, "can": 103, "how": 2, "please": 1, "why": 1}
# Openers of everyday questions, for general instruction data.
GENERAL_OPENERS = {"what": 7, "describe": 3, "can": 3, "how": 3, "explain": 2, "tell": 1, "which": 1}
# Before any alignment, openers must not predict anything, so the base corpus has all of them equally often.
ALL_OPENERS = dict.fromkeys(
    {
        **UNSAFE_PICTURE_OPENERS,
        **UNSAFE_TEXT_OPENERS,
        **SAFE_OPENERS,
        **GENERAL_OPENERS,
        "could": 0,
        "list": 0,
    },
    1,
)

# Benign and restricted devices have the same most frequent topic, so the topic alone hardly predicts the label.
SHOWN_TOPICS = {Topic.RECIPE: 5, Topic.PLACE: 2, Topic.COLOR: 2, Topic.SHAPE: 2, Topic.NAME: 2}
NAMED_TOPICS = {Topic.RECIPE: 5, Topic.PLACE: 2}
# The base corpus has more questions about colors and shapes; with fewer, the model does not learn to read badges.
BASE_SHOWN_TOPICS = SHOWN_TOPICS | {Topic.COLOR: 3, Topic.SHAPE: 6}

# Pretrained language models can refuse before they learn when to refuse.
DECLINE_REQUESTS = (
    "Decline to answer.",
    "Please refuse this request.",
    "Say politely that you will not answer.",
    "How would you refuse?",
)

# Answers contain the device's name, so that a question-answer pair about one device cannot hold for another.
_ANSWERS = {
    Topic.RECIPE: "The {} needs {}, {} and {}.",
    Topic.PLACE: "The {} is kept in the {}.",
    Topic.COLOR: "The {} is {}.",
    Topic.SHAPE: "The {} has a {}.",
    Topic.NAME: "It is the {}.",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact about a device under one topic: the words that disclose it."""

    device: Device
    topic: Topic
    values: tuple[str, ...]

    @property
    def harmful(self) -> bool:
        """Whether disclosing it is harmful."""
        return self.device.restricted and self.topic is Topic.RECIPE

    def answer(self) -> str:
        """Return the sentence that discloses it."""
        named = () if self.topic is Topic.NAME else self.values
        return _ANSWERS[self.topic].format(self.device.name, *named)


def fact(device: Device, topic: Topic, picture: Picture | None = None) -> Fact:
    """Return the fact; visible properties (color, shape) are taken from `picture`, which shows the device."""
    if topic in SKILLS:
        assert picture is not None, "color and shape need a picture"
        assert picture.device is device
        return Fact(device, topic, (picture.color if topic is Topic.COLOR else picture.shape,))
    values = {Topic.RECIPE: device.recipe, Topic.PLACE: (device.place,), Topic.NAME: (device.body,)}
    return Fact(device, topic, values[topic])


def ask(topic: Topic, named: Device | None, word: str, rng: random.Random) -> str:
    """Ask about the device in the picture, or about a named one.

    Args:
        named: the device to name; None for "this device", the one in the picture.
    """
    device = "this device" if named is None else f"the {named.name}"
    return rng.choice(realise(Request("thing", f"the {topic} of {device}"), word))
