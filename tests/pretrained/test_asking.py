"""Asking each different prompt once: copies in one run and from other runs, batches by length, failures."""

import pytest

from unmirage.data import ImageFolder
from unmirage.data.images import WithPlaceholder
from unmirage.models import GenerationConfig
from unmirage.pretrained.asking import Part, ask_once
from unmirage.records import Failure, Kind, Query, Response
from unmirage.run import Store

CONFIG = GenerationConfig(max_new_tokens=4, batch_size=3)


class Echo:
    """Answers with the text and the picture of the query, and keeps what it was asked, call by call."""

    def __init__(self, name="echo", fails=()):
        self.name, self.calls, self._fails = name, [], fails

    def answer(self, queries, images, config):
        self.calls.append([(one.text, one.image) for one in queries])
        for one in queries:
            if one.text in self._fails:
                yield Failure(query_id=one.id, model=self.name, reason="broken")
            else:
                yield Response(query_id=one.id, model=self.name, text=f"You said: {one.text}", tokens=3)


def query(number, text, image="a.png", kind=Kind.PLAIN):
    return Query(id=f"q{number}", sample_id=f"s{number}", kind=kind, shot=0, text=text, image=image, unsafe=True)


@pytest.fixture
def blank(tmp_path):
    """Return pictures that are all missing, so that all are one placeholder."""
    return WithPlaceholder(ImageFolder(tmp_path))


def filled(path, queries):
    store = Store(path)
    store.add_queries(queries)
    return store


def texts(store, model="echo"):
    return {one.query_id: one.text for one in store.responses(model)}


def test_equal_prompts_are_asked_once_and_all_queries_get_the_response(tmp_path, blank):
    queries = [query(0, "What?", "a.png"), query(1, "What?", "b.png", Kind.JAILBREAK), query(2, "Who?", "c.png")]
    with filled(tmp_path / "a.sqlite", queries) as store:
        echo, steps = Echo(), []
        assert ask_once(echo, store, blank, CONFIG, lambda *step: steps.append(step)) == 2
        assert sum(map(len, echo.calls)) == 2
        assert texts(store) == {"q0": "You said: What?", "q1": "You said: What?", "q2": "You said: Who?"}
        assert steps[-1] == (3, 3)
        assert ask_once(echo, store, blank, CONFIG) == 0  # all have answers


def test_parts_ask_all_prompts_once_and_also_when_they_run_again(tmp_path, blank):
    queries = [query(number, f"Question {number % 20}?", f"{number}.png") for number in range(60)]
    with filled(tmp_path / "a.sqlite", queries) as store:
        echo = Echo()
        asked = [ask_once(echo, store, blank, CONFIG, part=Part(number, 2)) for number in (1, 0)]
        assert sum(asked) == 20
        assert min(asked) > 4
        assert len({asked for call in echo.calls for asked in call}) == 20
        assert len(texts(store)) == 60
        assert [ask_once(echo, store, blank, CONFIG, part=Part(number, 2)) for number in (0, 1)] == [0, 0]


def test_other_pictures_or_turns_are_other_prompts(tmp_path):
    for name, content in (("a.png", b"one"), ("b.png", b"two"), ("c.png", b"one")):
        (tmp_path / name).write_bytes(content)
    queries = [query(number, "What?", name) for number, name in enumerate(("a.png", "b.png", "c.png"))]
    with filled(tmp_path / "a.sqlite", queries) as store:
        echo = Echo()
        assert ask_once(echo, store, ImageFolder(tmp_path), CONFIG) == 2
        assert [asked for call in echo.calls for asked in call] == [("What?", "a.png"), ("What?", "b.png")]


def test_responses_of_other_runs_are_copied_where_text_and_picture_are_equal(tmp_path, blank):
    with filled(tmp_path / "a.sqlite", [query(0, "What?"), query(1, "Who?")]) as first:
        ask_once(Echo(), first, blank, CONFIG)
        ask_once(Echo("other"), first, blank, CONFIG)
    with filled(tmp_path / "b.sqlite", [query(7, "Who?", "0/z.png"), query(8, "How?")]) as second:
        echo = Echo()
        assert ask_once(echo, second, blank, CONFIG, known=[(tmp_path / "a.sqlite", blank)]) == 1
        assert [text for call in echo.calls for text, _ in call] == ["How?"]
        assert texts(second) == {"q7": "You said: Who?", "q8": "You said: How?"}
        missing = [(tmp_path / "none.sqlite", blank)]
        assert ask_once(Echo("third"), second, blank, CONFIG, known=missing) == 2
    assert not (tmp_path / "none.sqlite").exists()


def test_many_queries_about_one_picture_are_batched_by_length(tmp_path, blank):
    queries = [query(number, "x" * (40 - number), f"{number}.png") for number in range(40)]
    with filled(tmp_path / "a.sqlite", queries) as store:
        echo = Echo()
        assert ask_once(echo, store, blank, CONFIG) == 40
    lengths = [[len(text) for text, _ in call] for call in echo.calls]
    assert lengths == [list(range(start, min(start + 3, 41))) for start in range(1, 41, 3)]
    assert {image for call in echo.calls for _, image in call} == {"0.png"}  # one name for the placeholder


def test_a_failure_is_that_of_all_queries_with_the_prompt_and_is_asked_again(tmp_path, blank):
    with filled(tmp_path / "a.sqlite", [query(0, "What?"), query(1, "What?"), query(2, "Who?")]) as store:
        ask_once(Echo(fails=["What?"]), store, blank, CONFIG)
        assert {one.query_id for one in store.failures("echo")} == {"q0", "q1"}
        ask_once(Echo(), store, blank, CONFIG)
        assert (store.failures("echo"), len(texts(store))) == ([], 3)
