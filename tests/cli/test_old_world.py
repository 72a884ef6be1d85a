"""Run directories of the first synthetic world, in which training data shows evaluation devices, are refused."""

import pytest
import yaml

# As the first world's commands wrote it, but for the settings of models, which differ by command.
OLD = {
    "images": "data",
    "corpus": {"base_pictures": 1440, "base": 7200, "unsafe_pictures": 400, "safe_pictures": 400, "general": 900,
               "test_unsafe_pictures": 120, "test_safe_pictures": 150, "utility": 200, "near": 100},
    "vision": {"steps": 500, "batch_size": 160, "learning_rate": 0.003},
    "shots": 3,
    "models": {},
}  # fmt: skip


def tree(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("command", "place", "more"),
    [
        (("demo",), "", {"demo": True}),
        (("study", "methods"), "seed-1", {"study": "methods", "seed": 1, "questions": 0.5}),
        (("study", "relearn"), "seed-2", {"study": "methods", "seed": 2, "questions": 0.5}),
        (("study", "relearn", "--seed", "2"), "seed-2", {"study": "methods", "seed": 2, "questions": 0.5}),
        (("study", "settings"), "", {"seed": 0}),
    ],
    ids=["demo", "methods", "relearn", "relearn of one seed", "settings"],
)
def test_a_study_of_the_old_world_is_refused_by_name(unmirage, tmp_path, command, place, more):
    out_dir = tmp_path / "out"
    (out_dir / place).mkdir(parents=True)
    (out_dir / place / "config.yaml").write_text(yaml.safe_dump(more | OLD))
    before = tree(tmp_path)
    code, out, err = unmirage(*command, "--out", out_dir)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert f"{out_dir / place}: made with an earlier version of the synthetic world" in line
    assert line.endswith("Name a new directory with --out")
    assert tree(tmp_path) == before


@pytest.mark.parametrize("place", ["audit.json", "seed-0/audit.json"])
def test_a_demo_of_another_version_is_refused_before_the_work(unmirage, tmp_path, place):
    out_dir = tmp_path / "out"
    (out_dir / place).parent.mkdir(parents=True)
    (out_dir / "config.yaml").write_text("demo: true\nworld: {}\n")
    (out_dir / place).write_text('{"schema": "unmirage.audit/1"}')
    before = tree(tmp_path)
    code, out, err = unmirage("demo", "--out", out_dir)
    assert (code, out) == (2, "")
    assert f"{out_dir / place}: another version of unmirage wrote it (unmirage.audit/1)" in err
    assert tree(tmp_path) == before
