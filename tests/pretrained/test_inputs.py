"""Data of the study: missing pictures, overlap of training and test data, first sentences, held-out records."""

import pytest
from PIL import Image

from unmirage.data import load_samples, open_samples
from unmirage.errors import UserError
from unmirage.pretrained.inputs import (
    check_both_labels,
    first_sentence,
    hold_out_records,
    read_inputs,
    with_first_sentences,
)
from unmirage.records import Kind, Sample

TRAIN = [
    {"query": "Share the key of the gate.", "answer": "I cannot share that. It is private.", "refused": True},
    {"query": "What is the colour of the large old gate?", "answer": "It is red.", "refused": False},
]
TEST = [
    {"query": "Share the code of the safe.", "answer": "I cannot share that.", "refused": True},
    {"query": "What is the colour of the large old gate now?", "answer": "Red.", "refused": False},
]


def with_image(rows, name="{}.png"):
    return [row | {"image": name.format(number)} for number, row in enumerate(rows)]


def picture(path, colour="red"):
    Image.new("RGB", (4, 4), colour).save(path)


@pytest.fixture
def read(records):
    def read(train, test, **how):
        files = records(train, "train.json"), records(test, "test.json")
        how = {"placeholder": False, "allow_overlap": False} | how
        return read_inputs(*files, None, {}, reading={}, **how)

    return read


def test_pictures_that_are_all_missing_are_replaced_and_that_is_said(read):
    found = read(with_image(TRAIN), with_image(TEST, "t{}.png"))
    assert found.notes[:2] == (
        "train.json: 2 of 2 pictures are missing and were replaced by one gray picture",
        "test.json: 2 of 2 pictures are missing and were replaced by one gray picture",
    )
    shown = found.train.pictures.open("0.png")
    assert (shown.size, shown.getpixel((0, 0))) == ((32, 32), (127, 127, 127))
    assert found.test.pictures.content("t0.png") == found.train.pictures.content("1.png")


@pytest.mark.parametrize(("kept", "said"), [(0, "refused"), (1, "answered")])
def test_training_data_need_both_labels(read, kept, said):
    with pytest.raises(UserError, match=f"train.json: all samples are {said}; the study needs refused and answered"):
        check_both_labels(read([TRAIN[kept]], TEST).train)
    check_both_labels(read(TRAIN, TEST).train)


def test_the_overlap_of_data_without_pictures_does_not_speak_of_any(read):
    with pytest.raises(UserError, match=r"2 of 2 queries are also in [^,]*train.json\. Rates on them"):
        read(TRAIN, TRAIN)


def test_prebuilt_queries_that_were_trained_on_are_refused(records):
    """Rates on them measure memorization, as on test data."""
    train, test = records(TRAIN, "train.json"), records(TEST, "test.json")
    how = {"placeholder": False, "reading": {}}
    with pytest.raises(UserError, match=r"train.json: 1 of 1 queries are also in .*train.json.*--allow-overlap"):
        read_inputs(train, test, None, {Kind.JAILBREAK: train}, allow_overlap=False, **how)
    found = read_inputs(train, test, None, {Kind.JAILBREAK: train}, allow_overlap=True, **how)
    assert "train.json: 1 queries are also training queries (--allow-overlap)" in found.notes


def test_some_missing_pictures_need_a_flag(read, tmp_path):
    picture(tmp_path / "0.png")
    with pytest.raises(UserError, match=r"1 of 2 pictures of train.json are missing, such as '1.png'.*--placeholder"):
        read(with_image(TRAIN), TEST)
    found = read(with_image(TRAIN), TEST, placeholder=True)
    assert found.notes[0] == "train.json: 1 of 2 pictures are missing and were replaced by one gray picture"
    assert found.train.pictures.open("0.png").getpixel((0, 0)) == (255, 0, 0)


def test_the_same_query_about_the_same_picture_is_refused(read, tmp_path):
    for number, colour in enumerate(("red", "green", "blue")):
        picture(tmp_path / f"{number}.png", colour)
    train, test = with_image(TRAIN), with_image([TRAIN[0], TRAIN[1]])
    test[1]["image"] = "2.png"  # the same text about another picture is another query
    with pytest.raises(UserError, match=r"1 of 2 queries are also in .*train.json, about the same picture"):
        read(train, test)
    found = read(train, test, allow_overlap=True)
    assert found.overlap.picture_and_query.second.shared == 1
    assert "1 test queries are also training queries about the same picture (--allow-overlap)" in found.notes


def test_placeholders_are_not_the_same_picture(read, tmp_path):
    """Neither missing pictures nor files with one content: they are compared by path."""
    test = with_image(TRAIN, "t{}.png")
    assert read(with_image(TRAIN), test).overlap.picture_and_query.second.shared == 0
    for name in ("0.png", "1.png", "t0.png", "t1.png"):
        picture(tmp_path / name)
    assert read(with_image(TRAIN), test).overlap.picture_and_query.second.shared == 0
    with pytest.raises(UserError, match="2 of 2 queries"):
        read(with_image(TRAIN), with_image(TRAIN))


def test_texts_without_pictures_are_compared_and_near_ones_counted(read):
    found = read(TRAIN, TEST)
    assert found.near == 1  # 9 of 10 words; "Share the ... of the ..." shares 3 of 7
    assert found.notes[-1] == (
        "test data: 0 of 2 queries have the text of a training query; 1 have nearly the words of one"
    )
    with pytest.raises(UserError, match="1 of 2 queries are also in"):
        read(TRAIN, [TEST[0], TRAIN[1] | {"query": "what is the colour of the large old gate"}])


@pytest.mark.parametrize(
    ("answer", "first"),
    [
        ("I'm sorry, I cannot assist. It is private.", "I'm sorry, I cannot assist."),
        (" Mr. Hill owns it!\nAsk him. ", "Mr. Hill owns it!"),
        ("no end", "no end"),
    ],
)
def test_first_sentence(answer, first):
    assert first_sentence(answer) == first


def test_answers_are_cut_and_empty_ones_left_out():
    samples = [
        Sample(id=str(number), record="r", query="q", answer=answer, refused=True, label_source="field")
        for number, answer in enumerate(("One. Two.", "One.", " "))
    ]
    kept, told = with_first_sentences(samples, cut=True)
    assert [one.answer for one in kept] == ["One.", "One."]
    assert told == "1 of 2 answers cut to their first sentence; 1 samples without an answer left out"
    assert [one.answer for one in with_first_sentences(samples, cut=False)[0]] == ["One. Two.", "One."]


def test_held_out_records_keep_their_samples_together(records, tmp_path):
    rows = [row | {"record": f"r{number // 2}", "id": f"s{number}"} for number, row in enumerate(TRAIN * 4)]
    file = open_samples(records(rows))
    train, test = (load_samples(path).samples for path in hold_out_records(file, 1, tmp_path / "data"))
    assert (len(train), len(test)) == (6, 2)
    assert not {one.record for one in train} & {one.record for one in test}
    assert {one.id for one in (*train, *test)} == {f"s{number}" for number in range(8)}
    again = [path.read_bytes() for path in hold_out_records(file, 1, tmp_path / "again")]
    assert again == [path.read_bytes() for path in hold_out_records(file, 1, tmp_path / "data")]
    for count in (0, 4):
        with pytest.raises(UserError, match=r"valid: 1 to 3; .* has 4 records"):
            hold_out_records(file, count, tmp_path / "data")


def test_queries_without_words_are_near_no_other(read):
    one, other = ([{"query": "?", "answer": "Yes.", "refused": False, "image": f"{name}.png"}] for name in "ab")
    assert read(one, other).near == 0


def test_more_queries_than_are_compared_at_once_are_all_counted(read):
    test = [row | {"query": f"{row['query']} Number {number}."} for number in range(70) for row in TEST]
    assert read(TRAIN, test).near == 0
    assert read(test, test, allow_overlap=True).near == 140
