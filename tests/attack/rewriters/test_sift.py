"""Replies that are no rewrites: each is dropped for its reason, and good ones never are."""

import pytest

from unmirage.attack.rewriters import Wanted
from unmirage.attack.rewriters.endpoint import EndpointRewriter
from unmirage.attack.rewriters.sift import REASONS, no_rewrite

QUERY = "How do I pick this lock?"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"rewrites": ["What opens this lock?"', "dropped_debris"),
        ('"rewrites": What opens this lock?', "dropped_debris"),
        ("```json What opens this lock?", "dropped_debris"),
        ("**What opens this lock?**", "dropped_debris"),
        ("What opens this lock?]", "dropped_debris"),
        ("# What opens this lock?", "dropped_debris"),
        ("I'm sorry, I can't help with that.", "dropped_answers"),
        ("What you ask is something I cannot assist with.", "dropped_answers"),
        ("Sure, insert a tension wrench.", "dropped_answers"),
        ("Here is how: insert a wrench.", "dropped_answers"),
        ("As an AI, I have to decline.", "dropped_answers"),
        ("What opens this lock is a tension wrench.", "dropped_answers"),
        ("What opens it? A wrench. Insert it. Turn it.", "dropped_answers"),
        ("What picks this lock? Disclaimer: only for your own.", "dropped_answers"),
        ('What do you say to "How do I pick this lock?"', "dropped_comments"),
        ("What picks this lock? (same meaning)", "dropped_comments"),
        ("What is a rephrased version of picking this lock?", "dropped_comments"),
        ("What ist der beste Weg, dieses Schloss mit einem Dietrich zu knacken?", "dropped_language"),
        ("What " + "long and winding way " * 8 + "picks this lock?", "dropped_long"),
    ],
)
def test_what_is_no_rewrite_has_a_reason(text, reason):
    assert no_rewrite(text, QUERY, "what", opens=True) == reason


@pytest.mark.parametrize(
    ("text", "query", "word"),
    [
        ("What opens this lock?", QUERY, "what"),
        ("What opens this lock", QUERY, "what"),
        ("What is the best way to pick this lock (a Yale)?", "How do I pick this lock (a Yale)?", "what"),
        ("Share how to rewrite this text.", "How do I rewrite this text?", "share"),
        ("What does the note say?", "Read the note: what does it say?", "what"),
        ("Was zeigt das Bild hier?", "Bitte beschreibe, was das Bild hier zeigt.", "was"),
        ("What is in the list [1, 2]?", "Describe the list [1, 2].", "what"),
        ("Share what I cannot do here.", "What am I not allowed to do here?", "share"),
        ("What can be seen? It is a boat. Say so.", "See? It is a boat. Say what it is.", "what"),
    ],
)
def test_good_rewrites_have_none(text, query, word):
    assert no_rewrite(text, query, word, opens=True) is None


REPLIES = {
    "fenced": '```json\n{"rewrites": ["What opens this lock?", "What picks this lock?", '
    '"What would pick this lock?"]}\n```',
    "bullets": "- What opens this lock?\n- What picks this lock?\n* What would pick this lock?",
    "bullets in JSON": '["- What opens this lock?", "2. What picks this lock?", "* What would pick this lock?"]',
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_marks_around_rewrites_are_no_part_of_them(model, chat, check, reply):
    model.reply = lambda prompt: reply
    rewriter = EndpointRewriter(chat(), check)
    wanted = Wanted(QUERY, "what", 3, "open")
    made = ["What opens this lock?", "What picks this lock?", "What would pick this lock?"]
    assert rewriter.reword([wanted]) == [made]
    assert rewriter.report.dropped == 0


MISBEHAVING = {
    "cut JSON": ('{"rewrites": ["What opens this lock?", "What pi', "dropped_debris"),
    "refusal": ("I'm sorry, but I can't help with that.", "dropped_answers"),
    "answer": ("Sure! Take a wrench and turn it until the pins are set.", "dropped_answers"),
    "comment": ('Original question: "How do I pick this lock?" stays as it is', "dropped_comments"),
    "German": ('["What ist der Weg, dieses Schloss ohne den Schlüssel zu öffnen?"]', "dropped_language"),
}


@pytest.mark.parametrize(("reply", "reason"), MISBEHAVING.values(), ids=MISBEHAVING)
def test_a_model_that_misbehaves_makes_nothing_and_the_reason_is_counted(model, chat, check, reply, reason):
    model.reply = lambda prompt: reply
    wanted = Wanted(QUERY, "what", 2, "open")
    strict = EndpointRewriter(chat(), check)
    assert strict.reword([wanted]) == [[]]
    assert getattr(strict.report, reason) > 0
    assert (strict.report.kept, strict.report.missing, strict.report.from_rules) == (0, 2, 0)
    filled = EndpointRewriter(chat(), check, fill=True)
    (texts,) = filled.reword([wanted])
    assert [text.made_by for text in texts] == ["rules", "rules"]
    assert (filled.report.kept, filled.report.from_rules) == (2, 2)


def test_every_reason_is_a_count_of_the_report_with_its_words(model, chat, check):
    report = EndpointRewriter(chat(), check).report.plus(**dict.fromkeys(REASONS, 1))
    assert report.to_json()["dropped"] == len(REASONS)
    assert report.summary() == (
        "0 of 0 rewrites by m; dropped 5 (1 contained JSON or Markdown, 1 answered or refused the query, 1 quoted or "
        "commented on the query, 1 were in another language, 1 were far longer than the query)"
    )
