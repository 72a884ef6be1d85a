import pytest
from pydantic import BaseModel, ConfigDict, Field

from unmirage.align import AlignConfig
from unmirage.errors import UserError
from unmirage.workflows.settings import resolve


class Method(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    beta: float = Field(default=0.1, gt=0)
    name: str = "npo"


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    epochs: int = 1
    words: tuple[str, ...] = ()
    method: Method = Method()


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_without_anything_the_defaults_hold():
    assert resolve(Config, None, {"seed": None}, None) == Config()


def test_file_then_options_then_set(write):
    file = write("seed: 1\nepochs: 1\nmethod:\n  beta: 0.5\n  name: file\n")
    found = resolve(Config, file, {"epochs": 2, "method.name": "option", "seed": None}, None)
    assert (found.seed, found.epochs, found.method.beta, found.method.name) == (1, 2, 0.5, "option")
    found = resolve(Config, file, {"epochs": 2, "method.name": "option"}, ["method.name=set", "epochs=3"])
    assert (found.seed, found.epochs, found.method.beta, found.method.name) == (1, 3, 0.5, "set")


def test_the_last_set_wins_and_zero_and_false_are_given():
    assert resolve(Config, None, {"seed": 5}, ["seed=1", "seed=2"]).seed == 2
    assert resolve(Config, None, {"seed": 0, "epochs": 0}, None).epochs == 0


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("words=[what, how]", "words", ("what", "how")),
        ("method={beta: 0.3, name: rmu}", "method", Method(beta=0.3, name="rmu")),
        ("method.beta=5e-7", "method", Method(beta=5e-7)),
        ("method.name='a=b'", "method", Method(name="a=b")),
        ("method.name=a=b", "method", Method(name="a=b")),
    ],
)
def test_values_are_read_as_yaml(text, field, value):
    assert getattr(resolve(Config, None, {}, [text]), field) == value


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["seeds=1"], "setting 'seeds': unknown; did you mean 'seed'?"),
        (["method.gamma=1"], "setting 'method.gamma': unknown; "),
        (["method.beta=0"], "setting 'method.beta': Input should be greater than 0, got 0"),
        (
            ["seed=x", "epochs=y"],
            "setting 'seed': Input should be a valid integer, unable to parse string as",
        ),
        (["seed"], "--set seed: expected KEY=VALUE, such as method.beta=0.2"),
        (["=1"], "--set =1: expected KEY=VALUE, such as method.beta=0.2"),
        (["seed=1", "seed.x=1"], "--set seed.x: 'seed' is a value, not a group of settings"),
        (["seed=[1"], "--set seed=[1: invalid YAML (while parsing a flow sequence"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_field(settings, message):
    with pytest.raises(UserError) as error:
        resolve(Config, None, {}, settings)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_message_that_names_the_value_does_not_repeat_it():
    with pytest.raises(UserError) as error:
        resolve(AlignConfig, None, {}, ["method.name=nop"])
    assert str(error.value).startswith("setting 'method': unknown method 'nop'; valid: ")
    assert str(error.value).endswith("Did you mean 'npo'?")


def test_further_mistakes_are_counted():
    with pytest.raises(UserError, match=r"got 'x' \(and 2 more\)$"):
        resolve(Config, None, {}, ["seed=x", "epochs=y", "other=1"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seed: [1\n", "invalid YAML (while parsing a flow sequence"),
        ("- seed\n", "not a mapping of settings"),
        ("", "not a mapping of settings"),
        ("seed: !!python/object/apply:os.getcwd []\n", "invalid YAML (could not determine a constructor"),
        (b"seed: \xff\n", "invalid UTF-8 (byte 6)"),
        ("sead: 1\n", "setting 'sead': unknown; did you mean 'seed'?"),
        ("method: {bta: 1}\n", "setting 'method.bta': unknown; did you mean 'method.beta'?"),
    ],
)
def test_a_bad_file_is_named(write, content, message):
    file = write(content)
    with pytest.raises(UserError) as error:
        resolve(Config, file, {}, None)
    assert str(error.value).startswith(f"{file}: {message}")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: no such file"):
        resolve(Config, tmp_path / "none.yaml", {}, None)
