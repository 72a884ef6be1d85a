"""Convert checkpoints of the original LLaVA code to Hugging Face directories."""

from unmirage.models.original_llava.convert import Converted, convert

__all__ = ["Converted", "convert"]
