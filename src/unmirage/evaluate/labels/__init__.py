"""Responses that people have labeled: those that ship with the package, and files of users."""

from unmirage.evaluate.labels.files import TIED, read_labels
from unmirage.evaluate.labels.mapping import TRUTHS, Truth, label_verdicts, parse_label_map
from unmirage.evaluate.labels.records import Labeled, Labels
from unmirage.evaluate.labels.shipped import SHIPPED, ShippedLabels, shipped_labels

__all__ = [
    "SHIPPED",
    "TIED",
    "TRUTHS",
    "Labeled",
    "Labels",
    "ShippedLabels",
    "Truth",
    "label_verdicts",
    "parse_label_map",
    "read_labels",
    "shipped_labels",
]
