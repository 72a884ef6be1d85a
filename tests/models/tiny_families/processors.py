"""The processors of families that also take videos, without the part that needs torchvision.

Each keeps its name, so that a folder it is saved in is an ordinary one of its family.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from transformers import (
    InternVLProcessor,
    LlavaOnevisionProcessor,
    Qwen2_5_VLProcessor,
    Qwen2VLProcessor,
    Qwen3VLProcessor,
    SmolVLMProcessor,
)
from transformers.processing_utils import ProcessorMixin


class _WithoutVideo:
    @classmethod
    def get_attributes(cls) -> list[str]:
        return ["image_processor", "tokenizer"]


class _Smol(_WithoutVideo, SmolVLMProcessor):
    # Its own constructor wants a package that spells numbers, for videos only, so it is left out.
    video_processor = SimpleNamespace(num_frames=1, fps=1)  # what the chat template asks for, picture or not

    def __init__(
        self, image_processor: Any, tokenizer: Any, image_seq_len: int = 169, chat_template: str | None = None
    ) -> None:
        self.fake_image_token = "<fake_token_around_image>"
        self.image_token = "<image>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.end_of_utterance_token = "<end_of_utterance>"
        self.global_image_token = "<global-img>"
        self.video_token = "<video>"
        self.image_seq_len = image_seq_len
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


WITHOUT_VIDEO: dict[str, Any] = {
    family: type(processor.__name__, (_WithoutVideo, processor), {})
    for family, processor in {
        "llava-onevision": LlavaOnevisionProcessor,
        "qwen2-vl": Qwen2VLProcessor,
        "qwen2.5-vl": Qwen2_5_VLProcessor,
        "qwen3-vl": Qwen3VLProcessor,
        "internvl3": InternVLProcessor,
    }.items()
} | {"smolvlm": type("SmolVLMProcessor", (_Smol,), {})}
