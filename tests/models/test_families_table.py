"""The table of all model types: the page shows the committed results, tiny models are tiny, and a bad type is said."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from types import ModuleType

import pytest
from tests.committed import RESULTS, ROOT, benchmark, shown

from unmirage.errors import UserError
from unmirage.models.untested import TESTED

PAGE = "docs/families.md"


@pytest.fixture(scope="module")
def committed():
    return json.loads((RESULTS / "families.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module", autouse=True)
def _benchmarks_import_each_other() -> Iterator[None]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield
    sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def families() -> ModuleType:
    return benchmark("families")


@pytest.fixture(scope="module")
def shrinking() -> ModuleType:
    return benchmark("families_shrink")


def test_the_page_shows_the_committed_results(families, committed):
    assert shown(PAGE, families.MARKER) == families.table(committed["rows"]).strip()
    assert shown(PAGE, families.REASONS) == families.reasons(committed["rows"]).strip()


def test_every_type_of_the_library_has_a_row(shrinking, committed):
    if committed["transformers"] != version("transformers"):
        pytest.skip(f"the table is of transformers {committed['transformers']}")
    assert sorted(committed["rows"]) == shrinking.types()


def test_no_cell_failed(committed):
    cells = {(name, column): cell for name, row in committed["rows"].items() for column, cell in row.items()}
    assert not [(place, cell) for place, cell in cells.items() if cell[0] == "failed"]
    assert not [place for place, cell in cells.items() if cell[0] == "no" and "\n" in cell[1]]


def test_tested_types_answer_and_train(committed):
    for name in sorted(TESTED):
        row = committed["rows"][name]
        refused = {
            key for key in ("load", "parts", "full", "lora", "rmu", "estimate") if row[key][0] in ("no", "failed")
        }
        # Its decoder layers give several hidden states per token.
        assert refused == ({"rmu"} if name == "gemma3n" else set()), (name, refused)
        assert "yes" in (row["text"][0], row["image"][0]) or row["load"][0] == "skip", name


def test_sizes_shrink_and_every_kind_of_layer_stays(shrinking):
    found = shrinking.shrink(
        {
            "hidden_size": 4096, "num_hidden_layers": 6, "num_attention_heads": 32, "num_key_value_heads": 8,
            "layer_types": ["sliding", "sliding", "sliding", "sliding", "sliding", "full"], "use_cache": True,
            "image_token_id": 151655, "video_token_id": 151656, "eos_token_id": 151645, "spatial_merge_size": 2,
            "vision_config": {"depth": 27, "patch_size": 14, "hidden_size": 1152},
        }
    )  # fmt: skip
    assert found["layer_types"] == ["sliding", "sliding", "sliding", "full"]
    assert found["num_hidden_layers"] == 4
    assert (found["num_attention_heads"], found["num_key_value_heads"], found["hidden_size"]) == (4, 2, 32)
    assert (found["use_cache"], found["spatial_merge_size"], found["eos_token_id"]) == (True, 2, 2)
    assert found["image_token_id"] != found["video_token_id"]
    assert max(found["image_token_id"], found["video_token_id"]) < shrinking.VOCABULARY
    assert found["vision_config"] == {"depth": 4, "patch_size": 8, "hidden_size": 32}


@pytest.mark.parametrize("model_type", ["llava", "gemma4", "kimi_k25"])
def test_models_are_tiny(shrinking, model_type):
    model = shrinking.tiny_model(model_type)
    assert model.config.model_type == model_type
    assert sum(parameter.numel() for parameter in model.parameters()) < 1_000_000
    assert model.config.image_token_id < shrinking.VOCABULARY


@pytest.mark.parametrize(
    ("code", "seconds", "reason"),
    [
        ("import time; time.sleep(600)", 2.0, "not done after 2 seconds"),
        ("import sys; sys.exit('boom')", 60.0, "the process ended with 1: boom"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 60.0, "the process ended with -9: no output"),
        ("bytearray(2**32)", 60.0, "MemoryError"),
    ],
)
def test_a_process_that_fails_or_hangs_is_a_failed_row(families, code, seconds, reason):
    row = families.run([sys.executable, "-c", code], seconds, 2.0)
    assert row["load"][0] == "failed"
    assert reason in row["load"][1]
    assert {cell[0] for key, cell in row.items() if key != "load"} == {"skip"}
    assert "Failed cells: 1." in families.counts({"odd": row})
    assert "**failed**" in families.table({"odd": row})


def test_the_last_line_of_a_process_is_its_row(families):
    row = {column: ["yes", ""] for column in families.COLUMNS}
    code = f"print('loading'); print({json.dumps(row)!r})"
    assert families.run([sys.executable, "-c", code], 60.0, 2.0) == row


def test_an_error_for_users_is_a_reason_and_any_other_is_a_failure():
    probe = benchmark("families_probe")

    def refuses():
        raise UserError("no projector")

    def crashes():
        return {}["projector"]

    def lines():
        raise UserError("two\nlines")

    assert probe.attempt(refuses) == ["no", "no projector"]
    assert probe.attempt(crashes) == ["failed", "KeyError in the benchmark: 'projector'"]
    assert probe.attempt(lines)[0] == "failed"


def test_probe_and_table_have_the_same_columns(families):
    assert tuple(families.COLUMNS) == benchmark("families_probe").COLUMNS
