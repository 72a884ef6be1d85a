"""Read and write data files and pictures. Each format has one module; `load_samples` and `open_samples` read all."""

from unmirage.data.images import ImageFolder, PictureFile, Pictures
from unmirage.data.load import FORMATS, load_samples, open_samples
from unmirage.data.sample_file import SampleFile, Skipped
from unmirage.data.write import write_json, write_llava, write_samples, write_vlguard, writer_for

__all__ = [
    "FORMATS",
    "ImageFolder",
    "PictureFile",
    "Pictures",
    "SampleFile",
    "Skipped",
    "load_samples",
    "open_samples",
    "write_json",
    "write_llava",
    "write_samples",
    "write_vlguard",
    "writer_for",
]
