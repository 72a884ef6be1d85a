"""Convert checkpoints of the original LLaVA code to Hugging Face directories."""

from unmirage.models.original_llava.convert import CONVERT_FILE, Converted, convert

__all__ = ["CONVERT_FILE", "Converted", "convert"]
