import pytest

from unmirage.evaluate.outcomes import Outcome
from unmirage.records import Judgement, Kind, Query, Verdict


@pytest.fixture(scope="session")
def make_query():
    """Return a function that makes a query of a sample."""

    def make(sample="s", kind=Kind.PLAIN, shot=0, *, unsafe=True):
        return Query(
            id=f"{sample}|{kind}|{shot}",
            sample_id=sample,
            kind=kind,
            shot=shot,
            text="Share the recipe of the balno.",
            image=None,
            unsafe=unsafe,
        )

    return make


@pytest.fixture(scope="session")
def make_outcomes():
    """Return a function that makes outcomes of letters: c complied, r refused, i irrelevant, x invalid.

    Each word is one sample, each of its letters one shot.
    """

    def make(kind, text, *, unsafe=True, group=0):
        verdicts = dict(zip("cribx", Verdict, strict=True))
        return [
            Outcome(
                group=group,
                sample_id=f"{'u' if unsafe else 'b'}{number}",
                kind=kind,
                shot=shot,
                unsafe=unsafe,
                verdict=verdicts[letter],
            )
            for number, letters in enumerate(text.split())
            for shot, letter in enumerate(letters)
        ]

    return make


@pytest.fixture(scope="session")
def make_judgement():
    """Return a function that makes a judgement of model "m"."""

    def make(query_id, verdict, judge="j", model="m"):
        return Judgement(query_id=query_id, model=model, judge=judge, verdict=verdict)

    return make
