"""SmolLM2 from its wheel, VLGuard's training file, and the committed figures; tests skip where one is missing."""

import json
import os
from pathlib import Path

import pytest

from unmirage.errors import UserError
from unmirage.models.graft import graft
from unmirage.models.graft.templates import CHATML
from unmirage.pretrained.documents import PretrainedStudy
from unmirage.pretrained.run import study_pretrained
from unmirage.run.cache import cache_folder

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
NAME = "smollm2-135m"
HELD_OUT = 500  # records of VLGuard's training file, as in the committed study
LIMIT = 150  # unsafe and benign test samples each


@pytest.fixture(scope="session")
def base():
    """Return the directory of SmolLM2 with a vision tower, made once in the cache."""
    folder = cache_folder() / "nightly" / NAME
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            graft(NAME, folder, chat_template=CHATML)  # as `study pretrained --base smollm2-135m` makes it
        except UserError as error:
            pytest.skip(f"{NAME} cannot be made: {error}")
    return folder


@pytest.fixture(scope="session")
def vlguard():
    """Return VLGuard's training file: $UNMIRAGE_VLGUARD, or the one in the shared folder beside the checkout."""
    places = [os.environ.get("UNMIRAGE_VLGUARD", ""), str(ROOT.parent / "shared" / "data" / "vlguard" / "train.json")]
    found = next((Path(one) for one in places if one and Path(one).is_file()), None)
    if found is None:
        pytest.skip("VLGuard's train.json is missing; set UNMIRAGE_VLGUARD to its path")
    return found


@pytest.fixture(scope="session")
def committed():
    """Return the committed study of fine-tuning."""
    return kept("pretrained.json")


@pytest.fixture(scope="session")
def unlearned():
    """Return the committed study of NPO and RMU; its settings of fine-tuning are those of the other study."""
    return kept("pretrained_unlearning.json")


def kept(name):
    """Return a committed document; skip the test if it is missing."""
    file = RESULTS / name
    if not file.is_file():
        pytest.skip(f"{name} is not committed")
    return PretrainedStudy.load(file)


@pytest.fixture(scope="session")
def sinks():
    """Return the committed shares of single tokens in RMU's loss."""
    return json.loads((RESULTS / "rmu_sink.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def study(unlearned, vlguard, base, tmp_path_factory):
    """Run the first seed of the committed studies with fewer test samples, and return its document."""
    encoder = os.environ.get("UNMIRAGE_ENCODER", "")
    known = {row.name for row in unlearned.models}
    settings = {name: value for name, value in unlearned.settings.items() if name != "limit"}
    return study_pretrained(
        vlguard,
        base=base,
        hold_out=HELD_OUT,
        out=tmp_path_factory.mktemp("nightly") / "out",
        models=["sft-posthoc", *sorted({"npo", "rmu"} & known)],
        limit=LIMIT,
        encoder=encoder or None,
        seeds=(unlearned.seeds[0],),
        settings=settings,
    )
