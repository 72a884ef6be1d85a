"""Recipes load as the command line loads them and train; the commands of the page that uses them are commands."""

import dataclasses
import math
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import typer
import yaml

from unmirage.align import AlignConfig, AlignData, align
from unmirage.align.config import down_layers
from unmirage.cli.main import app
from unmirage.data.split import forget, retain
from unmirage.workflows.settings import resolve

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "src/unmirage/recipes"
RECIPES = sorted(FOLDER.glob("*.yaml"))
PAGE = ROOT / "docs" / "reproduce-paper.md"
SIZE_BOUND = {"batch_size": 4, "micro_batch_size": 2, "steps": 2}  # all else is run as it is


def _names(path: Path) -> str:
    return path.stem


def _load(recipe: Path) -> AlignConfig:
    return resolve(AlignConfig, recipe, {}, None)


def _tiny(config: AlignConfig) -> AlignConfig:
    """Return the recipe for a model of four layers of 128."""
    options: dict[str, object] = dict(SIZE_BOUND)
    if config.method.name == "rmu":
        options["method"] = config.method.model_copy(update={"layer": 3})
    if config.lora is not None:
        options["lora"] = config.lora.model_copy(update={"rank": 4, "alpha": 8.0})
    if not isinstance(config.trainable, dict):
        options["trainable"] = tuple("down_proj:1-3" if down_layers(part) else part for part in config.trainable)
    return config.model_copy(update=options)


def test_there_is_a_recipe_for_each_run_of_the_paper() -> None:
    runs = {
        f"{method}-{kind}-{size}" for method in ("npo", "rmu") for kind in ("full", "lora") for size in ("7b", "13b")
    }
    official = {f"{name}-official" for name in runs if name.endswith("7b")}
    assert {recipe.stem for recipe in RECIPES} == runs | official | {"sft-posthoc-7b", "sft-mixed-7b", "sft-lora-7b"}


@pytest.mark.parametrize("recipe", RECIPES, ids=_names)
def test_a_recipe_is_what_its_name_says(recipe: Path) -> None:
    config = _load(recipe)
    method, kind, *_ = recipe.stem.split("-")
    assert config.method.name == method
    assert (config.lora is not None) == (kind == "lora")
    assert (config.method.compat == "official") == recipe.stem.endswith("-official")


@pytest.mark.parametrize("recipe", RECIPES, ids=_names)
def test_every_value_says_where_it_comes_from(recipe: Path) -> None:
    text = recipe.read_text(encoding="utf-8")
    assert all(len(line) <= 120 for line in text.splitlines())
    tags = "paper|code|ours|vlguard|llava|Zhang"
    for line in text.splitlines():
        named = re.match(r"\s*(\w+): \S", line)
        if named and named[1] not in ("name", "compat") and not line.startswith("#"):
            assert re.search(rf"# ({tags})\b", line), f"{recipe.name}: {line}"


RETAIN_SAMPLES, GPUS = 2000, 8
# The authors' scripts in scripts/v1_5, commit 1f89239, as they name things; layers from 0.
SCRIPTS: dict[str, dict[str, float]] = {
    "npo-full": {  # finetune_unlearn_npo.sh
        "learning_rate": 5e-7, "epochs": 1, "rows": 1, "beta": 0.9, "weight": 1.0, "retain_alpha": 1.0,
    },
    "npo-lora": {  # finetune_unlearn_lora.sh, with the default of npo_retain_alpha
        "learning_rate": 1.1e-5, "epochs": 10, "rows": 8, "beta": 0.7, "weight": 1.0, "retain_alpha": 0.0,
        "lora_r": 128, "lora_alpha": 256,
    },
    "rmu-full": {  # finetune_unlearn.sh
        "learning_rate": 10e-7, "epochs": 10, "rows": 1, "coeff": 10, "layer": 7, "weight": 1.0, "retain_alpha": 1.0,
    },
    "rmu-lora": {  # finetune_unlearn_lora.sh
        "learning_rate": 1.1e-5, "epochs": 10, "rows": 8, "coeff": 10, "layer": 15, "weight": 1.2, "retain_alpha": 0.0,
        "lora_r": 128, "lora_alpha": 256,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_official_recipes_hold_the_values_of_the_authors_scripts(name: str) -> None:
    config, script = _load(FOLDER / f"{name}-7b-official.yaml"), SCRIPTS[name]
    rows = script["rows"] * GPUS
    assert config.learning_rate == pytest.approx(script["learning_rate"])
    assert (config.micro_batch_size, config.batch_size) == (script["rows"], rows)
    assert config.steps == math.ceil(script["epochs"] * RETAIN_SAMPLES / rows)
    assert (config.schedule, config.warmup, config.weight_decay) == ("cosine", 0.03, 0)
    method = config.method
    assert (method.gamma, method.ce, method.alpha) == (1, script["weight"], script["retain_alpha"])
    assert method.separate_retain == (script["retain_alpha"] > 0)
    if "beta" in script:
        assert method.beta == script["beta"]
        assert method.retain_term == "npo"
    else:
        assert (method.scale, method.layer) == (script["coeff"], script["layer"] + 1)
    if config.lora is not None:
        assert (config.lora.rank, config.lora.alpha) == (script["lora_r"], script["lora_alpha"])
    expected = {"projector", "down_proj:6-8"} if name == "rmu-full" else {"language", "projector"}
    assert set(config.trainable) == expected


def test_llavas_own_recipe_trains_the_projector_whole_at_its_own_rate(tiny) -> None:
    config = _load(FOLDER / "sft-lora-7b.yaml")
    assert config.trainable == {"language": "lora", "projector": "full", "vision": "frozen"}
    assert config.lora is not None
    assert (config.lora.rank, config.lora.alpha, config.lora.dropout) == (128, 256, 0.05)
    assert (config.learning_rate, config.learning_rates) == (2e-4, {"projector": 2e-5})
    assert (config.batch_size, config.micro_batch_size, config.epochs) == (16 * GPUS, 16, 1)
    before, vlm = tiny.load().model.state_dict(), tiny.load()
    align(vlm, AlignData(retain=tiny.samples("safety"), images=tiny.images), _tiny(config))
    changed = {name.split(".")[1] for name, one in vlm.model.state_dict().items() if not one.equal(before[name])}
    assert changed == {"language_model", "multi_modal_projector"}


def test_layers_of_the_rmu_recipes_count_from_one() -> None:
    """The authors' `layers[7]` and `layers[15]`, and the matrices of 5 to 7, all from 0."""
    full, lora = (_load(FOLDER / f"rmu-{kind}-7b.yaml") for kind in ("full", "lora"))
    assert (full.method.layer, lora.method.layer) == (8, 16)
    assert [layer for part in full.trainable for layer in down_layers(part)] == [6, 7, 8]


@pytest.mark.parametrize("recipe", RECIPES, ids=_names)
def test_no_rmu_recipe_trains_only_above_the_layer_it_misdirects(recipe: Path) -> None:
    config = _load(recipe)
    layers = [layer for part in config.trainable for layer in down_layers(part)]
    assert all(layer <= config.method.layer for layer in layers)


@pytest.mark.parametrize("recipe", RECIPES, ids=_names)
def test_a_recipe_trains(recipe: Path, tiny) -> None:
    config = _tiny(_load(recipe))
    safety = tiny.samples("safety")
    harmful = {sample.id: "You need amber, moss and tin." for sample in safety}
    unlearns = config.method.name != "sft"
    data = AlignData(
        retain=retain(safety, tiny.samples("general")) if unlearns else safety,
        forget=forget(safety, harmful) if unlearns else (),
        images=tiny.images,
    )
    before = tiny.load().model.state_dict()
    vlm = tiny.load()
    result = align(vlm, data, config)
    assert result.steps == 2
    assert not result.stopped
    assert result.parts[0].get("cross_entropy", 0) > 0
    assert any(not tensor.equal(before[name]) for name, tensor in vlm.model.state_dict().items())


# --- the page ---


@dataclasses.dataclass(frozen=True)
class Command:
    """One `unmirage ...` of the page."""

    words: tuple[str, ...]

    @property
    def options(self) -> list[str]:
        return [word.partition("=")[0] for word in self.words if word.startswith("--")]


def _shell_lines(page: Path) -> list[str]:
    """Return the command lines of all fenced blocks that are shell, joined over backslashes, without comments."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    shell = [block.replace("\\\n", " ") for language, block in blocks if language in ("", "bash", "sh")]
    return [re.sub(r"(^|\s)#.*", "", line) for block in shell for line in block.splitlines()]


def _commands(page: Path) -> list[Command]:
    """Return every `unmirage` command: after a shell's `;`, `&&`, `do`, and behind `accelerate launch`."""
    found: list[Command] = []
    for line in _shell_lines(page):
        line = line.replace("$(which unmirage)", "unmirage")
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|>")
        lexer.whitespace_split = True
        lexer.commenters = ""  # `#` within a word, as in a server's address, begins no comment
        words: list[str] = []
        for word in [*lexer, ";"]:
            if not set(word) <= set(";&|>"):
                words.append(word)
                continue
            if "unmirage" in words:
                found.append(Command(tuple(words[words.index("unmirage") + 1 :])))
            words = []
    return found


CLI = typer.main.get_command(app)
COMMANDS = _commands(PAGE)


def test_the_page_holds_every_stage() -> None:
    named = {command.words[0] for command in COMMANDS}
    assert {"convert", "audit", "prepare", "align", "attack", "evaluate", "report", "demo"} <= named


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command.words)[:60])
def test_a_command_of_the_page_is_one(command: Command) -> None:
    name, *words = command.words
    assert name in CLI.list_commands(typer.Context(CLI)), f"no command '{name}'"
    # Parses options, their types and the number of arguments; nothing is run.
    context = CLI.get_command(typer.Context(CLI), name).make_context(name, list(words), resilient_parsing=False)
    known = {option for parameter in CLI.get_command(typer.Context(CLI), name).params for option in parameter.opts}
    assert set(command.options) <= known
    assert context.params


def _files_named(page: Path) -> set[str]:
    return set(re.findall(r"\brecipes/[\w/.-]+\.yaml", page.read_text(encoding="utf-8")))


def test_every_recipe_that_the_page_names_exists() -> None:
    ours = {name for name in _files_named(PAGE) if not name.startswith("recipes/accelerate/")}
    assert ours
    assert [name for name in sorted(ours) if not (FOLDER.parent / name).is_file()] == []


def test_every_recipe_of_a_command_is_named_and_shipped() -> None:
    given = {word for command in COMMANDS for flag, word in pairwise(command.words) if flag == "--config"}
    assert {"npo-lora-7b", "npo-full-7b-official"} <= given
    assert {name for name in given if "$" not in name} <= {recipe.stem for recipe in RECIPES}


def test_every_accelerate_config_that_the_page_names_exists() -> None:
    named = {name for name in _files_named(PAGE) if name.startswith("recipes/accelerate/")}
    assert named
    assert [name for name in sorted(named) if not (FOLDER.parent / name).is_file()] == []


def test_settings_that_the_page_sets_are_settings() -> None:
    for command in COMMANDS:
        if command.words[0] == "align":
            words = list(command.words)
            given = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
            recipe = Path(words[words.index("--config") + 1]) if "--config" in words else None
            method = words[words.index("--method") + 1] if "--method" in words else None
            recipe = None if recipe is not None and "$" in recipe.name else recipe  # a shell variable
            resolve(AlignConfig, recipe, {"method.name": method}, given)


def test_the_papers_numbers_are_said_to_be_the_papers() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "the paper's numbers, not ours" in text.lower()
    assert "have not been run on the 7b model" in text.lower()


@pytest.mark.parametrize("recipe", RECIPES, ids=_names)
def test_numbers_are_numbers_to_yaml(recipe: Path) -> None:
    """YAML reads 5e-7 as text and 5.0e-7 as a number."""
    loaded = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    assert isinstance(loaded["learning_rate"], float)
