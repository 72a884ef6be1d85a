import json

import pytest

from unmirage.errors import UserError
from unmirage.evaluate.results import Results


def test_what_is_written_is_read(run):
    assert next(iter(Results.load(run.results_file).models)) == "base"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "unmirage.results/3"}, "schema is 'unmirage.results/3'; valid: 'unmirage.results/2'"),
        ({"schema": None}, "schema is missing; valid: 'unmirage.results/2'"),
        ({"models": {}}, "models: Dictionary should have at least 1 item"),
        ({"models": {"a\x1b[1m\nb": {}}}, "models.a\\nb.asr: Field required"),
        ({"seeds": ["0"]}, "seeds.0: Input should be a valid integer"),
        ({"timings": {"train": -1}}, "timings.train: Input should be greater than or equal to 0"),
    ],
)
def test_a_wrong_field_is_named_in_one_line(run, tmp_path, change, message):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(json.loads(run.results_file.read_text()) | change))
    with pytest.raises(UserError) as error:
        Results.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message.replace("\\n", " ") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_rate_in_per_cent_is_refused(run, tmp_path):
    document = json.loads(run.results_file.read_text())
    document["models"]["npo"]["asr"]["after"]["value"] = 71
    path = tmp_path / "results.json"
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match=r"models\.npo\.asr\.after\.value: .* less than or equal to 1"):
        Results.load(path)


def test_results_without_the_newer_rates_are_read(run, tmp_path):
    document = json.loads(run.results_file.read_text())
    models = [*document["models"].values(), *(one for seed in document["by_seed"] for one in seed["models"].values())]
    for model in models:
        for key in ("by_shot", "control_by_k", "by_kind"):
            del model["asr"][key]
        del model["rr"]["by_kind"]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(document))
    npo = Results.load(path).models["npo"]
    assert (npo.asr.by_shot, npo.asr.control_by_k, npo.asr.by_kind, npo.rr.by_kind) == ((), (), {}, {})
