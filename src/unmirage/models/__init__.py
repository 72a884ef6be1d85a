"""Load vision-language models, local or on a server, and collect their responses through one interface."""

from unmirage.models.ask import ask
from unmirage.models.base import VLM, GenerationConfig
from unmirage.models.huggingface import HuggingFaceVLM

__all__ = ["VLM", "GenerationConfig", "HuggingFaceVLM", "ask"]
