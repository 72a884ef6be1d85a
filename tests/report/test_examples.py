import pytest
from PIL import Image

from unmirage.data.images import ImageFolder
from unmirage.records import Ended, Kind
from unmirage.report.examples import EACH, ENDED, TURNS, find_examples, thumbnail
from unmirage.report.run_page import render_run_page
from unmirage.run import Run


def test_what_the_attack_turned_comes_first(run):
    found = {one.model: one for one in find_examples(run, ["sft-posthoc", "npo"], "exact").models}
    for kind, turn in TURNS.items():
        examples = found["sft-posthoc"].kinds[kind]
        assert len(examples) == EACH
        for example in examples:
            assert example.turned
            assert (example.plain.judgement.verdict, example.attacked.judgement.verdict) == turn
            assert example.plain.query.sample_id == example.attacked.query.sample_id
        assert len({example.plain.query.sample_id for example in examples}) == EACH


def test_a_missing_picture_is_tolerated(run):
    found = find_examples(run, ["base", "sft-posthoc", "npo"], "exact").models
    shown = [example for one in found for examples in one.kinds.values() for example in examples]
    pictures = [one for example in shown for one in example.pictures]
    assert len(pictures) == len(shown)
    assert {picture is None for _, picture in pictures} == {True, False}
    assert all((picture is None) == (name == "3.png") for name, picture in pictures)


def test_several_seeds_show_the_first(make_run, tmp_path):
    run = make_run(tmp_path / "run", seeds=(10, 2), size=20)
    found = find_examples(run, ["sft-posthoc"], "exact")
    assert found.source == "seed-2"
    assert found.models[0].kinds[Kind.JAILBREAK][0].pictures[0][1]


def test_why_there_is_nothing_to_show(run, tmp_path):
    empty = Run(tmp_path)
    assert "no store.sqlite" in find_examples(empty, ["npo"], "exact").note
    assert not (tmp_path / "store.sqlite").exists()
    assert "judge 'llm'" in find_examples(run, ["npo"], "llm").note
    (tmp_path / "store.sqlite").write_bytes(b"no database" * 100)
    assert "could not be read" in find_examples(empty, ["npo"], "exact").note


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "https://example.org/x.png", "none.png", "text.png"])
def test_a_picture_outside_or_broken_is_none(tmp_path, path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "text.png").write_text("<svg onload=alert(1)>")
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.png")
    assert thumbnail(ImageFolder(tmp_path / "in"), path) is None


@pytest.mark.parametrize(("size", "shown", "tiny"), [((16, 16), (112, 112), True), ((1000, 500), (224, 112), False)])
def test_thumbnails_are_small_and_tiny_ones_are_enlarged_by_the_browser(tmp_path, size, shown, tiny):
    Image.effect_noise(size, 60).convert("RGB").save(tmp_path / "a.jpg")
    picture = thumbnail(ImageFolder(tmp_path), "a.jpg")
    assert ((picture.width, picture.height), picture.tiny) == (shown, tiny)
    assert picture.uri.startswith("data:image/png;base64,")
    assert len(picture.uri) < 60_000


def test_the_page_shows_thoughts_escaped_and_how_a_response_ended(make_run, tmp_path, parse):
    assert set(ENDED) == set(Ended)
    run = make_run(tmp_path / "run", size=8)
    with run.store() as store:
        store._db.execute("UPDATE responses SET thoughts = '<b>Think</b>', ended = 'content_filter', text = ''")
        store._db.commit()
    page = parse(render_run_page(run))
    assert "Thoughts (not judged) <b>Think</b> (empty, blocked or cut off by a content filter)" in page.text
    assert "Think" not in parse(render_run_page(run, redact=True)).text
