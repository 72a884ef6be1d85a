import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.text.markup import Slot, joined, pieces

SLOT = Slot()


@pytest.mark.parametrize(
    "mark",
    [
        "<image>", "<Image>", "<|image|>", "<|image_1|>", "<image 1>", "<image_1>", "<|image_pad|>",
        "<|vision_start|><|image_pad|><|vision_end|>", "<|vision_start|><|image_pad|><|image_pad|><|vision_end|>",
        "<img><IMG_CONTEXT><IMG_CONTEXT></img>", "<IMG_CONTEXT>", "<ImageHere>", "<img><ImageHere></img>",
        "<|begin_of_image|><|image|><|end_of_image|>", "(<image>./</image>)", "<start_of_image>", "<image_placeholder>",
        "<|media_begin|>image<|media_content|><|media_pad|><|media_end|>", "[IMG]",
        "[IMG][IMG][IMG_BREAK][IMG][IMG_END]",
        "<im_start><im_patch><im_patch><im_end>", "<fake_token_around_image><image><fake_token_around_image>",
        "<img>a/b.png</img>", "Picture 1: <img>a/b.png</img>", "Image-1: <image>", "Image: <image>",
    ],
)  # fmt: skip
@pytest.mark.parametrize("between", ["", "\n", " "])
def test_every_ecosystems_placeholder_is_one_picture_before_the_text(mark, between):
    text, ((slot, at),) = joined(pieces(f"{mark}{between}What is it?"))
    assert (text, at) == ("What is it?", 0)
    assert slot.path in (None, "a/b.png")


@pytest.mark.parametrize(
    ("given", "text", "places"),
    [
        ("What is it?\n<image>", "What is it?", [11]),
        ("<image>\n<image>\nWhich?", "Which?", [0, 0]),
        ("Compare <image> with <image>.", "Compare  with .", [8, 14]),
        ("Image-1: <image>\nImage-2: <image>\nWhat differs?", "Image-1: \nImage-2: \nWhat differs?", [9, 19]),
        ("  <image>  ", "", [0]),
        ("<image> a <image>", "a", [0, 1]),
        ("Q: <image>\nWhat?", "Q: \nWhat?", [3]),
    ],
)
def test_pictures_keep_their_places(given, text, places):
    assert joined(pieces(given)) == (text, [(SLOT, at) for at in places])


@pytest.mark.parametrize(
    "text", ["a <b> c", "x < y [1]", '<img src="a.png">', "[IMGs]", "", " ", "<imagery>", "a\n<img> b"]
)
def test_other_text_is_left_alone(text):
    assert joined(pieces(text)) == (text, [])


def test_numbers_and_paths_are_kept():
    assert [slot for slot, _ in joined(pieces("Is <image 2> like <|image_1|>?"))[1]] == [Slot(None, 2), Slot(None, 1)]
    assert joined(pieces("<img>x y.png</img>"))[1] == [(Slot("x y.png"), 0)]


TEXTS = st.text(st.sampled_from("ab \n."), max_size=6)


@given(parts=st.lists(TEXTS, min_size=1, max_size=5))
def test_placeholders_between_texts_are_found_where_they_are(parts):
    given_text = "<image>".join(parts)
    text, places = joined(pieces(given_text))
    assert len(places) == len(parts) - 1
    offsets = [at for _, at in places]
    assert offsets == sorted(offsets)
    assert all(0 <= at <= len(text) for at in offsets)
    cut = [text[a:b] for a, b in zip([0, *offsets], [*offsets, len(text)], strict=True)]
    assert [one.strip() for one in cut] == [one.strip() for one in parts]
    if len(parts) > 1 and parts[0].strip() and parts[-1].strip():
        assert cut == parts
