"""The check of the meaning: by words, and by an encoder where there is one."""

import numpy as np
import pytest

from unmirage.attack.rewriters import MeaningCheck

SHARES = {"all": 1.0, "half": 0.5, "none": 0.0}
NEARNESS = {"all": 0.9, "half": 0.4, "none": 1.0}


class Encoder:
    """Turns each text by the angle whose cosine with the query is known."""

    def __init__(self):
        self.calls = []

    def encode(self, texts):
        self.calls.append(list(texts))
        cosines = np.array([NEARNESS.get(text, 1.0) for text in texts])
        return np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1)


@pytest.fixture(autouse=True)
def _shares(monkeypatch):
    monkeypatch.setattr("unmirage.attack.rewriters.rules.kept", lambda query, text: SHARES[text])


@pytest.mark.parametrize(
    ("least", "expected"), [(0, [True, True, True]), (0.5, [True, True, False]), (0.6, [True, False, False])]
)
def test_enough_words_must_be_kept(least, expected):
    assert MeaningCheck(least).passes("query", list(SHARES)) == expected


def test_an_encoder_must_agree_as_well():
    check = MeaningCheck(0.5, Encoder(), similarity=0.5)
    assert check.passes("query", list(SHARES)) == [True, False, False]
    assert MeaningCheck(0, Encoder(), similarity=0.3).passes("query", list(SHARES)) == [True, True, True]


def test_the_encoder_is_not_troubled_where_the_words_decide():
    encoder = Encoder()
    assert MeaningCheck(0.6, encoder).passes("query", ["none", "half"]) == [False, False]
    assert MeaningCheck(0.6, encoder).passes("query", []) == []
    assert encoder.calls == []


def test_different_checks_have_different_keys():
    checks = [
        MeaningCheck(0.5), MeaningCheck(0.6), MeaningCheck(0.6, Encoder()), MeaningCheck(0.6, Encoder(), 0.8),
        MeaningCheck(0.6, Encoder(), encoder_name="minilm"),
    ]  # fmt: skip
    assert len({check.key for check in checks}) == len(checks)
    assert MeaningCheck(0.6).key == MeaningCheck(0.6).key
