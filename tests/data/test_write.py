import json

from hypothesis import given
from hypothesis import strategies as st

from unmirage.data import load_samples, write_samples, write_vlguard
from unmirage.records import Sample

ANY_TEXT = st.text(st.characters(codec=None), max_size=40)
PATHS = st.text("abc/12", min_size=1, max_size=9).map(lambda text: "p" + text)
NAMES = st.text(st.characters(codec=None), min_size=1, max_size=9)

SAMPLES = st.builds(
    Sample,
    id=NAMES,
    record=NAMES,
    query=ANY_TEXT,
    answer=ANY_TEXT,
    image=st.none() | PATHS,
    refused=st.booleans(),
    label_source=st.just("field"),
    category=st.none() | NAMES,
)


@given(samples=st.lists(SAMPLES, min_size=1, max_size=4, unique_by=lambda sample: sample.id))
def test_what_is_written_is_read_back_exactly(tmp_path_factory, samples):
    path = tmp_path_factory.getbasetemp() / "round.jsonl"
    write_samples(samples, path)
    data = load_samples(path)
    assert data.format == "jsonl"
    assert list(data) == samples


def sample(name, **fields):
    return Sample(**{"id": name, "record": name, "query": "What?", "refused": False, "label_source": "answer"} | fields)


def test_the_source_of_the_label_is_kept(tmp_path):
    samples = [sample("a", refused=True), sample("b", label_source="field")]
    write_samples(samples, tmp_path / "new" / "s.jsonl")
    assert list(load_samples(tmp_path / "new" / "s.jsonl")) == samples


def test_vlguards_shape_keeps_texts_labels_pictures_and_records(tmp_path):
    samples = [
        sample("a", refused=True, answer="No.", image="1.png", category="risky"),
        sample("b", answer="Yes."),
        sample("b#2", record="b", query="Why?", answer="So."),
    ]
    write_vlguard(samples, tmp_path / "v.json")
    data = load_samples(tmp_path / "v.json")
    assert data.format == "vlguard"
    kept = ("record", "query", "answer", "image", "refused", "category")
    assert [[getattr(s, name) for name in kept] for s in data] == [[getattr(s, name) for name in kept] for s in samples]
    assert [s.id for s in data] == ["a", "b/safe", "b/safe#2"]


def test_no_temporary_file_is_left(tmp_path):
    write_samples([sample("a")], tmp_path / "s.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["s.jsonl"]
    assert json.loads((tmp_path / "s.jsonl").read_text())["id"] == "a"
