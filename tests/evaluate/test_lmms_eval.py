"""A program that stands for lmms-eval: it keeps its arguments, and leaves results of the real shape."""

import json
import sys

import pytest

from unmirage.errors import UserError
from unmirage.evaluate.lmms_eval import Metric, read_results, run_lmms_eval

RESULTS = {
    "results": {
        "mme": {"alias": "mme", "mme_cognition_score,none": 300.5, "mme_cognition_score_stderr,none": "N/A"},
        "gqa": {"exact_match,none": 0.62, "exact_match_stderr,none": 0.01, " ": " ", "samples": 12578},
        "gsm": {"exact_match,strict": 0.5, "exact_match_stderr,strict": 0.1, "exact_match,flexible": 1},
        "vino": {"score,none": [62.5, 58.0]},
    },
    "configs": {"mme": {"task": "mme"}},
    "versions": {"mme": "Yaml"},
    "n-samples": {"mme": {"original": 2374, "effective": 2374}},
    "config": {"model": "llava_hf", "bootstrap_iters": 100000},
    "model_name_sanitized": "org__model",
}
FOUND = {
    "mme": {"mme_cognition_score": Metric(300.5, None)},
    "gqa": {"exact_match": Metric(0.62, 0.01)},
    "gsm": {"exact_match,strict": Metric(0.5, 0.1), "exact_match,flexible": Metric(1.0, None)},
    "vino": {},
}


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Return a function that puts a program called "python" on the PATH, which runs the code given."""

    def fake(code):
        (tmp_path / "bin").mkdir(exist_ok=True)
        program = tmp_path / "bin/python"
        program.write_text(f"#!{sys.executable}\nimport json, pathlib, sys\n{code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    return fake


WRITES = f"""
out = pathlib.Path(sys.argv[sys.argv.index("--output_path") + 1])
(out / "org__model").mkdir(parents=True, exist_ok=True)
(out / "arguments.json").write_text(json.dumps(sys.argv[1:]))
number = len(list(out.rglob("*_results.json")))
(out / f"org__model/2026010{{number}}_000000_results.json").write_text({json.dumps(RESULTS)!r})
"""


def test_the_command_and_what_it_found(fake, tmp_path):
    fake(WRITES)
    out = tmp_path / "out"
    found = run_lmms_eval(
        "org/model; rm -rf $HOME", ["mme", "gqa"], out, model_args={"dtype": "bfloat16"}, batch_size=2, limit=8
    )
    assert found == FOUND
    assert json.loads((out / "arguments.json").read_text()) == [
        *("-m", "lmms_eval", "--model", "llava_hf"),
        *("--model_args", "pretrained=org/model; rm -rf $HOME,dtype=bfloat16"),
        *("--tasks", "mme,gqa", "--batch_size", "2", "--output_path", str(out), "--limit", "8"),
    ]


def test_a_second_run_reads_its_own_results(fake, tmp_path):
    fake(WRITES)
    run_lmms_eval("m", ["mme"], tmp_path / "out")
    fake(WRITES.replace("300.5", "301.5"))
    assert run_lmms_eval("m", ["mme"], tmp_path / "out")["mme"]["mme_cognition_score"].value == 301.5


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("sys.exit(f'{sys.executable}: No module named lmms_eval')", "lmms-eval: not installed for 'python'; pip inst"),
        (
            "print('loading'); sys.exit('ValueError: no such task')",
            r"exited with status 1 \(ValueError: no such task\)",
        ),
        ("sys.exit(3)", r"exited with status 3 \(no output\); see .*lmms_eval\.log"),
        ("", r"out: lmms-eval succeeded but wrote no \*_results\.json; see .*lmms_eval\.log"),
    ],
)
def test_what_goes_wrong_is_one_line(fake, tmp_path, code, problem):
    fake(code)
    with pytest.raises(UserError, match=problem) as caught:
        run_lmms_eval("m", ["mme"], tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_missing_program_is_one_line_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UserError, match=r"'python' not found\. Pass a Python executable with lmms-eval, or pip install lm"
    ):
        run_lmms_eval("m", ["mme"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"tasks": []}, "tasks: no task given; `python -m lmms_eval --tasks list` lists the valid names"),
        ({"tasks": ["--apply"]}, "tasks: '--apply' is not a valid name"),
        ({"tasks": ["a,b"]}, "tasks: 'a,b' is not a valid name"),
        ({"model_args": {"dtype": "a,b=c"}}, "model_args: dtype=a,b=c cannot be passed to lmms-eval"),
    ],
)
def test_arguments_that_lmms_eval_would_misread_are_refused(fake, tmp_path, arguments, problem):
    fake(WRITES)
    with pytest.raises(UserError, match=problem):
        run_lmms_eval("m", **({"tasks": ["mme"]} | arguments), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "invalid JSON"),
        ("[]", "field 'results': .*; valid: results of lmms-eval by task"),
        ("{}", "field 'results': Field required"),
        ('{"results": {"mme": 3}}', r"field 'results\.mme': "),
    ],
)
def test_results_of_another_shape_are_named(tmp_path, text, problem):
    path = tmp_path / "x_results.json"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"x_results\.json: {problem}") as caught:
        read_results(path)
    assert "\n" not in str(caught.value)
