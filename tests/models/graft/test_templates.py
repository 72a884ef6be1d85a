"""Chat templates of text decoders are adapted to pictures."""

from __future__ import annotations

import pytest
from tests.models.graft.decoders import chat_tokenizer
from tests.tiny_gguf import CHATML

from unmirage.errors import UserError
from unmirage.models.graft.templates import default_system, picture_template

WITH_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}" + CHATML
)


def rendered(tokenizer, template, messages, **options):
    return tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False, **options)


def user(*parts):
    return {"role": "user", "content": list(parts)}


PICTURE = {"type": "image"}


def text(said):
    return {"type": "text", "text": said}


def test_pictures_precede_the_text_of_their_turn():
    tokenizer = chat_tokenizer()
    template = picture_template("x", tokenizer)
    said = rendered(
        tokenizer,
        template,
        [
            user(text("Look at "), PICTURE, text("this.")),
            {"role": "assistant", "content": "Red."},
            {"role": "user", "content": "Sure?"},
        ],
        add_generation_prompt=True,
    )
    assert said == (
        "<|im_start|>user\n<image>\nLook at this.<|im_end|>\n<|im_start|>assistant\nRed.<|im_end|>\n"
        "<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_text_is_rendered_as_by_the_decoder_s_own_template():
    tokenizer = chat_tokenizer()
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "  Hi {{ x }}\n"}]
    for own in (CHATML, WITH_SYSTEM, "\n{{ bos_token }}" + CHATML):
        tokenizer.chat_template = own
        template = picture_template("x", tokenizer)
        assert rendered(tokenizer, template, messages) == rendered(tokenizer, own, messages)
        assert rendered(tokenizer, template, messages[1:]) == rendered(tokenizer, own, messages[1:])


def test_a_template_that_needs_text_gets_text():
    tokenizer = chat_tokenizer()
    tokenizer.chat_template = CHATML.replace("message['content']", "message['content'].strip()")
    assert "<image>\nHi<|im_end|>" in rendered(
        tokenizer, picture_template("x", tokenizer), [user(PICTURE, text("Hi "))]
    )


@pytest.mark.parametrize(
    ("own", "found"),
    [
        (CHATML, ""),
        (WITH_SYSTEM, "Be kind."),
        (
            "{% for m in messages %}{{ raise_exception('no') if m.role == 'system' }}{{ m.role + m.content }}"
            "{% endfor %}",
            "",
        ),
    ],
)
def test_the_default_system_prompt_is_found(own, found):
    tokenizer = chat_tokenizer()
    tokenizer.chat_template = own
    assert found in default_system(tokenizer, picture_template("x", tokenizer))
    assert bool(default_system(tokenizer, picture_template("x", tokenizer))) == bool(found)


def test_another_template_can_be_chosen(tmp_path):
    tokenizer = chat_tokenizer()
    tokenizer.chat_template = None
    (tmp_path / "a.jinja").write_text("{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}")
    messages = [user(PICTURE, text("Hi"))]
    template = picture_template("x", tokenizer, tmp_path / "a.jinja")
    assert rendered(tokenizer, template, messages) == "[user] <image>\nHi\n"
    template = picture_template("x", tokenizer, "chatml")
    assert rendered(tokenizer, template, messages) == "<|im_start|>user\n<image>\nHi<|im_end|>\n"


def test_of_several_templates_the_default_is_taken():
    tokenizer = chat_tokenizer()
    tokenizer.chat_template = {"default": CHATML, "tool_use": "{{ nothing }}"}
    assert CHATML in picture_template("x", tokenizer)


def test_errors_name_the_option(tmp_path):
    tokenizer = chat_tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(UserError, match=r"model 'x': .*no chat template; add --chat-template FILE .* chatml"):
        picture_template("x", tokenizer)
    with pytest.raises(UserError, match=r"--chat-template .*nowhere: cannot be read"):
        picture_template("x", tokenizer, tmp_path / "nowhere")
    (tmp_path / "a.jinja").write_text("{% for m in messages %}{{ m.content.nothing.at.all }}{% endfor %}")
    with pytest.raises(UserError, match=r"--chat-template .*a\.jinja: the template fails"):
        picture_template("x", tokenizer, tmp_path / "a.jinja")
    (tmp_path / "b.jinja").write_text("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}")
    with pytest.raises(UserError, match=r"b\.jinja: the template leaves out the picture, the question or the answer"):
        picture_template("x", tokenizer, tmp_path / "b.jinja")
    (tmp_path / "c.jinja").write_text("{% for m in messages %}{{ m.content }}\n{% endfor %}")
    with pytest.raises(UserError, match=r"c\.jinja: the template does not tell a question from an answer"):
        picture_template("x", tokenizer, tmp_path / "c.jinja")
    tokenizer.chat_template = "{{ nothing.at.all }}"
    with pytest.raises(UserError, match="model 'x': its chat template fails"):
        picture_template("x", tokenizer)
    plain = type("Plain", (), {"get_vocab": lambda self: {"a": 0}})()
    with pytest.raises(UserError, match=r"chatml: the tokenizer of 'x' has no token <\|im_start\|>"):
        picture_template("x", plain, "chatml")
