"""A tiny LLaVA written down as LLaVA's own code does, by a mapping of names that the tests have for themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tests.models.tiny_families.llava import DECODER, TOWER
from tests.models.tiny_families.text import make_tokenizer
from tests.models.tiny_families.weights import fill
from torch import Tensor
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

TOKENIZER = make_tokenizer([], pad="<unk>", bos="<s>", eos="</s>")
WORDS = len(TOKENIZER)  # rows of embeddings in the original
VISION = {**TOWER, "image_size": 32, "patch_size": 8, "projection_dim": 32}


def teacher() -> LlavaForConditionalGeneration:
    """Return the model that the checkpoint is a copy of; it has two rows more, for the picture and for padding."""
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**VISION),
        text_config=LlamaConfig(**DECODER, vocab_size=WORDS + 2, bos_token_id=1, eos_token_id=2, pad_token_id=None),
        image_token_index=WORDS,
        image_seq_length=16,
    )
    model = fill(LlavaForConditionalGeneration(config), TOKENIZER, ["</s>"])
    model.generation_config.pad_token_id = WORDS + 1
    return model


def original_tensors(model: Any, *, tower: bool) -> dict[str, Tensor]:
    """Return the weights under the names that LLaVA's own code gives them."""
    decoder, projector = model.model.language_model, model.model.multi_modal_projector
    found = {
        "model.embed_tokens.weight": decoder.embed_tokens.weight[:WORDS],
        "model.norm.weight": decoder.norm.weight,
        "lm_head.weight": model.lm_head.weight[:WORDS],
        "model.mm_projector.0.weight": projector.linear_1.weight,
        "model.mm_projector.0.bias": projector.linear_1.bias,
        "model.mm_projector.2.weight": projector.linear_2.weight,
        "model.mm_projector.2.bias": projector.linear_2.bias,
    }
    for number, layer in enumerate(decoder.layers):
        found |= {f"model.layers.{number}.{name}": one for name, one in layer.named_parameters()}
        found[f"model.layers.{number}.self_attn.rotary_emb.inv_freq"] = torch.ones(6)
    if tower:
        found |= tower_tensors(model, "model.vision_tower.vision_tower.vision_model.")
        found["model.vision_tower.vision_tower.vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    return {name: one.detach().clone().contiguous() for name, one in found.items()}


def tower_tensors(model: Any, prefix: str) -> dict[str, Tensor]:
    """Return the weights of the tower with `prefix` before the names that CLIP has for them."""
    tower = model.model.vision_tower
    return {prefix + name.removeprefix("vision_model."): one.detach().clone() for name, one in tower.named_parameters()}


CONFIG = {
    "model_type": "llava_llama",
    "architectures": ["LlavaLlamaForCausalLM"],
    "vocab_size": WORDS,
    **DECODER,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_scaling": None,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "mm_vision_tower": "openai/clip-vit-large-patch14-336",
    "mm_vision_select_layer": -2,
    "mm_vision_select_feature": "patch",
    "mm_projector_type": "mlp2x_gelu",
    "image_aspect_ratio": "pad",
    "mm_use_im_start_end": False,
    "torch_dtype": "float16",
}


@dataclass
class Original:
    """A checkpoint on disk, that a test may spoil before it is converted."""

    root: Path
    model: Any

    @property
    def folder(self) -> Path:
        return self.root / "llava-v1.5-tiny"

    @property
    def tower(self) -> Path:
        return self.root / "clip"

    def write(self, *, tower: bool = False, **config: Any) -> None:
        """Write the checkpoint, and a CLIP directory beside it."""
        self.folder.mkdir(exist_ok=True)
        TOKENIZER.save_pretrained(self.folder)
        self.configure(**config)
        save_file(original_tensors(self.model, tower=tower), self.folder / "model.safetensors", {"format": "pt"})
        self.tower.mkdir(exist_ok=True)
        (self.tower / "config.json").write_text(json.dumps({"model_type": "clip", "vision_config": VISION}))
        clip = tower_tensors(self.model, "vision_model.") | {
            "text_model.final_layer_norm.weight": torch.ones(3),
            "vision_model.embeddings.position_ids": torch.arange(17)[None],
            "logit_scale": torch.tensor(1.0),
        }
        save_file(clip, self.tower / "model.safetensors", {"format": "pt"})
        CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32).save_pretrained(self.tower)

    def configure(self, **config: Any) -> None:
        """Write config.json with other values; None leaves a field out."""
        fields = {key: value for key, value in {**CONFIG, **config}.items() if value is not None}
        (self.folder / "config.json").write_text(json.dumps(fields))

    def change(self, **tensors: Tensor | None) -> None:
        """Write the weights with other tensors; dots are written as "__", and None leaves a tensor out."""
        held = original_tensors(self.model, tower=False)
        for name, one in tensors.items():
            held.pop(name.replace("__", "."), None)
            if one is not None:
                held[name.replace("__", ".")] = one
        save_file(held, self.folder / "model.safetensors", {"format": "pt"})

    def shard(self, ending: str = ".safetensors", stem: str = "model") -> list[Path]:
        """Write the weights as two files and an index, instead of the one."""
        (self.folder / "model.safetensors").unlink(missing_ok=True)
        held = sorted(original_tensors(self.model, tower=False).items())
        where, files = {}, []
        for number, part in enumerate((held[:9], held[9:]), start=1):
            file = self.folder / f"{stem}-{number:05}-of-00002{ending}"
            save_file(dict(part), file) if ending == ".safetensors" else torch.save(dict(part), file)
            where |= {name: file.name for name, _ in part}
            files.append(file)
        (self.folder / f"{stem}{ending}.index.json").write_text(json.dumps({"weight_map": where}))
        return files
