"""Say why transformers cannot load a model directory, where its own error does not name the fix."""

from __future__ import annotations

from pathlib import Path

from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
)

from unmirage.errors import UserError
from unmirage.run.files import read_object
from unmirage.run.paths import quoted

# Any of these files is enough for a tokenizer.
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def why_not_loaded(source: str | Path, error: BaseException) -> str:
    """Return what a model directory lacks, and the fix; "" if the error has to speak for itself.

    Args:
        source: the directory, or a hub id, whose files are not looked at.
        error: what transformers raised.
    """
    folder, text = Path(source), str(error)
    if not folder.is_dir():
        return ""
    if other := _not_a_vlm(folder):
        return other
    if "tokenizer" in text.lower() and not _has(folder, _TOKENIZERS):
        return "tokenizer.json is missing; copy it and tokenizer_config.json from the model that it was made of"
    if "processor" in text.lower() and not _has(folder, _PROCESSORS):
        return f"{_PROCESSORS[0]} is missing; copy it from the model that it was made of"
    return ""


def _has(folder: Path, names: tuple[str, ...]) -> bool:
    return any((folder / name).is_file() for name in names)


def _not_a_vlm(folder: Path) -> str:
    """Return that the model does not read images; "" if it may, or if its type cannot be told."""
    try:
        kind = read_object(folder / "config.json").get("model_type")
    except UserError:
        return ""
    if kind not in CONFIG_MAPPING_NAMES or kind in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        return ""
    if kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        make = f"`unmirage graft {quoted(folder)} --out DIR` makes one of a text decoder"
        return f"text-only model ({kind}); a VLM is needed, a model that reads images; {make}"
    return f"a model of type '{kind}' does not answer questions about images; a VLM is needed"
