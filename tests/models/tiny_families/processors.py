"""The processors of families that also take videos, without the part that needs torchvision.

Each keeps its name, so that a folder it is saved in is an ordinary one of its family.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.models.tiny_families.real_processors import library_class
from transformers import (
    AutoTokenizer,
    Cohere2VisionProcessor,
    Gemma4Processor,
    Glm4vProcessor,
    Glm46VProcessor,
    InternVLProcessor,
    Kimi_K25Processor,
    Lfm2VlProcessor,
    Llama4Processor,
    LlavaOnevisionProcessor,
    MiniCPMV4_6Processor,
    Molmo2Processor,
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


class _Gemma4(Gemma4Processor):
    # Its own constructor hands the video processor on by name.
    def __init__(
        self, feature_extractor: Any, image_processor: Any, tokenizer: Any, chat_template: str | None = None,
        image_seq_length: int = 280, audio_seq_length: int = 750, audio_ms_per_token: int = 40,
    ) -> None:  # fmt: skip
        for name in ("image_token", "boi_token", "eoi_token", "audio_token", "boa_token", "eoa_token"):
            setattr(self, name, getattr(tokenizer, name))
        self.image_token_id = tokenizer.image_token_id
        self.audio_token_id = tokenizer.audio_token_id
        self.video_token = "<|video|>"
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        self.image_seq_length = image_seq_length
        self.audio_seq_length = audio_seq_length
        self.audio_ms_per_token = audio_ms_per_token
        ProcessorMixin.__init__(self, feature_extractor, image_processor, tokenizer, chat_template=chat_template)


class _OwnOrder:
    """For constructors that hand on image processor, video processor and tokenizer in this order."""

    video_processor = SimpleNamespace(slice_mode=True, downsample_mode="16x")

    def __init__(self, image_processor: Any, tokenizer: Any, chat_template: str | None = None) -> None:
        super().__init__(image_processor, tokenizer, tokenizer, chat_template=chat_template)  # type: ignore[call-arg]


# Image processors that the library has for torchvision only; see `real_processors`.
_PIXELS = {
    "llama4": ("llama4.image_processing_llama4", "Llama4ImageProcessor"),
    "kimi": ("kimi_k25.image_processing_kimi_k25", "Kimi_K25ImageProcessor"),
    "molmo2": ("molmo2.image_processing_molmo2", "Molmo2ImageProcessor"),
    "cohere2": ("cohere2_vision.image_processing_cohere2_vision", "Cohere2VisionImageProcessor"),
    "lfm2": ("lfm2_vl.image_processing_lfm2_vl", "Lfm2VlImageProcessor"),
}


def library_pixels(name: str) -> Any:
    """Return the class of an image processor that the library has for torchvision only."""
    return library_class(*_PIXELS[name])


class _Loads:
    """Loads its image processor by its class; the library would look for torchvision."""

    pixels = ""

    @classmethod
    def _get_arguments_from_pretrained(cls, folder: Any, processor_dict: Any = None, **_: Any) -> list[Any]:
        return [library_pixels(cls.pixels).from_pretrained(folder), AutoTokenizer.from_pretrained(folder)]


def _loading(pixels: str, *bases: Any) -> Any:
    return type(bases[-1].__name__, (_Loads, *bases), {"pixels": pixels})


LIBRARY_PIXELS: dict[str, Any] = {
    "llama4": _loading("llama4", Llama4Processor),
    "cohere2-vision": _loading("cohere2", Cohere2VisionProcessor),
    "lfm2-vl": _loading("lfm2", Lfm2VlProcessor),
    "mistral3": library_class("pixtral.processing_pixtral", "PixtralProcessor"),
}
WITHOUT_VIDEO: dict[str, Any] = {
    family: type(processor.__name__, (_WithoutVideo, processor), {})
    for family, processor in {
        "llava-onevision": LlavaOnevisionProcessor,
        "qwen2-vl": Qwen2VLProcessor,
        "qwen2.5-vl": Qwen2_5_VLProcessor,
        "qwen3-vl": Qwen3VLProcessor,
        "qwen3-vl-moe": Qwen3VLProcessor,
        "qwen3.5": Qwen3VLProcessor,
        "qwen3.5-moe": Qwen3VLProcessor,
        "glm4v": Glm4vProcessor,
        "glm4v-moe": Glm4vProcessor,
        "glm46v": Glm46VProcessor,
        "internvl3": InternVLProcessor,
        "internvl3.5": InternVLProcessor,
    }.items()
} | {
    "smolvlm": type("SmolVLMProcessor", (_Smol,), {}),
    "gemma4": type("Gemma4Processor", (_Gemma4,), {}),
    "minicpmv4.6": type("MiniCPMV4_6Processor", (_OwnOrder, _WithoutVideo, MiniCPMV4_6Processor), {}),
    "molmo2": _loading("molmo2", _OwnOrder, _WithoutVideo, Molmo2Processor),
    "kimi-k25": _loading("kimi", _WithoutVideo, Kimi_K25Processor),
}
