"""Data files and pictures: one module a format; `load_samples` reads any of them."""

from unmirage.data.images import ImageFolder
from unmirage.data.load import FORMATS, load_samples
from unmirage.data.write import write_samples, write_vlguard

__all__ = ["FORMATS", "ImageFolder", "load_samples", "write_samples", "write_vlguard"]
