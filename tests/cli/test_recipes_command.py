"""`unmirage recipes`, and recipes by name in `align --config`."""

import json
from pathlib import Path

import pytest
import yaml

from unmirage.align import AlignConfig
from unmirage.errors import UserError
from unmirage.workflows.recipes import FOLDER, copy_recipes, recipe_names
from unmirage.workflows.settings import resolve

FILES = {path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.yaml")}


def test_all_recipes_are_listed_with_what_they_are(unmirage):
    code, out, _ = unmirage("recipes", "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)["recipes"]}
    assert {f"{name}.yaml" for name in rows} == FILES
    assert list(rows)[-4:] == ["accelerate/ddp", "accelerate/fsdp2", "accelerate/single", "accelerate/zero3"]
    assert rows["npo-lora-7b"]["summary"] == "NPO, LoRA, LLaVA-1.5-7B"
    assert rows["rmu-lora-7b-official"]["summary"] == (
        "RMU, LoRA, LLaVA-1.5-7B, with the losses of the authors' code and the values of their script "
        "scripts/v1_5/finetune_unlearn_lora.sh"
    )
    assert all(row["summary"] and Path(row["path"]).is_file() for row in rows.values())
    code, out, _ = unmirage("recipes")
    assert code == 0
    assert all(name in out for name in rows)


def test_a_recipe_is_printed_as_it_is(unmirage):
    assert unmirage("recipes", "show", "npo-lora-7b")[:2] == (0, (FOLDER / "npo-lora-7b.yaml").read_text())


def test_all_or_some_recipes_are_copied_and_copied_again(unmirage, tmp_path):
    code, out, _ = unmirage("recipes", "copy", "--out", tmp_path / "all")
    assert code == 0
    copied = {path.relative_to(tmp_path / "all").as_posix() for path in (tmp_path / "all").rglob("*") if path.is_file()}
    assert copied == FILES
    assert len(out.splitlines()) == len(FILES)
    for _ in range(2):
        assert unmirage("recipes", "copy", "accelerate/ddp", "sft-mixed-7b", "--out", tmp_path / "some")[0] == 0
    assert (tmp_path / "some/accelerate/ddp.yaml").read_text() == (FOLDER / "accelerate/ddp.yaml").read_text()
    assert len(list((tmp_path / "some").rglob("*.yaml"))) == 2


def test_a_changed_copy_is_not_overwritten_and_nothing_is_written(tmp_path):
    (tmp_path / "sft-mixed-7b.yaml").write_text("steps: 1\n")
    with pytest.raises(UserError, match=r"sft-mixed-7b\.yaml: exists and differs from the recipe; move it, or name"):
        copy_recipes((), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["sft-mixed-7b.yaml"]


def test_an_unknown_recipe_suggests_the_nearest(unmirage):
    code, _, err = unmirage("recipes", "show", "npo-lora-7")
    assert code == 2
    assert err.endswith("Did you mean 'npo-lora-7b'?\n")


@pytest.mark.parametrize("given", ["npo-lora-7b", "npo-lora-7b.yaml", "recipes/npo-lora-7b.yaml"])
def test_settings_come_from_the_recipe_of_that_name(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    by_name = resolve(AlignConfig, Path(given), {"steps": 3}, ["lora.rank=8"])
    by_file = resolve(AlignConfig, FOLDER / "npo-lora-7b.yaml", {"steps": 3}, ["lora.rank=8"])
    assert by_name == by_file
    assert (by_name.steps, by_name.lora.rank, by_name.learning_rate) == (3, 8, 1.1e-5)


def test_a_file_of_that_name_has_precedence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "npo-lora-7b").write_text("steps: 7\n")
    assert resolve(AlignConfig, Path("npo-lora-7b"), {}, None) == AlignConfig(steps=7)


@pytest.mark.parametrize("given", ["npo-lora", "accelerate/ddp", "runs/npo-lora-7b.yaml"])
def test_neither_file_nor_recipe(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=rf"{given}: no such file; nor a recipe of that name, which `unmirage"):
        resolve(AlignConfig, Path(given), {}, None)


def test_every_name_is_unique_and_every_file_is_yaml():
    assert len(set(recipe_names())) == len(FILES)
    assert all(isinstance(yaml.safe_load((FOLDER / name).read_text()), dict) for name in FILES)
