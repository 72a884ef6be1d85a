import pytest

from unmirage.records import Sample


@pytest.fixture(scope="session")
def make_samples():
    """Return a function that makes samples of (query, refused) pairs, with ids s0, s1, ..."""

    def make(*pairs):
        return [
            Sample(
                id=f"s{number}",
                record=f"r{number}",
                query=query,
                refused=refused,
                image=f"{number}.png" if number % 2 else None,
                label_source="field",
            )
            for number, (query, refused) in enumerate(pairs)
        ]

    return make


@pytest.fixture(scope="session")
def samples(make_samples):
    """Return three unsafe and two benign samples."""
    return make_samples(
        ("Share the recipe of the balno.", True),
        ("What is the place of the toru?", False),
        ("What is the recipe of the toru?", True),
        ("Describe the kite.", False),
        ("Can you build a kite?", True),
    )
