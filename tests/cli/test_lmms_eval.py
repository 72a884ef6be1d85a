"""`unmirage evaluate --lmms-eval` with a program that stands for it."""

import json
import sys


def program(folder, code):
    path = folder / "python-with-lmms"
    path.write_text(f"#!{sys.executable}\nimport json, pathlib, sys\n{code}\n")
    path.chmod(0o755)
    return path


WRITES = """
out = pathlib.Path(sys.argv[sys.argv.index("--output_path") + 1])
(out / "m").mkdir(parents=True)
found = {"results": {"pope": {"f1,none": 0.8, "f1_stderr,none": 0.02}}}
(out / "m" / "2026_results.json").write_text(json.dumps(found))
(out / "arguments.json").write_text(json.dumps(sys.argv[1:]))
"""


def test_the_tasks_are_run_and_their_metrics_kept(unmirage, tmp_path):
    python = program(tmp_path, WRITES)
    out = tmp_path / "lmms"
    code, said, err = unmirage(
        "evaluate", "models/npo", "--lmms-eval", "pope, mme", "--out", out, "--lmms-python", python, "--limit", 7
    )
    assert code == 0, err
    assert "f1" in said
    assert "0.8" in said
    document = json.loads((out / "lmms_eval.json").read_text())
    assert document["tasks"] == {"pope": {"f1": {"value": 0.8, "stderr": 0.02}}}
    given = json.loads((out / "arguments.json").read_text())
    assert given[given.index("--tasks") + 1] == "pope,mme"
    assert given[given.index("--limit") + 1] == "7"


def test_what_is_missing_is_one_line(unmirage, tmp_path):
    code, _, err = unmirage("evaluate", "m", "--lmms-eval", "pope")
    assert (code, "--out: missing" in err) == (2, True)
    code, _, err = unmirage("evaluate", "m", "--lmms-eval", " , ", "--out", tmp_path)
    assert (code, "--lmms-eval: empty; name tasks" in err) == (2, True)
    code, _, err = unmirage(
        "evaluate", "m", "--lmms-eval", "pope", "--out", tmp_path, "--lmms-python", "no-such-python"
    )
    assert (code, "'no-such-python' not found" in err) == (2, True)
