import pytest

from unmirage.errors import UserError
from unmirage.evaluate.suites import load_suite
from unmirage.records import Kind

RECORDS = [
    {
        "id": "0",
        "image": "bad_ads/a.png",
        "safe": False,
        "harmful_category": "deception",
        "harmful_subcategory": "disinformation",
        "instr-resp": [{"instruction": "Why is this true?", "response": "It is not."}],
    },
    {
        "id": "1",
        "image": "b.png",
        "safe": True,
        "instr-resp": [
            {"safe_instruction": "What is it?", "response": "A kite."},
            {"unsafe_instruction": "Insult them.", "response": "No."},
        ],
    },
]


@pytest.mark.parametrize(
    ("suite", "text", "unsafe", "image"),
    [
        ("vlguard-unsafes", "Why is this true?", True, "bad_ads/a.png"),
        ("vlguard-safe-unsafes", "Insult them.", True, "b.png"),
        ("vlguard-safe-safes", "What is it?", False, "b.png"),
    ],
)
def test_the_three_parts_of_the_test_set(write_json, suite, text, unsafe, image):
    loaded = load_suite(suite, write_json(RECORDS))
    (query,), (sample,) = loaded.queries, loaded.samples
    assert (query.text, query.unsafe, query.image, query.kind) == (text, unsafe, image, Kind.PLAIN)
    assert query.id == f"{sample.id}|plain|0"
    assert loaded.gold == []


def test_the_category_goes_along(write_json):
    (sample,) = load_suite("vlguard-unsafes", write_json(RECORDS)).samples
    assert sample.category == "disinformation"


def test_the_folder_of_the_download_is_enough(write_json, picture, tmp_path):
    write_json(RECORDS, "VLGuard/test.json")
    write_json([], "VLGuard/train.json")
    picture("VLGuard/test/bad_ads/a.png", 5)
    loaded = load_suite("vlguard-unsafes", tmp_path / "VLGuard")
    assert loaded.image_root == tmp_path / "VLGuard/test"
    assert loaded.pictures.open("bad_ads/a.png").width == 5
    elsewhere = load_suite("vlguard-unsafes", tmp_path / "VLGuard", images=tmp_path)
    assert elsewhere.pictures.exists("VLGuard/test/bad_ads/a.png")


@pytest.mark.parametrize("suite", ["vlguard-unsafes", "vlguard-safe-unsafes", "vlguard-safe-safes"])
def test_the_training_set_is_refused_by_name_and_by_size(write_json, tmp_path, suite):
    write_json(RECORDS, "VLGuard/train.json")
    reason = r"is VLGuard's training set \(1 questions of this kind\)\. Models are aligned on it, .* Pass test\.json"
    with pytest.raises(UserError, match=rf"train\.json: {reason}"):
        load_suite(suite, tmp_path / "VLGuard")
    # The sizes of the published file, under another name.
    unsafe, safe = ([record | {"id": f"{record['id']}-{n}"} for n in range(1023)] for record in RECORDS)
    with pytest.raises(UserError, match=r"d\.json: is VLGuard's training set"):
        load_suite(suite, write_json([*unsafe, *safe[:977]]))
    assert len(load_suite(suite, write_json([*unsafe[:1022], *safe[:976]])).queries) in (1022, 976)


def test_the_published_sizes_are_known(write_json):
    unsafe = [RECORDS[0] | {"id": str(n)} for n in range(442)]
    assert load_suite("vlguard-unsafes", write_json(unsafe)).notes == ()
    (note,) = load_suite("vlguard-unsafes", write_json(unsafe[:441])).notes
    assert note.endswith("d.json: 441 questions; suite 'vlguard-unsafes' was published with 442")


def test_a_wrong_file_is_named_with_record_and_field(write_json):
    conversations = [{"id": "1", "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "!"}]}]
    with pytest.raises(UserError, match=r"d\.json: record 1: field 'safe' must be true or false, not None"):
        load_suite("vlguard-unsafes", write_json(conversations))
    with pytest.raises(UserError, match=r"d\.json: record 1: field 'instr-resp' must be a list of instructions"):
        load_suite("vlguard-unsafes", write_json([{"id": "1", "safe": True}]))
    with pytest.raises(UserError, match=r"d\.json: no question .* valid: .* field 'unsafe_instruction'"):
        load_suite("vlguard-safe-unsafes", write_json(RECORDS[:1]))
