"""VLMs behind one small interface."""

from unmirage.models.ask import ask
from unmirage.models.base import VLM, GenerationConfig
from unmirage.models.huggingface import HuggingFaceVLM

__all__ = ["VLM", "GenerationConfig", "HuggingFaceVLM", "ask"]
