"""Checkpoints in the layout of LLaVA's own code in, ordinary Hugging Face directories out."""

from unmirage.models.original_llava.convert import CONVERT_FILE, Converted, convert

__all__ = ["CONVERT_FILE", "Converted", "convert"]
