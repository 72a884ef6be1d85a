from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from unmirage.audit.audit import AuditOptions, _read
from unmirage.audit.corpus import Reader
from unmirage.data import load_samples, open_samples
from unmirage.records import Dataset, Sample
from unmirage.testbed.corpus import CorpusSize, write_corpus
from unmirage.testbed.world import make_world

# A loaded machine is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

VLGUARD = Path(__file__).parents[2] / ".." / "shared" / "data" / "vlguard" / "train.json"
SIZE = CorpusSize(
    base_pictures=8, base=8, general=4, skills=4, facts=4, neighbors=4, test_unsafe_pictures=2, test_safe_pictures=2
)  # fmt: skip


@pytest.fixture(scope="session")
def make_dataset():
    """Return a function that makes a dataset of (query, refused[, image]) tuples."""

    def make(*rows, image_root=Path("no such folder")):
        samples = tuple(
            Sample(
                id=str(number),
                record=str(number),
                query=query,
                refused=refused,
                image=image[0] if image else None,
                label_source="field",
            )
            for number, (query, refused, *image) in enumerate(rows)
        )
        return Dataset(samples=samples, source=Path("folder/toy.json"), format="json", image_root=image_root)

    return make


@pytest.fixture(scope="session")
def make_corpus(make_dataset):
    """Return a function that makes a corpus of (query, refused[, image]) tuples.

    Equal texts are different queries, so that few words make many of them; they are copies with `copies`.
    """

    def make(*rows, copies=False):
        corpus = Reader().read(make_dataset(*rows))
        return corpus if copies else replace(corpus, texts=2 * np.arange(len(rows)))

    return make


@pytest.fixture(scope="session")
def tied(make_dataset):
    """Return 200 queries: "share" is always refused, "what" answered, "can" half and half."""
    things = ("boat", "garden", "kite", "bridge", "lamp")
    rows = [(f"Share the {things[n % 5]} {n}.", True) for n in range(60)]
    rows += [(f"What is the {things[n % 5]} {n}?", False) for n in range(60)]
    rows += [(f"Can you see the {things[n // 2 % 5]} {n}?", n % 2 == 0) for n in range(80)]
    return make_dataset(*rows)


@pytest.fixture(scope="session")
def testbed(tmp_path_factory):
    """Return a function that writes the testbed's data, and reads its safety data and their pictures."""

    def read(plants=None, seed=0):
        folder = tmp_path_factory.mktemp("testbed") / "data"
        write_corpus(make_world(seed), SIZE, folder, plants)
        return _read(Reader(), open_samples(folder / "safety.json"), AuditOptions())

    return read


@pytest.fixture(scope="session")
def plain_testbed(testbed):
    """Return the testbed's safety data without any plant, read once."""
    return testbed()


@pytest.fixture(scope="session")
def vlguard():
    """Return VLGuard's queries."""
    if not VLGUARD.exists():
        pytest.skip("VLGuard's text is not here")
    return load_samples(VLGUARD)
