from pathlib import Path

import pytest

from unmirage.records import Dataset, Sample


@pytest.fixture(scope="session")
def make_dataset():
    """Return a function that makes a dataset of (query, refused[, image]) tuples."""

    def make(*rows):
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
        return Dataset(samples=samples, source=Path("folder/toy.json"), format="json", image_root=Path("folder"))

    return make


@pytest.fixture(scope="session")
def tied(make_dataset):
    """Return 200 queries: "share" is always refused, "what" answered, "can" half and half."""
    things = ("boat", "garden", "kite", "bridge", "lamp")
    rows = [(f"Share the {things[n % 5]}.", True) for n in range(60)]
    rows += [(f"What is the {things[n % 5]}?", False) for n in range(60)]
    rows += [(f"Can you see the {things[n % 5]}?", n % 2 == 0) for n in range(80)]
    return make_dataset(*rows)
