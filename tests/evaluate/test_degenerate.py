"""Degenerate responses: real ones of an unlearned model are found, and no text of a person or a working model is."""

import csv
import json
import time
from pathlib import Path

import pytest

from unmirage.evaluate.degenerate import degenerate
from unmirage.evaluate.labels.shipped import shipped_labels
from unmirage.text.refusals import is_refusal

DATA = Path(__file__).parents[3] / "shared" / "data"
TABLE = "<table>" + "".join(
    f"<tr><td>{name}</td><td>{row}</td></tr>"
    for row, name in enumerate("Berlin Paris Rome Oslo Bern Vienna Riga Prague Kyiv Lima Quito Cairo".split())
)
SALAD = 'Sure ly, this artful, uncanny, "Moss"-like, or even a "Moss"-inspired, unfinished fusion of a '
RECIPE = "First mix the amber with the oil in a large glass bowl. Then heat the bowl slowly until it boils. "
SHARK = "{0} shark, doo doo doo doo doo doo\n{0} shark, doo doo doo doo doo doo\n{0} shark!\n"
SONG = "".join(map(SHARK.format, ("Baby", "Mommy", "Daddy", "Grandma"))) + "Let's go hunt!\nRun away!\nSafe at last!"


@pytest.mark.parametrize(
    "text",
    [
        "Yes", "42", "+", "*", "\N{THUMBS UP SIGN}", "no no", "no " * 11, "Holy, holy, holy!",
        " ".join("0010" * 20), ", ".join(map(str, range(100))), "x = 3 x 2 x 7 x 393 x " * 5,
        "   *\n  ***\n *****\n*******", " /\\_/\\\n( o.o )\n > ^ <", "A" * 30, "oo oo\n" * 30, "AAAA\n" * 20,
        "".join(f"{row}. {'Yes' if row % 3 else 'No'}\n" for row in range(60)),
        "| a | b |\n|---|---|\n" + "".join(f"| {row} | {row * row} |\n" for row in range(30)),
        TABLE, "https://example.com/a/b?c=d&e=f https://example.com/a/b?c=d&e=g", SONG,
        "U29tZSBiYXNlNjQgdGV4dCBpcyBoZXJlIGFuZCBpdCBnb2VzIG9uIGFuZCBvbiBhbmQgb24=" * 2,
        "\u6211\u5f88\u62b1\u6b49\uff0c\u4f46\u6211\u4e0d\u80fd\u534f\u52a9\u8fd9\u4e2a\u8bf7\u6c42\u3002"
        "\u5982\u679c\u60a8\u6709\u5176\u4ed6\u95ee\u9898\uff0c\u6211\u5f88\u4e50\u610f\u5e2e\u52a9\u3002",
        RECIPE + "And stir it again " * 60, RECIPE + RECIPE,  # what precedes a loop counts
    ],
)  # fmt: skip
def test_texts_with_content_are_not_degenerate(text):
    assert degenerate(text) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        (" \n\t\u200b\x00", "empty"),
        ("... ?!", "empty"),
        ("!" * 500, "empty"),
        ("-" * 30, "empty"),
        ("\ufffd\ufffd \ufffd a", "nonsense"),
        ("\ufffd\ufffd abc", None),  # 2 of 5
        ("a" * 40, "repeated"),
        ("a" * 39, None),
        ("a" * 36 + "bcde", "repeated"),  # 90 % of 40
        ("a" * 35 + "bcdef", None),
        ("the " * 12, "repeated"),
        ("the cat of all " * 3, "repeated"),  # 12 words, with a period of 4
        ("the cat of all dogs " * 3, None),
        ("You" * 12, "repeated"),
        ("<unk>" * 30, "repeated"),
        ("\N{SKULL}\N{SKULL}\N{SKULL}, " * 20, "repeated"),
        ("\u6211" * 40, "repeated"),
        ("\u044d\u0442\u043e\u0433\u043e " * 12, "repeated"),
        ("I'm sorry\n" * 40, "repeated"),
        ("I can help you with that. " * 30, "repeated"),
        (
            "We recommend that every visitor of the old museum walks around the whole lake first. " * 20,
            "repeated",
        ),
        (SALAD + "moss-of-a-" * 30, "repeated"),
        (SALAD + 'stone, "re-imagined" [or, ' * 15, "repeated"),
        ("One two three four five six seven eight nine ten eleven twelve. " + "and on it goes " * 9, None),  # 12 words
        ("One two three four five six seven eight nine ten eleven. " + "and on it goes " * 9, "repeated"),
    ],
)
def test_the_first_rule_that_fits_decides(text, kind):
    assert degenerate(text) == kind


def test_of_long_texts_a_fifth_is_enough_if_the_end_loops():
    start = " ".join(f"own{number}" for number in range(45))
    loop = " the old moss"
    assert degenerate(start + loop * 5) == "repeated"  # 60 words, 12 of them copied, which are 12 of the last 20
    assert degenerate("more " + start + loop * 5) is None  # 12 of 61 are less than a fifth
    assert degenerate(start.removeprefix("own0 ") + loop * 5) is None  # of 59 words, 60 % must be copied
    assert degenerate(start + loop * 6 + " a b c d e f g h") == "repeated"  # 15 of 71, and 12 of the last 20
    assert degenerate(start + loop * 6 + " a b c d e f g h i") is None  # 15 of 72, and 11 of the last 20


def _unlearned(name):
    path = DATA / "field" / "npo_outputs" / f"{name}.json"
    if not path.is_file():
        pytest.skip("the outputs of the unlearned model are not here")
    return list(json.loads(path.read_text()).values())


def test_most_responses_of_an_unlearned_model_are_degenerate():
    unsafe, safe = _unlearned("normal_unsafes"), _unlearned("normal_safe_safes")
    assert sum(degenerate(text) is None and not is_refusal(text) for text in unsafe) <= 0.25 * len(unsafe)
    assert sum(degenerate(text) is not None for text in safe) > 0.5 * len(safe)


def test_of_thousands_of_responses_with_human_labels_only_a_loop_is_degenerate():
    texts = [one.response.text for name in ("xstest", "msts") for one in shipped_labels(name).rows]
    assert len(texts) > 4000
    found = [text for text in texts if degenerate(text)]
    assert len(found) == 1
    assert found[0].count("contact-") > 50


def test_no_answer_of_published_data_is_degenerate():
    field = DATA / "field"
    if not field.is_dir():
        pytest.skip("the published data are not here")
    texts = [row["completion"] for path in field.glob("xstest/*completions*.csv") for row in _csv(path)]
    vlguard = json.loads((DATA / "vlguard" / "train.json").read_text())
    texts += [pair["response"] for row in vlguard for pair in row["instr-resp"]]
    lines = (field / "vqa" / "llava_scienceqa_outputs_2000.jsonl").read_text().splitlines()
    texts += [json.loads(line)["output"] for line in lines]
    annotations = json.loads((field / "vqa" / "vizwiz_val_annotations_vqa_format.json").read_text())["annotations"]
    texts += [answer["answer"] for one in annotations for answer in one["answers"]]
    assert len(texts) > 40_000
    assert [text for text in texts if degenerate(text)] == []


def _csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


PLAIN = "a dog and a cat sit on the old bench in front of the little house by the river "  # 19 words
LATE = "It is late, and we all go home now. " * 3  # 27 words
PATCHES = "moss-green-glass-like glow-worm-eyed "  # 7 words, all joined


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (PLAIN + PATCHES + "iron-clad, of red", "nonsense"),  # 30 words, 9 of them joined
        (PLAIN + PATCHES + "iron-clad of", None),  # 29 words
        (PLAIN + PATCHES + "iron clad, of red", None),  # 7 joined
        (PLAIN + PATCHES + "iron-clad, of red.", None),  # the sentence ends
        (PLAIN + PATCHES + 'iron-clad, of red and "old": ', None),  # a field of JSON
        (2 * PLAIN + PATCHES + 'iron-clad, "of red or"', None),  # 12 of 50, with what is quoted
        (2 * PLAIN + PATCHES + 'iron-clad, "of red or two"', "nonsense"),  # 13 of 51
        (LATE + "It is late, and we go home now. " + PLAIN + PATCHES + "iron-clad, of red", "nonsense"),  # 30 of 65
        (LATE + "It is late, and we all do go home now. " + PLAIN + PATCHES + "iron-clad, of red", None),  # 30 of 67
    ],
)
def test_a_cut_sentence_of_patches_is_nonsense(text, kind):
    assert degenerate(text) == kind


def test_half_of_the_characters_undecodable_is_nonsense():
    assert degenerate("abcde" + 5 * "\ufffd") == "nonsense"
    assert degenerate("abcdef" + 5 * "\ufffd") is None


LOOP = "go on and on " * 60
TWELVE = "amber birds carry dusty eggs from great hills into jade kettles, later. "


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (PLAIN + "moss-green-glass-like glow-worm iron-clad of red or", "nonsense"),  # 8 joined words of 30
        (TWELVE + LOOP, None),
        (TWELVE + LOOP + "amber amber", None),
        (TWELVE + LOOP + "amber amber amber", "repeated"),  # a word that occurs four times says nothing
        ("(" + TWELVE + LOOP, "repeated"),  # no sentence ends inside brackets
        ("(so) " + TWELVE + LOOP, None),
        ("amber birds carry. dusty eggs from. great hills into. jade kettles later. " + LOOP, "repeated"),
        ("amber birds carry dusty. eggs from great hills. into jade kettles later. " + LOOP, None),
        ("".join("\u4e00\u4e8c\u4e09\u56db\u4e94" + chr(0x5000 + n) for n in range(10)), None),
        ("".join("\u4e00\u4e8c\u4e09\u56db\u4e94\u516d" + chr(0x5000 + n) for n in range(10)), "repeated"),
    ],
)
def test_what_counts_as_copied_and_as_said(text, kind):
    assert degenerate(text) == kind


@pytest.mark.parametrize("text", ["door and key " + "w" * 20_000, "door " + "key-" * 5_000, "'door \"key" * 2_000])
def test_long_words_take_time_in_proportion_to_their_length(text):
    started = time.process_time()
    degenerate(text)
    assert time.process_time() - started < 1  # 9 s if every letter starts a search for the word's end
