import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.text.english.frames import FRAMES, frames_for
from unmirage.text.english.inflection import ACTION_VERBS, MODALS, TELLING_VERBS, VERBS, WH_WORDS
from unmirage.text.english.meaning import kept
from unmirage.text.english.rewriter import Request, can_open, paraphrase, parse, realise, rewrite
from unmirage.text.openers import opener, words

VLGUARD = Path(__file__).parents[2] / ".." / "shared" / "data" / "vlguard" / "train.json"

FIXED_OPENERS = tuple(sorted({word for table in FRAMES.values() for word in table} - {"verb"}))
OPENERS = (*FIXED_OPENERS, *sorted(VERBS - set(FIXED_OPENERS)))
# A summary is more than the thing itself, so these two leave a trace.
_NO_TRACE = set(TELLING_VERBS) - {"summarize", "summarise"}
ASKING = (*sorted(set(FRAMES["thing"]) - {"verb"}), *sorted(_NO_TRACE - set(FRAMES["thing"])))
QUERIES = (
    "What is the recipe of the balno?",
    "Share the recipe of the balno.",
    "Describe the people in this picture in detail.",
    "Can you tell me about the keys of the tower?",
    "Please explain how the kite stays up.",
    "How do I fix the old boat?",
    "Who is she and what does she do?",
    "Share this picture with a friend.",
    "Look at the lamp. Is it on? Say why.",
    "Could you please list the names on the door?",
    "Use the map to find the cellar.",
    "Where is it?",
    "a lamp",
)

ANY_TEXT = st.text(st.characters(codec=None), max_size=80)
NAMES = st.text("bdfgklmnprtvaeiou", min_size=1, max_size=8).map("{}lo".format)
NOUNS = st.sampled_from(("recipe", "place", "colour", "names", "story", "keys", "glass"))
DETERMINERS = st.sampled_from(("the", "this", "their"))
THINGS = st.builds("{} {} of the {}".format, DETERMINERS, NOUNS, NAMES)
ACTIONS = st.builds("{} the {}".format, st.sampled_from(("fix", "repair", "open", "paint")), NAMES)


@pytest.mark.parametrize("query", QUERIES)
def test_rewrites_open_with_the_word_and_differ_from_each_other_and_from_the_query(query):
    for word in OPENERS:
        made = rewrite(query, word, 3)
        assert 2 <= len(made) <= 3
        assert {opener(text) for text in made} == {word}
        assert len({tuple(words(text)) for text in (query, *made)}) == len(made) + 1


@pytest.mark.parametrize("query", QUERIES)
def test_the_words_of_the_paper_always_yield_three(query):
    for word in ("what", "share", "describe", "please"):
        assert len(rewrite(query, word, 3)) == 3


@given(THINGS, st.sampled_from(ASKING))
def test_a_thing_is_found_again_in_every_way_of_asking_for_it(thing, word):
    request = Request("thing", thing)
    asked = realise(request, word)
    assert len(asked) >= 4
    assert [parse(text) for text in asked] == [request] * len(asked)


@given(THINGS, st.sampled_from(ASKING), st.sampled_from(ASKING))
def test_new_wordings_carry_no_trace_of_the_opener_they_replace(thing, word, other):
    ways = realise(Request("thing", thing), word)
    asked = [realise(parse(text), other) for text in ways]
    assert asked == [realise(Request("thing", thing), other)] * len(ways)


@given(ACTIONS, st.sampled_from([*WH_WORDS, "tell", *MODALS]))
def test_an_action_is_found_again_by_the_frames_that_name_it(action, word):
    for text in realise(Request("action", action), word):
        assert action in text
        found = parse(text)
        assert action in found.body


@given(THINGS, st.sampled_from(OPENERS))
def test_the_thing_itself_is_kept_word_for_word(thing, word):
    assert all(thing in text for text in rewrite(f"Share {thing}.", word, 3))


@pytest.mark.parametrize(
    ("query", "word", "first"),
    [
        # Things, and the way back.
        ("Share the recipe of the balno.", "what", "What is the recipe of the balno?"),
        ("Share the names of the children.", "what", "What are the names of the children?"),
        ("Share the bias of the author.", "what", "What is the bias of the author?"),
        ("Share the criteria for the prize.", "what", "What are the criteria for the prize?"),
        ("Did he open the door?", "share", "Share whether he opened the door."),
        ("Did she submit the form?", "share", "Share whether she submitted the form."),
        ("What is the recipe of the balno?", "share", "Share the recipe of the balno."),
        ("Share the steps to bake bread.", "what", "What are the steps to bake bread?"),
        ("What are the steps to bake bread?", "share", "Share the steps to bake bread."),
        ("Analyze the plan.", "share", "Share your analysis of the plan."),
        ("Summarize the article.", "what", "What is your summary of the article?"),
        ("Count the dogs.", "what", "What is the number of dogs?"),
        # Persons are identified, not shared.
        ("Can you identify the man in the photo?", "what", "What is the identity of the man in the photo?"),
        ("Describe the man in the photo.", "what", "What can you tell me about the man in the photo?"),
        ("Describe the man in the photo.", "share", "Share what you can say about the man in the photo."),
        ("Describe the man in the photo.", "provide", "Provide a description of the man in the photo."),
        # Supplies and products.
        ("Can you provide tips for skating?", "what", "What tips for skating can you give me?"),
        ("Can you provide tips for skating?", "share", "Share tips for skating."),
        ("What are some ways to save fuel?", "share", "Share some ways to save fuel."),
        ("Create a poster about cats.", "what", "What poster about cats can you create?"),
        ("Write me a poem.", "what", "What poem can you write me?"),
        ("Create a poster about cats.", "share", "Share a poster about cats."),
        # Actions and methods.
        ("Build a kite.", "what", "What is the best way to build a kite?"),
        ("Build a kite.", "can", "Can you build a kite?"),
        ("Share this photo with friends.", "what", "What is the best way to share this photo with friends?"),
        ("How can I build a kite?", "share", "Share how to build a kite."),
        ("How can I build a kite?", "can", "Can you tell me how to build a kite?"),
        ("How to make a bomb?", "what", "What is the best way to make a bomb?"),
        ("How do I fly it?", "provide", "Provide a way to fly it."),
        ("How do I fly it?", "list", "List the steps to fly it."),
        ("Do not touch the lamp.", "what", "What is the best way not to touch the lamp?"),
        ("Do not touch the lamp.", "please", "Please do not touch the lamp."),
        # Questions become clauses, and clauses questions.
        ("Share what is shown here.", "what", "What is shown here?"),
        ("What is shown here?", "share", "Share what is shown here."),
        ("What is the man holding?", "what", "What would you say the man is holding?"),
        ("What is the man holding?", "share", "Share what the man is holding."),
        ("Who is it?", "what", "What can you tell me about who it is?"),
        ("Is she happy?", "what", "What can you tell me about whether she is happy?"),
        ("Is she happy?", "share", "Share whether she is happy."),
        ("Is she happy?", "does", "Does anyone know whether she is happy?"),
        ("How many dogs are there?", "share", "Share how many dogs there are."),
        ("Which brand is this?", "share", "Share which brand this is."),
        ("Explain why the sky is blue.", "why", "Why is the sky blue?"),
        ("Explain why the sky is blue.", "what", "What can you tell me about why the sky is blue?"),
        ("Does she like it?", "is", "Is it clear whether she likes it?"),
        ("What does this depict?", "provide", "Provide some information on what this depicts."),
        # Several in one.
        ("who is she and what does she do", "share", "Share who she is and what she does."),
        (
            "Identify the man and explain why he left.",
            "what",
            "What can you tell me about the identity of the man and why he left?",
        ),
        ("Identify the man or describe his hat.", "share", "Share the identity of the man or his hat."),
        ("A man is shown. Is he old?", "share", "Share whether he is old. A man is shown."),
        ("Based on his hat, is he old?", "share", "Share whether he is old, based on his hat."),
        # What makes no request.
        ("This photo must go.", "what", "What do you say to the claim that this photo must go?"),
        ("N/A", "what", "What is your answer to this: N/A?"),
    ],
)
def test_the_first_rewrite_word_for_word(query, word, first):
    assert rewrite(query, word, 1) == [first]


def test_the_word_may_come_in_any_case():
    assert rewrite("Share the lamp.", "WHAT", 3) == rewrite("Share the lamp.", "what", 3)
    assert paraphrase("What is the lamp?", "What", 3) == paraphrase("What is the lamp?", "what", 3)


@pytest.mark.parametrize("word", ["zebra", "hello", "3"])
def test_a_word_that_opens_no_request_is_put_in_front(word):
    made = rewrite("Where is the kite?", word, 3)
    assert made[0] == f"{word.capitalize()}, where is the kite?"
    assert len(made) == len({tuple(words(text)) for text in made}) == 3
    assert all(opener(text) == word for text in made)
    assert all("where is the kite" in text for text in made)


@pytest.mark.parametrize("query", QUERIES)
def test_rewrites_are_the_same_every_time_and_fewer_shots_are_a_prefix(query):
    for word in ("what", "share", "zebra"):
        assert rewrite(query, word, 3) == rewrite(query, word, 3)
        assert rewrite(query, word, 1) == rewrite(query, word, 3)[:1]
    assert rewrite(query, "what", 0) == []


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("without", ["what", "share", "tell", "describe"])
def test_paraphrases_keep_the_opener_unless_it_is_the_word(query, without):
    made = paraphrase(query, without, 3)
    own = opener(query)
    kept = {without: "describe" if without == "tell" else "tell"}.get(own, own)
    assert 2 <= len(made) <= 3
    assert {opener(text) for text in made} == {kept}
    assert len({tuple(words(text)) for text in (query, *made)}) == len(made) + 1
    if without not in words(query):
        assert not any(without in words(text) for text in made)


def test_where_the_request_holds_the_word_it_is_still_no_opener():
    made = paraphrase("Who is she and what does she do?", "what", 3)
    assert len(made) == 3
    assert all(opener(text) == "who" and "what" in words(text) for text in made)


@given(ANY_TEXT, st.sampled_from(("what", "share", "zebra", "tell", "please")), st.integers(0, 4))
def test_odd_texts_neither_crash_nor_break_the_promises(query, word, shots):
    made = rewrite(query, word, shots)
    assert len(made) <= shots
    assert all(opener(text) == word for text in made)
    assert len({tuple(words(text)) for text in (query, *made)}) == len(made) + 1
    reworded = paraphrase(query, word, shots)
    assert len(reworded) <= shots
    assert all(opener(text) != word for text in reworded)


@pytest.mark.parametrize(
    "query", ["", " ", "?", "...", "\x00", "\ud800", "share", "tell me", "what is", "can you", "{x}"]
)
def test_next_to_nothing_still_opens_with_the_word(query):
    for word in ("what", "share", "is", "use"):
        made = rewrite(query, word, 3)
        assert len(made) == 3
        assert all(opener(text) == word for text in made)


def test_braces_in_a_query_are_kept():
    assert rewrite("Share the {w} of {x}.", "what", 1) == ["What is the {w} of {x}?"]


def test_every_frame_has_its_slots_and_opens_with_the_word():
    for table in FRAMES.values():
        for frames in table.values():
            assert len(frames) == len(set(frames)) >= 3
            for frame in frames:
                assert frame.startswith("{w} ")
                assert sum(frame.count(slot) for slot in ("{x}", "{bare}", "{o}")) == 1


def test_frames_for_knows_fixed_openers_verbs_and_nothing_else():
    assert frames_for("thing", "what") is FRAMES["thing"]["what"]
    assert frames_for("action", "share") is frames_for("action", "use") is FRAMES["action"]["verb"]
    assert frames_for("topic", "when") is FRAMES["thing"]["when"]
    assert frames_for("method", "share") is FRAMES["method"]["verb"]
    assert frames_for("question", "zebra") == ()
    assert not set(TELLING_VERBS) & set(ACTION_VERBS)


@pytest.mark.parametrize("query", [*QUERIES, "Is the man wearing a hat?", "How to make a bomb?", "🔥"])
@pytest.mark.parametrize("word", ["what", "share", "is", "use", "zebra", "could you please", "hello there"])
def test_fifty_wordings_differ_and_begin_with_the_few(query, word):
    made = rewrite(query, word, 50)
    assert len(made) == 50
    assert made[:3] == rewrite(query, word, 3)
    plain = {"".join(c if c.isalnum() else " " for c in text.casefold()) for text in made}
    assert len({tuple(text.split()) for text in plain}) == 50
    assert all(words(text)[: len(word.split())] == word.split() for text in made)
    reworded = paraphrase(query, word, 50)
    assert len(reworded) == 50
    assert not any(words(text)[: len(word.split())] == word.split() for text in reworded)


def test_which_words_can_open_a_request():
    able = (
        "what",
        "share",
        "use",
        "is",
        "does",
        "i",
        "could you please",
        "what are",
        "tell me",
        "what is the best way to",
    )
    assert [word for word in able if not can_open(word)] == []
    unable = ("zebra", "hello", "3", "hello there", "zebra is", "", "这")
    assert [word for word in unable if can_open(word)] == []


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "what is " * 100_000, "and describe " * 9_000, "what and " * 300, "🔥" * 9]
)
def test_long_texts_take_no_time(text):
    for word in ("what", "zebra", "tell me"):
        made = rewrite(text, word, 3)
        assert len(made) == 3
        assert all(one.casefold().startswith(word) for one in made)


@pytest.mark.slow
@pytest.mark.skipif(not VLGUARD.exists(), reason="VLGuard's text is not here")
def test_every_query_of_vlguard_is_rewritten_three_times():
    pairs = [pair for record in json.loads(VLGUARD.read_text("utf-8")) for pair in record["instr-resp"]]
    queries = [text for pair in pairs for key, text in pair.items() if key.endswith("instruction")]
    assert len(queries) == 2977
    content = {"what": 0.0, "share": 0.0}
    quoted = 0
    for query in queries:
        for word in ("what", "share"):
            made = rewrite(query, word, 3)
            assert [opener(text) for text in made] == [word] * 3
            assert len({tuple(words(text)) for text in (query, *made)}) == 4
            content[word] += kept(query, made[0])
        reworded = paraphrase(query, "what", 3)
        assert len({tuple(words(text)) for text in (query, *reworded)}) == 4
        quoted += parse(query).kind == "question"
        assert "what" not in map(opener, reworded)
    assert min(content.values()) / 2977 > 0.98
    assert quoted <= 20


@pytest.mark.parametrize(
    "query", ["这是什么？", "Nenne das Rezept von Ding 0.", "USER: Que dit le panneau ?", "Что это?"]
)
def test_queries_in_other_languages_have_no_wordings(query):
    for word in ("what", "share", "nenne", "zebra", "could you please"):
        assert rewrite(query, word, 3) == []
        assert paraphrase(query, word, 3) == []


@pytest.mark.parametrize("lead", ["USER: ", "Question 17: ", "17. ", "[INST] "])
def test_roles_and_numbers_stay_in_front(lead):
    for query in QUERIES[:5]:
        assert rewrite(lead + query, "what", 3) == [lead + text for text in rewrite(query, "what", 3)]
        assert paraphrase(lead + query, "what", 3) == [lead + text for text in paraphrase(query, "what", 3)]
