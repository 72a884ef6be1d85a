import pytest
from PIL import Image

from unmirage.data.mm_safetybench import PICTURES, SCENARIOS
from unmirage.errors import UserError
from unmirage.evaluate.suites import load_suite, suite_pictures


@pytest.fixture
def folder(write_parquet, tmp_path):
    """Return a folder of all scenarios, one file a kind, each with two questions."""
    for place, scenario in enumerate(SCENARIOS):
        for kind in PICTURES:
            widths = [None, None] if kind == "Text_only" else [2 * place + 1, 2 * place + 2]
            columns = {"id": ["0", "1"], "question": [f"{scenario} {kind} 0", f"{scenario} {kind} 1"], "image": widths}
            write_parquet(columns, f"bench/data/{scenario}/{kind}.parquet")
    return tmp_path / "bench"


def test_all_scenarios_and_kinds_are_asked_under_names_of_their_own(folder):
    loaded = load_suite("mm-safetybench", folder)
    assert len(loaded.queries) == 13 * 4 * 2
    assert len({query.id for query in loaded.queries}) == 104
    assert {sample.category for sample in loaded.samples} == set(SCENARIOS)
    assert "Illegal_Activitiy" in SCENARIOS
    assert all(query.unsafe for query in loaded.queries)
    first = loaded.queries[0]
    assert (first.id, first.text) == ("Illegal_Activitiy/SD/0|plain|0", "Illegal_Activitiy SD 0")
    assert first.image == "Illegal_Activitiy/SD/row-000001.png"
    assert [query.image for query in loaded.queries if "Text_only" in query.id] == [None] * 26


def test_each_picture_is_that_of_its_row(folder):
    loaded = load_suite("mm-safetybench", folder)
    for query in loaded.queries:
        if query.image is not None:
            scenario, _, number = query.id.removesuffix("|plain|0").split("/")
            assert loaded.pictures.open(query.image).width == 2 * SCENARIOS.index(scenario) + 1 + int(number)
    assert not loaded.pictures.exists("Sex/SD/row-000003.png")
    assert not loaded.pictures.exists("../../etc/passwd")
    with pytest.raises(UserError, match=r"contains '\.\.'"):
        loaded.pictures.check("../../etc/passwd")


def test_a_run_finds_its_pictures_again(folder):
    config = {"suite": {"name": "mm-safetybench-typo"}, "data": str(folder), "images": str(folder)}
    assert suite_pictures(config).open("Fraud/TYPO/row-000002.png").width == 12


@pytest.mark.parametrize(
    ("ending", "kind"), [("-sd", "SD"), ("-sd-typo", "SD_TYPO"), ("-typo", "TYPO"), ("-text", "Text_only")]
)
def test_one_kind_alone(folder, ending, kind):
    queries = load_suite(f"mm-safetybench{ending}", folder / "data").queries
    assert {query.id.split("/")[1] for query in queries} == {kind}
    assert len(queries) == 26


def test_a_folder_of_parts_and_of_some_scenarios(write_parquet, tmp_path):
    for part in range(2):
        columns = {"id": [str(part)], "question": ["How?"], "image": [part + 1]}
        write_parquet(columns, f"few/Sex/SD/000{part}.parquet")
    loaded = load_suite("mm-safetybench-sd", tmp_path / "few")
    assert [loaded.pictures.open(query.image).width for query in loaded.queries] == [1, 2]


def test_what_is_missing_is_named(tmp_path, folder, write_parquet):
    with pytest.raises(
        UserError, match="no scenario folder found; valid: a folder with at least one of Illegal_Activitiy, Hate"
    ):
        load_suite("mm-safetybench", tmp_path)
    (folder / "data/Sex/TYPO.parquet").unlink()
    with pytest.raises(UserError, match=r"Sex/TYPO\.parquet: no such file; valid: this file, or a folder 'TYPO'"):
        load_suite("mm-safetybench", folder)
    write_parquet({"id": ["0"], "prompt": ["How?"]}, "bench/data/Sex/TYPO.parquet")
    with pytest.raises(UserError, match=r"Sex/TYPO\.parquet: row 1: field 'question' is missing; .* 'id', 'prompt'"):
        load_suite("mm-safetybench", folder)


def test_the_hub_is_asked_for_each_scenario_and_kind(monkeypatch, write_parquet):
    from unmirage.data.parquet import parquet_files

    asked = []
    path = write_parquet({"id": ["0"], "question": ["How?"], "image": [1]})

    def hub(named):
        asked.append(str(named))
        return parquet_files(path)

    monkeypatch.setattr("unmirage.evaluate.suites.mm_safetybench.hub_data", hub)
    load_suite("mm-safetybench")
    assert len(asked) == 52
    assert asked[:2] == [f"hf:PKU-Alignment/MM-SafetyBench:Illegal_Activitiy@{kind}" for kind in ("SD", "SD_TYPO")]
    asked.clear()
    load_suite("mm-safetybench", "hf:x/y:Fraud@TYPO")
    load_suite("mm-safetybench-sd", "hf:x/y:Fraud")
    assert asked == ["hf:x/y:Fraud@TYPO", "hf:x/y:Fraud@SD"]
    with pytest.raises(UserError, match=r"unknown scenario .* 'Illegal_Activity'; .*'Illegal_Activitiy'"):
        load_suite("mm-safetybench", "hf:x/y:Illegal_Activity")
    with pytest.raises(UserError, match="unknown split of MM-SafetyBench 'TYPO'; valid: SD"):
        load_suite("mm-safetybench-sd", "hf:x/y@TYPO")


@pytest.fixture
def official(write_json, tmp_path):
    """Return the folder of the authors' files for two of the scenarios."""
    for name in ("01-Illegal_Activitiy", "06-Fraud"):
        questions = {
            key: {
                "Question": f"plain {key}",
                "Changed Question": f"changed {key}",
                "Key Phrase": "k",
                "Phrase Type": "activity",
                "Rephrased Question": f"{name} phrase {key}",
                "Rephrased Question(SD)": f"{name} picture {key}",
            }
            for key in ("0", "1")
        }
        write_json(questions, f"own/data/processed_questions/{name}.json")
        for kind, size in (("SD", 3), ("SD_TYPO", 4), ("TYPO", 5)):
            (tmp_path / "own/data/imgs" / name / kind).mkdir(parents=True)
            for key in ("0", "1"):
                path = tmp_path / "own/data/imgs" / name / kind / f"{key}.jpg"
                Image.new("RGB", (10 * size + int(key), 4)).save(path)
    return tmp_path / "own"


@pytest.mark.parametrize(
    ("ending", "kind", "words", "width"),
    [("-sd", "SD", "picture", 30), ("-sd-typo", "SD_TYPO", "phrase", 40), ("-typo", "TYPO", "phrase", 50)],
)
def test_the_authors_own_files(official, ending, kind, words, width):
    loaded = load_suite(f"mm-safetybench{ending}", official)
    assert [query.text for query in loaded.queries] == [
        f"{name} {words} {key}" for name in ("01-Illegal_Activitiy", "06-Fraud") for key in "01"
    ]
    assert [query.image for query in loaded.queries][3] == f"Fraud/{kind}/1.jpg"
    assert [loaded.pictures.open(query.image).width for query in loaded.queries] == [width, width + 1] * 2
    assert {sample.category for sample in loaded.samples} == {"Illegal_Activitiy", "Fraud"}


def test_a_run_finds_the_authors_pictures_again(official):
    loaded = load_suite("mm-safetybench-typo", official)
    config = {"suite": {"name": "mm-safetybench-typo"}, "data": str(official), "images": str(loaded.image_root)}
    assert suite_pictures(config).open("Fraud/TYPO/1.jpg").width == 51


def test_the_authors_pictures_may_lie_elsewhere(official, tmp_path):
    (official / "data/imgs").rename(tmp_path / "pictures")
    assert load_suite("mm-safetybench-sd", official, images=tmp_path / "pictures").pictures.exists("Fraud/SD/0.jpg")


@pytest.mark.parametrize("name", ["mm-safetybench", "mm-safetybench-text"])
def test_the_authors_files_do_not_say_what_to_ask_without_pictures(official, name):
    with pytest.raises(UserError, match="does not say what to ask without pictures; valid: the kinds SD, "):
        load_suite(name, official)


def test_what_is_wrong_in_the_authors_files_is_named(official, write_json):
    write_json({"7": {"Rephrased Question": "How?"}}, "own/data/processed_questions/06-Fraud.json")
    with pytest.raises(UserError, match=r"06-Fraud\.json: record 1: field 'Rephrased Question\(SD\)' is missing"):
        load_suite("mm-safetybench-sd", official)
    for path in (official / "data/processed_questions").iterdir():
        path.unlink()
    with pytest.raises(
        UserError, match=r"processed_questions: has no file of a scenario; valid: 01-Illegal_Activitiy, "
    ):
        load_suite("mm-safetybench-sd", official)


def test_the_small_version_keeps_the_listed_questions(folder, write_json):
    listed = [{"Scenario": "06-Fraud", "Sampled_ID_List": [1]}, {"Scenario": "07-Sex", "Sampled_ID_List": ["0", 5]}]
    path = write_json(listed, "bench/TinyVersion_ID_List.json")
    loaded = load_suite("mm-safetybench-tiny", folder)
    assert [query.id for query in loaded.queries] == [
        *(f"Fraud/{kind}/1|plain|0" for kind in PICTURES[:3]),
        *(f"Sex/{kind}/0|plain|0" for kind in PICTURES[:3]),
    ]
    assert loaded.pictures.open(loaded.queries[0].image).width == 2 * SCENARIOS.index("Fraud") + 2
    (note,) = loaded.notes
    assert (
        "6 questions; suite 'mm-safetybench-tiny' was published with 504 (Illegal_Activitiy: 0, published 30; " in note
    )
    path.unlink()
    with pytest.raises(UserError, match=r"bench: TinyVersion_ID_List\.json not found; valid: the cloned repository"):
        load_suite("mm-safetybench-tiny", folder)
