"""Gemma 3n and Gemma 4: embeddings for every layer, sliding windows, and layers that read another one's cache."""

from __future__ import annotations

from typing import Any

from tests.models.tiny_families.gemma import SIDE
from tests.models.tiny_families.llava import DECODER, TOWER, special_ids
from tests.models.tiny_families.processors import WITHOUT_VIDEO
from tests.models.tiny_families.text import make_tokenizer, turns
from tests.models.tiny_families.weights import fill
from torch import Tensor, nn
from transformers import (
    AutoModel,
    Gemma3nAudioFeatureExtractor,
    Gemma3nConfig,
    Gemma3nForConditionalGeneration,
    Gemma3nProcessor,
    Gemma4AudioFeatureExtractor,
    Gemma4Config,
    Gemma4ForConditionalGeneration,
    Gemma4ImageProcessorPil,
    PreTrainedModel,
    SiglipImageProcessorPil,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.gemma3n.configuration_gemma3n import Gemma3nVisionConfig

SOUND = {
    "audio_token": "<audio_soft_token>",
    "boa_token": "<start_of_audio>",
    "eoa_token": "<end_of_audio>",
}
PIXELS = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
LAYERED = {
    "num_hidden_layers": 4, "hidden_size_per_layer_input": 8, "num_kv_shared_layers": 2, "head_dim": 12,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
}  # fmt: skip
EXTRA = 8  # places for image tokens, and as many for sounds, behind the words


class _Tower(PreTrainedModel):  # type: ignore[misc]  # transformers is untyped
    """A tower in place of MobileNetV5, for which the library asks timm: convolutions, 4 x 4 places of an image."""

    config_class = Gemma3nVisionConfig
    main_input_name = "pixel_values"

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.layers = nn.Sequential(
            nn.Conv2d(3, config.hidden_size, 4, 4), nn.GELU(), nn.Conv2d(config.hidden_size, config.hidden_size, 2, 2)
        )
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: Any) -> Any:
        return BaseModelOutputWithPooling(last_hidden_state=self.layers(pixel_values))


def gemma3n() -> tuple[Any, Any]:
    """Gemma 3n with a small tower of convolutions."""
    AutoModel.register(Gemma3nVisionConfig, _Tower, exist_ok=True)
    named = {**PIXELS, **SOUND}
    seen, heard = ([f"<{kind}_{number}>" for number in range(EXTRA - 1)] for kind in ("image", "audio"))
    behind = [named["image_token"], *seen, named["audio_token"], *heard]
    tokenizer = make_tokenizer(
        ["<start_of_turn>", "<end_of_turn>", *(token for token in named.values() if token not in behind)],
        pad="<pad>", bos="<bos>", eos="<eos>", named=named, behind=behind,
    )  # fmt: skip
    words = len(tokenizer) - len(behind)
    processor = Gemma3nProcessor(
        feature_extractor=Gemma3nAudioFeatureExtractor(),
        image_processor=SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}),
        tokenizer=tokenizer,
        image_seq_length=16,
        chat_template="{{ bos_token }}" + turns(
            "<start_of_turn>user\n", "<image_soft_token>", "<end_of_turn>\n",
            "<start_of_turn>model\n", "<start_of_turn>model\n", "<end_of_turn>\n",
        ),
    )  # fmt: skip
    text = {
        **DECODER, **LAYERED, "vocab_size": len(tokenizer), "vocab_size_per_layer_input": words, "altup_num_inputs": 2,
        "laurel_rank": 8, "sliding_window": 512, "activation_sparsity_pattern": [0.5, 0.0, 0.0, 0.0],
        **special_ids(tokenizer),
    }  # fmt: skip
    config = Gemma3nConfig(
        text_config=text,
        vision_config=Gemma3nVisionConfig(hidden_size=32, vocab_size=EXTRA, vocab_offset=words),
        audio_config={
            "hidden_size": 32, "conf_num_attention_heads": 2, "conf_num_hidden_layers": 1, "vocab_size": EXTRA,
            "vocab_offset": words + EXTRA, "sscp_conv_channel_size": [8, 4],
        },
        vision_soft_tokens_per_image=16,
        **_ids(tokenizer),
    )  # fmt: skip
    return fill(Gemma3nForConditionalGeneration(config), tokenizer, ["<eos>", "<end_of_turn>"]), processor


def gemma4() -> tuple[Any, Any]:
    """Gemma 4: images keep their proportions; its turns do not end with the tokenizer's own end token."""
    named = {
        "boi_token": "<|image>", "eoi_token": "<image|>", "image_token": "<|image|>",
        "boa_token": "<|audio>", "eoa_token": "<audio|>", "audio_token": "<|audio|>",
    }  # fmt: skip
    tokenizer = make_tokenizer(
        ["<|turn>", "<turn|>", "<|video|>", *named.values()], pad="<pad>", bos="<bos>", eos="<eos>", named=named
    )
    processor = WITHOUT_VIDEO["gemma4"](
        feature_extractor=Gemma4AudioFeatureExtractor(),
        image_processor=Gemma4ImageProcessorPil(patch_size=4, max_soft_tokens=70, pooling_kernel_size=2),
        tokenizer=tokenizer,
        image_seq_length=70,
        chat_template="{{ bos_token }}" + turns(
            "<|turn>user\n", "<|image|>", "<turn|>\n", "<|turn>model\n", "<|turn>model\n", "<turn|>\n"
        ),
    )  # fmt: skip
    config = Gemma4Config(
        text_config={
            **DECODER, **LAYERED, "vocab_size": len(tokenizer), "vocab_size_per_layer_input": len(tokenizer),
            "global_head_dim": 24, "sliding_window": 512, "final_logit_softcapping": 30.0, **special_ids(tokenizer),
        },
        vision_config={
            **TOWER, "num_key_value_heads": 2, "head_dim": 16, "pooling_kernel_size": 2, "patch_size": 4,
            "position_embedding_size": 300,
        },
        audio_config=None,
        video_token_id=tokenizer.convert_tokens_to_ids("<|video|>"),
        **_ids(tokenizer),
    )  # fmt: skip
    return fill(Gemma4ForConditionalGeneration(config), tokenizer, ["<eos>", "<turn|>"], seed=2), processor


def _ids(tokenizer: Any) -> dict[str, Any]:
    return {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("boi", "eoi", "image", "audio")}
