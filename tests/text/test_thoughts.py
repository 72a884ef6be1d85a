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
        ("a < b [1]", "", "a < b [1]"),
        ("", "", ""),
    ],
)
def test_the_answer_is_what_follows_the_reasoning(text, reasoning, answer):
    assert split_reasoning(text) == (reasoning, answer)
    assert final_answer(text) == answer
