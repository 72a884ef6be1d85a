import pytest

from unmirage.text.thoughts import final_answer, split_reasoning


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
        ("Write <think>x</think> first.", "", "Write <think>x</think> first."),
        (" no tags ", "", " no tags "),
        ("a < b [1]", "", "a < b [1]"),
        ("", "", ""),
    ],
)
def test_the_answer_is_what_follows_the_reasoning(text, reasoning, answer):
    assert split_reasoning(text) == (reasoning, answer)
    assert final_answer(text) == answer
