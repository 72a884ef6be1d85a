"""Two halves: no picture and no record in both, everything of the kind in one of them."""

from dataclasses import replace

import pytest

from unmirage.attack.search.measure import groups_of, halves
from unmirage.errors import UserError
from unmirage.records import Sample


def sample(number: int, record: str, image: str | None, *, refused: bool = True) -> Sample:
    return Sample(id=f"s{number}", record=record, query="Do it.", image=image, refused=refused, label_source="field")


SAMPLES = [sample(n, f"r{n // 2}", f"{n // 3}.png" if n % 4 else None, refused=n % 5 > 0) for n in range(120)]


@pytest.mark.parametrize("kind", ["jailbreak", "over-prudence"])
@pytest.mark.parametrize("seed", range(3))
def test_no_picture_and_no_record_is_in_both(kind, seed):
    dealt = halves(SAMPLES, kind, seed)
    for name in ("record", "image"):
        sides = [{getattr(one, name) for one in side} - {None} for side in (dealt.find, dealt.report)]
        assert not sides[0] & sides[1]
    both = [*dealt.find, *dealt.report]
    assert sorted(one.id for one in both) == sorted(one.id for one in SAMPLES if one.refused is (kind == "jailbreak"))
    assert abs(len(dealt.find) - len(dealt.report)) <= 8
    assert dealt == halves(SAMPLES, kind, seed)


def test_seeds_deal_differently():
    assert len({tuple(s.id for s in halves(SAMPLES, "jailbreak", seed).find) for seed in range(4)}) == 4


def test_groups_hang_together_over_others():
    found = groups_of([sample(0, "a", "x"), sample(1, "b", "x"), sample(2, "b", "y"), sample(3, "c", None)])
    assert found["s0"] == found["s1"] == found["s2"] != found["s3"]


def test_too_few_samples_are_named():
    with pytest.raises(UserError, match="no answered samples for over-prudence"):
        halves([replace(one, refused=True) for one in SAMPLES], "over-prudence", 0)
    with pytest.raises(UserError, match="share one image or record"):
        halves([replace(one, image="x.png", refused=True) for one in SAMPLES if one.image], "jailbreak", 0)
