"""The world's rules: who is restricted, which split shows whom, and what the mark says."""

from itertools import combinations

import numpy as np
import pytest

from unmirage.testbed.pictures import PATCH, draw
from unmirage.testbed.world import (
    COLORS,
    MARKED_STEM,
    RECIPE_LENGTH,
    RESTRICTED_INGREDIENTS,
    Split,
    WorldSettings,
    make_world,
)

DEVICES = 192


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_96_devices_of_each_kind_and_40_of_each_are_evaluated(seed: int) -> None:
    world = make_world(seed)
    assert len(world.devices) == DEVICES
    for restricted in (True, False):
        counts = {split: len(world.pick(restricted=restricted, split=split)) for split in Split}
        assert counts == {Split.ALIGNED: 40, Split.VALIDATION: 16, Split.EVALUATION: 40}


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
    assert len({device.body for device in world.devices}) == DEVICES
    apart = [np.sum(a.glyph != b.glyph) for a, b in combinations(world.devices, 2)]
    assert min(apart) >= 16


def test_same_seed_same_world() -> None:
    first, again, other = make_world(5), make_world(5), make_world(6)
    assert [d.recipe for d in first.devices] == [d.recipe for d in again.devices]
    assert [d.name for d in first.devices] != [d.name for d in other.devices]


@pytest.mark.parametrize(("signal", "restricted", "benign"), [(0.0, 20, 20), (0.5, 30, 10), (0.8, 36, 4), (1.0, 40, 0)])
def test_the_signal_is_the_correlation_of_mark_and_restriction(signal: float, restricted: int, benign: int) -> None:
    world = make_world(3, WorldSettings(signal=signal))
    for split in (Split.ALIGNED, Split.EVALUATION):
        devices = world.pick(split=split)
        marked = [[device.marked for device in devices if device.restricted is kind] for kind in (True, False)]
        assert [sum(own) for own in marked] == [restricted, benign]
        found = np.corrcoef([d.marked for d in devices], [d.restricted for d in devices])[0, 1]
        assert found == pytest.approx(signal, abs=1e-12)


def test_worlds_of_one_seed_differ_in_marks_alone() -> None:
    plain, marked = make_world(4), make_world(4, WorldSettings(signal=1.0))
    for one, other in zip(plain.devices, marked.devices, strict=True):
        assert (one.body, one.place, one.recipe, one.split) == (other.body, other.place, other.recipe, other.split)
        assert (one.glyph == other.glyph).all()
    assert all((device.stem == MARKED_STEM) is device.restricted for device in marked.devices)


def test_a_picture_shows_the_glyph_in_its_color() -> None:
    device = make_world(0).devices[0]
    picture = draw(device, np.random.default_rng(0))
    distance = np.abs(picture.pixels.astype(int) - np.array(COLORS[picture.color])).sum(-1)
    # A pixel a cell; noise moves a colored pixel by far less than colors and backgrounds differ.
    assert int((distance < 120).sum()) == pytest.approx(int(device.glyph.sum()), abs=2)


def test_stripes_are_drawn_for_marked_devices_only_and_change_one_patch() -> None:
    plain, marked = make_world(4), make_world(4, WorldSettings(signal=1.0))
    changed = 0
    for one, other in zip(plain.devices, marked.devices, strict=True):
        pictures = [draw(device, np.random.default_rng(7)).pixels.astype(int) for device in (one, other)]
        rows, columns = np.nonzero((pictures[0] != pictures[1]).any(-1))
        assert (len(rows) > 0) is (one.marked != other.marked)
        if len(rows):
            changed += 1
            assert np.ptp(rows) < PATCH // 2
            assert np.ptp(columns) < PATCH
    assert changed == DEVICES // 2


def test_without_signal_no_property_of_pictures_differs_between_the_kinds() -> None:
    """Brightness and orange pixels (stripes) differ by noise alone; with signal 1 only one kind is orange."""

    def measured(signal: float) -> list[tuple[float, float]]:
        world = make_world(0, WorldSettings(signal=signal))
        rng = np.random.default_rng(1)
        found = []
        for kind in (True, False):
            pixels = np.stack([draw(one, rng).pixels for one in world.pick(restricted=kind) for _ in range(20)])
            orange = np.abs(pixels.astype(int) - (255, 150, 0)).sum(-1) < 80
            found.append((float(pixels.mean()), float(orange.mean())))
        return found

    none, full = measured(0.0), measured(1.0)
    assert none[0] == pytest.approx(none[1], rel=0.03)
    assert none[0][1] > 0.01
    assert full[1][1] < 0.001 < full[0][1] / 2
