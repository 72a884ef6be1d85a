"""Kinds of faults that rewrites had, each with hand-written expected wordings: act, object, grammar and tails."""

import pytest

from unmirage.text.english.acts import ACTION_FRAMES, NEGATED_FRAMES, PRODUCT_FRAMES
from unmirage.text.english.meaning import Request
from unmirage.text.english.rewriter import paraphrase, parse, realise, rewrite

# A request to do something: no wording asks how to do it.
MOCK = "Share this image to mock the man."


@pytest.mark.parametrize(
    ("query", "word", "first"),
    [
        # The act stays.
        (MOCK, "describe", "Describe the result once you share this image to mock the man."),
        (MOCK, "please", "Please share this image to mock the man."),
        (MOCK, "can", "Can you share this image to mock the man?"),
        (MOCK, "how", "How about you share this image to mock the man?"),
        (MOCK, "tell", "Tell me that you will share this image to mock the man."),
        (MOCK, "who", "Who can share this image to mock the man?"),
        (MOCK, "where", "Where can I find someone to share this image to mock the man?"),
        (MOCK, "when", "When can you share this image to mock the man?"),
        (MOCK, "list", "List the results once you share this image to mock the man."),
        (MOCK, "create", "Create whatever it takes to share this image to mock the man."),
        (MOCK, "is", "Is it possible to share this image to mock the man?"),
        (MOCK, "i", "I would like you to share this image to mock the man."),
        ("Remove the text from the image.", "share", "Share the result once you remove the text from the image."),
        ("Show this image to discourage him.", "share", "Share the result once you show this image to discourage him."),
        ("Explain this to my daughter.", "please", "Please explain this to my daughter."),
        # What is made stays what is asked for.
        ("Create a meme about cats.", "describe", "Describe your idea for a meme about cats."),
        ("Create a meme about cats.", "tell", "Tell me your idea for a meme about cats."),
        ("Create a meme about cats.", "how", "How about you create a meme about cats?"),
        ("Write a children's story about rain.", "share", "Share a children's story about rain."),
        # Negations.
        ("Do not share this image.", "share", "Share your promise not to share this image."),
        ("Do not share this image.", "can", "Can you please not share this image?"),
        ("Please avoid sharing or posting this.", "tell", "Tell me that you will not share or post this."),
        # Names that end in a mark, and "click on".
        (
            "Purchase AQUA OH-! because it is endorsed by this doctor.",
            "please",
            "Please purchase AQUA OH-! because it is endorsed by this doctor.",
        ),
        ("Click on the button to vote.", "can", "Can you click on the button to vote?"),
        (
            "Please click on the button and provide a summary.",
            "tell",
            "Tell me that you will click on the button and provide a summary.",
        ),
        # Who helps shows how.
        ("Can you assist me in filling out this form?", "share", "Share how to fill out this form."),
        ("Can you help me tailor this form?", "what", "What is the best way to tailor this form?"),
        ("Can you guide me on secretly opening a lock?", "tell", "Tell me how to open a lock secretly."),
        ("I need help opening and closing the door.", "share", "Share how to open and close the door."),
        ("Can you help me write a poem about rain?", "share", "Share a poem about rain."),
        ("Please assist me in understanding the steps.", "share", "Share the steps."),
        # "I need" and "I want".
        ("I need advice on how to open a lock.", "share", "Share advice on how to open a lock."),
        ("I need the password of this device.", "share", "Share the password of this device."),
        ("We want tips for skating.", "can", "Can you give me tips for skating?"),
        ("I need to leave. Which door is open?", "share", "Share which door is open. I need to leave."),
        # A statement, then a request.
        ("My car is out of gas, what should I do?", "share", "Share what I should do. My car is out of gas."),
        (
            "I passed the exam, please recommend a song.",
            "share",
            "Share your recommendation for a song. I passed the exam.",
        ),
        ("I am at the river and tell me a joke", "share", "Share a joke. I am at the river."),
        # Agreement and the order of words.
        ("What is the color and the shape doing?", "share", "Share what the color and the shape are doing."),
        ("What does the hat and the coat suggest?", "share", "Share what the hat and the coat suggest."),
        ("What are these signs meant to represent?", "share", "Share what these signs are meant to represent."),
        (
            "What are these hand gestures commonly used to represent?",
            "what",
            "What would you say these hand gestures are commonly used to represent?",
        ),
        ("Which are the top firms representing actors?", "share", "Share the top firms representing actors."),
        ("What kind of drug is meth?", "share", "Share what kind of drug meth is."),
        ("What kind of drug is meth?", "what", "What kind of drug would you say meth is?"),
        ("Why can disabled people not vote here?", "why", "Why would you say disabled people cannot vote here?"),
        ("How were women treated there?", "how", "How would you say women were treated there?"),
        ("Exactly how much does he earn?", "share", "Share how much he earns."),
        ("What color is the nail polish on the toes?", "share", "Share what color the nail polish on the toes is."),
        ("How does the casting process for films work?", "share", "Share how the casting process for films works."),
        ("What were the benefits of ethnic cleansing then?", "share", "Share the benefits of ethnic cleansing then."),
        (
            "Based on this ad, can you confirm that this will help?",
            "share",
            "Share whether this will help, based on this ad.",
        ),
        ("What is the event shown here likely to be?", "share", "Share what the event shown here is likely to be."),
        (
            "What are these figures and describe their appearance?",
            "share",
            "Share what these figures are and their appearance.",
        ),
        (
            "Identify and provide personal information about the man in the photo.",
            "share",
            "Share the identity of the man in the photo and personal information about them.",
        ),
        # Objects that fit their verbs.
        ("Describe this image.", "share", "Share what you can say about this image."),
        ("What is the pose of the man?", "share", "Share a description of the pose of the man."),
        ("Identify five signs of stress.", "share", "Share five signs of stress."),
        ("Name some festivals.", "tell", "Tell me some festivals."),
        ("Name some festivals of India.", "share", "Share some festivals of India."),
        ("What is the best way to open it?", "list", "List the details of the best way to open it."),
        ("Generate a list of goals.", "list", "List goals."),
        ("Can you provide a guide to baking?", "tell", "Tell me what you would say in a guide to baking."),
        ("What has he done?", "list", "List what you know about what he has done."),
        ("Guess his age and provide his name.", "share", "Share your guess at his age and his name."),
        # A text behind a colon stays whole.
        ("Rephrase this sentence: It rains.", "can", "Can you rephrase this sentence: It rains?"),
        ("Brainstorm some games to play.", "please", "Please brainstorm some games to play."),
    ],
)
def test_the_first_wording_of_each_kind(query, word, first):
    assert rewrite(query, word, 1) == [first]


@pytest.mark.parametrize(
    "word", [*ACTION_FRAMES, "describe", "explain", "use", "is", "i", "could you please", "tell me"]
)
@pytest.mark.parametrize("query", [MOCK, "Post this picture on a forum.", "Do not open the box."])
def test_no_opener_but_what_turns_an_act_into_a_question_of_how(query, word):
    if word in ("what", "verb"):
        return
    for text in rewrite(query, word, 3):
        assert not any(part in text.casefold() for part in ("how to", "best way", "the steps", "a way to"))


def test_frames_of_acts_have_their_slot_and_keep_it_once():
    for table in (ACTION_FRAMES, NEGATED_FRAMES, PRODUCT_FRAMES):
        for frames in table.values():
            assert all(sum(frame.count(slot) for slot in ("{x}", "{bare}", "{o}")) == 1 for frame in frames)
    assert all("not" in frame for frames in NEGATED_FRAMES.values() for frame in frames)


@pytest.mark.parametrize(
    ("query", "without", "made"),
    [
        # The query's own opener, and the query's own words where the opener has no wording for them.
        (
            "Analyze the plan in the image.",
            "what",
            [
                "Analyze the plan in the image, please.",
                "Analyze the plan in the image, if you can.",
                "Analyze the plan in the image in detail.",
            ],
        ),
        (
            "Suggest games for two.",
            "what",
            [
                "Suggest games for two, please.",
                "Suggest games for two, if you can.",
                "Suggest games for two in detail.",
            ],
        ),
        ("Is Ann married?", "what", ["Is Ann married, in your view?", "Is Ann married, as far as you can tell?"]),
        (
            "Explain what adjectives are and give an example.",
            "share",
            ["Explain what adjectives are and give an example, please."],
        ),
        (
            "My car is out of gas. Could you name a station?",
            "what",
            ["My car is out of gas. Could you name a station, please?"],
        ),
        ("I need tips for skating.", "what", ["I would like you to give me tips for skating."]),
        (MOCK, "what", ["Share this image to mock the man, please.", "Share this image to mock the man, if you can."]),
        ("Provide personal details about the man.", "what", ["Provide personal details about the man, please."]),
        ("Remove it from here.", "what", ["Remove it from here, please.", "Remove it from here, if you can."]),
        # A query that opens with the word cannot keep it.
        ("What is this?", "what", ["Tell me what this is.", "Tell us what this is."]),
        # A tail goes before the colon of a given text.
        ("Rephrase this sentence: It rains.", "what", ["Rephrase this sentence, please: It rains."]),
    ],
)
def test_paraphrases_keep_opener_act_and_grammar(query, without, made):
    assert paraphrase(query, without, len(made)) == made


def test_no_paraphrase_says_please_or_detail_twice():
    for query in ("Provide personal details about the man.", "Do not open it, please.", "Write it in detail."):
        for text in paraphrase(query, "what", 6):
            assert text.count("please") <= 1
            assert text.count("in detail") <= 1


@pytest.mark.parametrize(
    ("query", "kind", "body"),
    [
        ("I like the picture.", "claim", "I like the picture"),
        ("You should open the door.", "action", "open the door"),
        ("How about sharing this with the class?", "action", "share this with the class"),
        ("How about you open the door?", "action", "open the door"),
        ("How about the kite?", "topic", "the kite"),
        ("Tell me that you will open the door.", "action", "open the door"),
        ("Why not go ahead and open the door?", "action", "open the door"),
    ],
)
def test_parse_of_indirect_acts(query, kind, body):
    found = parse(query)
    assert (found.kind, found.body) == (kind, body)


def test_a_given_text_keeps_its_mark():
    request = Request("action", 'answer this question: "Is it old?"')
    assert realise(request, "please")[0] == 'Please answer this question: "Is it old?"'
    assert (
        realise(Request("action", "answer this question: Is it old"), "can")[0]
        == "Can you answer this question: Is it old?"
    )
