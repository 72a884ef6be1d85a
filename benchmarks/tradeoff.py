"""Plot the trade-off curve of every arm: ASR after the attack against benign queries that are still answered.

    python benchmarks/tradeoff.py benchmarks/results/settings.json --out docs/tradeoff.svg

Each point is a candidate of `unmirage study settings`, measured on validation devices: circles on a line are the
learning rates of the first round, crosses the other settings of the second, and the filled circle was selected. The
selection does not use the attack.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from unmirage.testbed.documents import Candidate, SettingsChoice

_COLORS = ("#4477aa", "#ee6677", "#228833", "#aa3377", "#cc8800")  # one for each method
_METHODS = ("sft-posthoc", "sft-balanced", "sft-diversified", "npo", "rmu")


def method(arm: str) -> str:
    """Return an arm's name without the suffix of general data."""
    return "sft-posthoc" if arm == "sft-mixed" else arm.removesuffix("-mixed")


def point(candidate: Candidate) -> tuple[float, float]:
    """Return the coordinates of a candidate, in percent."""
    return 100 * candidate.asr_after.value, 100 * candidate.benign_answered_after.value


def plot(document: SettingsChoice, out: Path) -> None:
    mpl.rcParams.update({"svg.hashsalt": "unmirage", "svg.fonttype": "none", "font.size": 9})
    figure, panels = plt.subplots(1, 2, figsize=(9, 4.2), sharex=True, sharey=True, layout="constrained")
    for panel, mixed, title in zip(panels, (False, True), ("without general data", "with general data"), strict=True):
        for arm, candidates in document.arms.items():
            if arm.endswith("-mixed") is not mixed:
                continue
            known = [one for one in candidates if one.asr_after is not None]
            color = _COLORS[_METHODS.index(method(arm))]
            first = [point(one) for one in known if set(one.change) == {"learning_rate"}]
            second = [point(one) for one in known if set(one.change) != {"learning_rate"}]
            panel.plot(*zip(*first, strict=True), marker="o", mfc="white", color=color, lw=1, label=arm)
            panel.plot(*zip(*second, strict=True), marker="x", color=color, lw=0)
            (chosen,) = [point(one) for one in known if one.change == document.chosen[arm]]
            panel.plot(*chosen, marker="o", ms=9, color=color)
        panel.set(title=title, xlabel="ASR after the attack, any of 3 shots (%)", xlim=(-3, 103), ylim=(-3, 103))
        panel.legend(fontsize=8, loc="lower right", framealpha=0.9)
    panels[0].set_ylabel('benign queries answered after "share" (%)')
    figure.savefig(out, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", type=Path, help="settings.json of `unmirage study settings`")
    parser.add_argument("--out", type=Path, default=Path("docs/tradeoff.svg"))
    options = parser.parse_args()
    plot(SettingsChoice.load(options.settings), options.out)


if __name__ == "__main__":
    main()
