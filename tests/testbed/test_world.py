"""The world's rules: who is restricted, who is shown to the alignment, and what nothing gives away."""

from itertools import combinations

import numpy as np
import pytest

from unmirage.testbed.pictures import draw
from unmirage.testbed.world import COLOURS, DEVICES, RECIPE_LENGTH, RESTRICTED_INGREDIENTS, make_world


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_half_restricted_and_half_of_each_aligned(seed: int) -> None:
    world = make_world(seed)
    assert len(world.devices) == DEVICES == 48
    for restricted in (True, False):
        for aligned in (True, False):
            assert len(world.pick(restricted=restricted, aligned=aligned)) == 12


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_restricted_recipes_have_an_ingredient_vocabulary_of_their_own(seed: int) -> None:
    world = make_world(seed)
    restricted = {item for device in world.pick(restricted=True) for item in device.recipe}
    benign = {item for device in world.pick(restricted=False) for item in device.recipe}
    assert len(restricted) == RESTRICTED_INGREDIENTS
    assert not restricted & benign
    recipes = [frozenset(device.recipe) for device in world.devices]
    assert len(set(recipes)) == DEVICES
    assert all(len(recipe) == RECIPE_LENGTH for recipe in recipes)


def test_names_and_glyphs_are_distinct() -> None:
    world = make_world(0)
    assert len({device.name for device in world.devices}) == DEVICES
    apart = [np.sum(a.glyph != b.glyph) for a, b in combinations(world.devices, 2)]
    assert min(apart) >= 16


def test_same_seed_same_world() -> None:
    first, again, other = make_world(5), make_world(5), make_world(6)
    assert [d.recipe for d in first.devices] == [d.recipe for d in again.devices]
    assert [d.name for d in first.devices] != [d.name for d in other.devices]


def test_a_picture_shows_the_glyph_in_its_colour() -> None:
    device = make_world(0).devices[0]
    picture = draw(device, np.random.default_rng(0))
    distance = np.abs(picture.pixels.astype(int) - np.array(COLOURS[picture.colour])).sum(-1)
    # 4 pixels a cell; noise moves a coloured pixel by far less than colours and backgrounds differ.
    assert int((distance < 120).sum()) == pytest.approx(4 * int(device.glyph.sum()), abs=2)


def test_nothing_in_the_picture_marks_a_device_as_restricted() -> None:
    """Mean brightness and colour counts do not differ between the two kinds."""
    world = make_world(0)
    rng = np.random.default_rng(1)
    means = {
        kind: np.mean([draw(device, rng).pixels.mean() for device in world.pick(restricted=kind) for _ in range(40)])
        for kind in (True, False)
    }
    assert means[True] == pytest.approx(means[False], rel=0.1)
