import json
from pathlib import Path

import pytest

from unmirage.text.leads import Lead, content_start, content_starts
from unmirage.text.openers import opener

VLGUARD = Path(__file__).parents[2] / ".." / "shared" / "data" / "vlguard" / "train.json"

PASSED_OVER = (
    *("USER: ", "Human:\n", "user: ", "Q: ", "Q. ", "Question: ", "Question : ", "**Question:** ", "Input: "),
    *("### Instruction:\n", "### Human: ", "## Question\n", "[INST] ", "<s>[INST] ", "<|im_start|>user\n"),
    *("<|user|>\n", "<start_of_turn>user\n", "<|start_header_id|>user<|end_header_id|>\n\n", "<｜User｜>"),
    *("[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n", "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"),
    *(
        "17. ",
        "17.",
        "17) ",
        "(3) ",
        "[3] ",
        "1: ",
        "１７. ",
        "Question 17: ",
        "Question 17. ",
        "question #17) ",
        "Q3. ",
    ),
    *("Q3: ", "Q.3: ", "Q: 17. ", "USER: (4) ", "  17.\t", "Frage 3: ", "问题：", "用户：", "1、", "Вопрос: "),
    *("Image-1: \nImage-2: \n", "Picture 1: ", "Figure 3: "),
)


@pytest.mark.parametrize("lead", PASSED_OVER)
@pytest.mark.parametrize("query", ["What is this?", "Share it.", "¿Qué es esto?", "'Nenne' es", "这是什么？"])
def test_role_markers_and_numbering_are_passed_over(lead, query):
    assert (lead + query)[content_start(lead + query) :] == query
    assert opener(lead + query) == opener(query) != ""


@pytest.mark.parametrize(
    "query",
    [
        *("3.14 is what?", "5 apples cost", "2 + 2", "10:30 is when?", "3: 4 is a ratio", "1. e4 e5", "17 What"),
        *("1. Open it. 2. Close it.", "1) Red or 2) blue?", "2. 3 apples", "42", "1.", "17. ", "Q:", "Question 17:"),
        *("USER:", "User", "user manual of it", "Question everything", "Q1 revenue?", "US: what is it?", "#17 what"),
        *("", " ", "What is this?", "Share: it", "human rights", "[INST]", "<|im_start|>user\n", "1. !?"),
        *("1.5 liters", "7.x", "12,5 kg: what?", "1234567. What", "No: what"),
    ],
)
def test_what_belongs_to_the_query_stays(query):
    assert content_start(query) == 0


def test_a_number_after_a_role_is_judged_alike():
    assert content_start("USER: 3.14 is what?") == len("USER: ")
    assert content_start("Q: 1. Open it. 2. Close it.") == len("Q: ")
    assert content_start("Question 17: 5 apples cost") == len("Question 17: ")  # the number has a name


QUERIES = [f"{word} thing {n}" for n in range(50) for word in ("What is", "Share", "Describe", "Tell me about")]
REFUSED = [n % 3 == 0 for n in range(len(QUERIES))]


def openers(texts, refused=REFUSED):
    starts, leads = content_starts(texts, refused)
    return [opener(text[start:]) for text, start in zip(texts, starts, strict=True)], leads


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("Please ", ["please"]),
        ("PLEASE, ", ["please"]),
        ("USER: Please ", ["USER:", "please"]),
        ("Please\n17. ", ["please"]),
        ("USER ", ["user"]),
        ("Can you please ", ["can you", "please"]),
        ("Hello! ", ["hello"]),
        ("Hi there, could you kindly ", ["hi there", "could you", "kindly"]),
        ("In this image, ", ["in this image"]),
        ("Based on the given picture ", ["based on the given picture"]),
        ("You are given an image. ", ["you are given an image."]),
        ("You are given an image. Please ", ["you are given an image.", "please"]),
        ("You are given\nan image. Answer briefly.\n", ["you are given an image. answer briefly."]),
        ("Task:\n", ["task:"]),
        ("Bitte ", ["bitte"]),
        ("请", ["请"]),
    ],
)
def test_a_prefix_that_all_queries_share_is_passed_over(prefix, found):
    own, leads = openers([prefix + query for query in QUERIES])
    assert own == list(map(opener, QUERIES))
    assert [lead.text for lead in leads] == found
    assert {(lead.queries, lead.refused) for lead in leads} == {(200, 67)}


@pytest.mark.parametrize("prefix", ["Please", "You are given an image."])
@pytest.mark.parametrize(
    ("refused", "answered", "is_passed_over"),
    [
        *((90, 90, True), (100, 90, True), (89, 100, False), (100, 89, False), (100, 0, False)),
        *((50, 50, True), (40, 50, True), (40, 40, True), (39, 45, False), (45, 39, False), (60, 49, False)),
    ],
)
def test_a_prefix_is_passed_over_if_it_is_as_frequent_in_both_labels(prefix, refused, answered, is_passed_over):
    texts = [
        f"{prefix} {query}" if n < refused or 100 <= n < 100 + answered else query for n, query in enumerate(QUERIES)
    ]
    own, leads = openers(texts, [n < 100 for n in range(200)])
    first, total = opener(prefix), refused + answered
    if is_passed_over:
        assert own == list(map(opener, QUERIES))
        assert leads == (Lead(text=prefix.lower(), shared=True, queries=total, refused=refused),)
    else:
        assert (own.count(first), leads) == (total, ())


@pytest.mark.parametrize("prefix", ["Can you", "In this image"])
def test_words_that_may_be_an_opener_are_passed_over_only_in_nearly_all_queries(prefix):
    refused = [n < 100 for n in range(200)]
    for share, is_passed_over in ((50, False), (96, False), (97, True), (100, True)):
        texts = [f"{prefix} {query}" if n % 100 < share else query for n, query in enumerate(QUERIES)]
        own, leads = openers(texts, refused)
        assert (len(leads), own == list(map(opener, QUERIES))) == (int(is_passed_over), is_passed_over), share


def test_openers_that_many_queries_share_stay():
    for share in (0.95, 1.0):
        texts = [f"What {query}" if n < share * 200 else query for n, query in enumerate(QUERIES)]
        own, leads = openers(texts)
        assert leads == ()
        assert own.count("what") >= share * 200
    assert openers([f"What, {query}" for query in QUERIES])[1] == ()  # one word, as an insertion attack puts it


def test_one_fixed_query_is_no_prefix():
    own, leads = openers(["What is in the image? Answer in one word."] * 200)
    assert (set(own), leads) == ({"what"}, ())


def test_a_query_that_is_only_the_prefix_stays():
    texts = [f"Please {query}" for query in QUERIES[:-1]] + ["Please!"]
    starts, leads = content_starts(texts, REFUSED)
    assert (starts[-1], leads[0].queries) == (0, 199)


def test_marks_before_some_queries_are_counted_by_label():
    texts = [
        f"{n}. {query}" if refused else query for n, (query, refused) in enumerate(zip(QUERIES, REFUSED, strict=True))
    ]
    own, leads = openers(texts)
    assert own == list(map(opener, QUERIES))
    assert leads == (Lead(text="0.", shared=False, queries=67, refused=67),)


def test_few_queries_share_nothing():
    texts = [f"Please {query}" for query in QUERIES[:9]]
    assert content_starts(texts, [True] * 9)[1] == ()
    assert content_starts([], []) == (content_starts([], [])[0], ())
    assert openers([f"Please {query}" for query in QUERIES[:10]], [True] * 10)[0] == list(map(opener, QUERIES[:10]))


@pytest.mark.skipif(not VLGUARD.is_file(), reason="needs ../shared/data/vlguard")
def test_vlguard_has_the_same_openers_with_each_prefix():
    records = json.loads(VLGUARD.read_text("utf-8"))
    rows = [
        (text, not record["safe"] or key == "unsafe_instruction")
        for record in records
        for pair in record["instr-resp"]
        for key, text in pair.items()
        if "instruction" in key
    ]
    texts, refused = [text for text, _ in rows], [label for _, label in rows]
    expected = list(map(opener, texts))
    assert (len(texts), sum(refused), content_starts(texts, refused)[1]) == (2977, 2000, ())
    for prefix in ("USER: ", "Please ", "[INST] ", "You are given an image. ", "Question: Please ", "Can you please "):
        assert openers([prefix + text for text in texts], refused)[0] == expected, prefix
    for prefix in ("USER: ", "You are given an image. ", "### Instruction:\n"):
        half = [prefix + text if n % 2 else text for n, text in enumerate(texts)]
        assert openers(half, refused)[0] == expected, prefix
    for number in ("{}. ", "{}) ", "({}) ", "Question {}: ", "Q{}. ", "{}: ", "Q: {}. "):
        for every in (1, 2):
            numbered = [number.format(n) + text if n % every == 0 else text for n, text in enumerate(texts)]
            assert openers(numbered, refused)[0] == expected, number
