import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.records import Response
from unmirage.text.thoughts import closed, final_answer, left_open, marks_among, settled, split_reasoning


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>I could.\n</think>\n\nI can't help.", "I could.", "I can't help."),
        ("I could.</think>\nNo.", "I could.", "No."),
        ("<think>it never ends", "it never ends", ""),
        ("<think></think>Hi", "", "Hi"),
        ("<thinking>a</thinking> b", "a", "b"),
        ("<think>a</think>b<think>c</think>d", "a\nc", "bd"),
        ("<think>a</think>b<think>c", "a", "b<think>c"),
        ("◁think▷a◁/think▷ b", "a", "b"),
        ("[THINK]a[/THINK]b", "a", "b"),
        ("<think>a</think><answer>b</answer>", "a", "b"),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>",
            "a",
            "b",
        ),
        ("<|channel|>analysis<|message|>it never ends", "it never ends", ""),
        ("<|channel>thought\na<channel|>b", "a", "b"),
        ("<think >a</think >b", "a", "b"),
        ('<think duration="3">a</think>b', "a", "b"),
        ("<seed:think>a</seed:think>b", "a", "b"),
        ("<analysis>a</analysis><answer>b</answer>", "a", "b"),
        ("<Thought>\na\n</Thought>\n<Output>\nb\n</Output>", "a", "b"),
        ("<think>a</think><|begin_of_box|>b<|end_of_box|>", "a", "b"),
        ("<|begin_of_thought|>\na<|end_of_thought|>\n<|begin_of_solution|>b<|end_of_solution|>", "a", "b"),
        ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>", "a", "b"),
        ("<|START_THINKING|>it never ends", "it never ends", ""),
        ("<unused94>thought\na<unused95>b", "a", "b"),
        (
            "<SUMMARY>a</SUMMARY>\n<REASONING>c</REASONING>\n<CONCLUSION>b</CONCLUSION>",
            "<SUMMARY>a</SUMMARY>\n<REASONING>c</REASONING>",
            "b",
        ),
        ("<think>a</think><answer></answer>", "a", ""),
        ("<output>b</output>", "", "<output>b</output>"),
        ("See <analysis> here", "", "See <analysis> here"),
        ("Write <think>x</think> first.", "", "Write <think>x</think> first."),
        (" no tags ", "", " no tags "),
        ("<think>a<think>b</think>c</think>d", "a<think>b\nc", "d"),
        ("</think>\n\nb", "", "b"),
        ("<think>a</think></think>b", "a", "b"),
        ("Close it with `</think>` or '</think>'.", "", "Close it with `</think>` or '</think>'."),
        ("<think>a</think>Close it with `</think>`.", "a", "Close it with `</think>`."),
        ("a `</think>` c</think>b", "a `</think>` c", "b"),
        ("Here is my thought process: a\n\nHere is my response: b", "a", "b"),
        ("Here's my thought process:a Here's my response:b", "a", "b"),
        ("Here is my thought process: first", "", "Here is my thought process: first"),
        ("<|START_THINKING|>a<|END_THINKING|><|START_TEXT|>b<|END_TEXT|>", "a", "b"),
        ("<think>\n\n</think>\n\n<answer>\nb\n</answer>", "", "b"),
        ("a < b [1]", "", "a < b [1]"),
        ("", "", ""),
    ],
)
def test_the_answer_is_what_follows_the_reasoning(text, reasoning, answer):
    assert split_reasoning(text) == (reasoning, answer)
    assert final_answer(text) == answer


TAGS = (
    "<think>", "</think>", "<thinking>", "</thinking>", "◁think▷", "◁/think▷", "[THINK]", "[/THINK]",
    "<|START_THINKING|>", "<|END_THINKING|>", "<seed:think>", "</seed:think>",
)  # fmt: skip
PIECES = st.lists(st.sampled_from([*TAGS, *(f"w{number}" for number in range(9)), "\n", "`"]), max_size=12).map(
    " ".join
)


def words(text):
    return re.findall(r"w\d", text)


@given(PIECES)
def test_no_word_is_lost_and_an_answer_has_no_reasoning(text):
    reasoning, answer = split_reasoning(text)
    assert sorted(words(reasoning) + words(answer)) == sorted(words(text))
    assert split_reasoning(answer) == ("", answer)


@given(st.text(st.characters(exclude_characters="<>◁▷[]|", exclude_categories=["Cs"])), st.sampled_from(TAGS[::2]))
def test_any_text_after_a_thought_is_the_answer(text, tag):
    close = TAGS[TAGS.index(tag) + 1]
    assert split_reasoning(f"{tag}\nHm.\n{close}\n\n{text}")[1] == text.strip()
    assert split_reasoning(f"{tag}\n{text}") == (text.strip(), "")
    assert split_reasoning(text) == ("", text)


@pytest.mark.parametrize(
    ("prompt", "opening", "closing"),
    [
        ("<|im_start|>assistant\n<think>\n", "<think>\n", "\n</think>\n\n"),
        ("<｜Assistant｜><think>", "<think>", "</think>\n\n"),
        ("<seed:think>", "<seed:think>", "</seed:think>\n\n"),
        ("[THINK]", "[THINK]", "[/THINK]\n\n"),
        ("◁think▷\n", "◁think▷\n", "\n◁/think▷\n\n"),
        ("<|channel>thought\n", "<|channel>thought\n", "\n<channel|>\n\n"),
    ],
)
def test_a_prompt_that_opens_the_reasoning(prompt, opening, closing):
    assert left_open(prompt) == opening
    said = closed(opening, "Red.")
    assert said == f"{closing}Red."
    assert split_reasoning(opening + said) == ("", "Red.")
    assert closed(opening, f"{opening}Hm.{said}") == f"{opening}Hm.{said}".removeprefix(opening.strip())


@pytest.mark.parametrize(
    "prompt", ["<think>\n\n</think>\n\n", "<｜Assistant｜></think>", "ASSISTANT:", "", "<think> say no more"]
)
def test_a_prompt_that_opens_none(prompt):
    assert left_open(prompt) == ""


def test_the_marks_that_must_stay():
    harmony = {"<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|return|>"}
    assert marks_among([*harmony, "<|fim|>"]) == harmony
    assert marks_among(["<|end|>", "<|message|>"]) == set()
    assert marks_among(["[THINK]", "[/THINK]", "<|end|>"]) == {"[THINK]", "[/THINK]"}
    assert marks_among(["</think>", "<unused94>", "<unused95>"]) == {"</think>", "<unused94>", "<unused95>"}
    assert marks_among([]) == set()


@pytest.mark.parametrize("quoted", ["`</think>", '"</think>"', "</think>`", "“</think>”"])
def test_a_closing_tag_in_quotes_is_part_of_the_answer(quoted):
    text = f"The tag {quoted} ends the thoughts of a model."
    assert split_reasoning(text) == ("", text)


def test_reported_thoughts_come_before_those_in_the_text():
    response = Response(query_id="q", model="m", text="<think>two</think>Yes.", tokens=3, thoughts="one")
    assert (settled(response).thoughts, settled(response).text) == ("one\ntwo", "Yes.")
