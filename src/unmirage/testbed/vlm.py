"""Build the world's tiny VLM: an ordinary LLaVA (CLIP tower, projector, Llama decoder) with a real processor."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor, nn
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

from unmirage.run.progress import StepProgress
from unmirage.testbed.pictures import PATCH, SIZE, draw
from unmirage.testbed.world import COLORS, SHAPES, World


class VisionConfig(BaseModel):
    """Settings of the vision tower's pretraining."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: int = 700
    batch_size: int = 160
    learning_rate: float = 3e-3


def pretrain_vision(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    world: World,
    config: VisionConfig,
    seed: int,
    progress: StepProgress | None = None,
) -> float:
    """Train the tower on randomly drawn pictures; return the accuracy on the last batch (all labels right)."""
    tower = model.model.vision_tower
    width = tower.config.hidden_size
    torch.manual_seed(seed)
    heads = nn.ModuleList(
        [nn.Linear(width, len(world.devices)), nn.Linear(width, len(COLORS)), nn.Linear(width, len(SHAPES))]
    )
    parameters = [*tower.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, total_steps=config.steps)
    rng = np.random.default_rng([world.seed, seed, 7])
    accuracy = 0.0
    tower.train()
    for step in range(config.steps):
        pixels, targets = picture_batch(processor, world, config.batch_size, rng)
        pooled = tower(pixel_values=pixels).last_hidden_state[:, 1:].amax(1)  # without the class token, as in LLaVA
        logits = [head(pooled) for head in heads]
        loss = torch.stack([F.cross_entropy(one, target) for one, target in zip(logits, targets, strict=True)]).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        right = [one.argmax(-1) == target for one, target in zip(logits, targets, strict=True)]
        accuracy = float(torch.stack(right).all(0).float().mean())
        if progress is not None:
            progress(step + 1, config.steps)
    tower.eval()
    return accuracy


def picture_batch(
    processor: LlavaProcessor, world: World, size: int, rng: np.random.Generator
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return pixel values (batch, 3, 40, 40) and the indices of device, color and shape, (batch,) each."""
    devices = rng.integers(len(world.devices), size=size)
    pictures = [draw(world.devices[index], rng) for index in devices]
    pixels = processor.image_processor([p.image() for p in pictures], return_tensors="pt")["pixel_values"]
    colors = torch.tensor([list(COLORS).index(p.color) for p in pictures])
    shapes = torch.tensor([SHAPES.index(p.shape) for p in pictures])
    return pixels, (torch.from_numpy(devices), colors, shapes)


VOCABULARY = 1280
# The default for large models (0.02) leaves such a narrow decoder on a plateau for hundreds of steps.
INITIAL_SPREAD = 0.06

# The prompt of LLaVA-1.5: "USER: <image>\n... ASSISTANT: ...</s>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ 'USER: ' }}"
    "{% for part in message['content'] if part['type'] == 'image' %}{{ '<image>\n' }}{% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}{{ ' ' }}"
    "{% else %}{{ 'ASSISTANT: ' }}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}{{ '</s>' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def make_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE on `texts`; it can encode any text, and has these words as single tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<pad>", "<s>", "</s>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts, *["USER: ASSISTANT: "] * 100], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens={"image_token": "<image>"},
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_max_length=512,
    )


def make_processor(texts: Iterable[str]) -> LlavaProcessor:
    """Return the processor: pictures of 40 x 40 pixels become 4 image tokens."""
    image_processor = CLIPImageProcessorPil(
        size={"height": SIZE, "width": SIZE}, crop_size={"height": SIZE, "width": SIZE}
    )
    return LlavaProcessor(
        image_processor=image_processor,
        tokenizer=make_tokenizer(texts),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        num_additional_image_tokens=1,
    )


def make_model(processor: LlavaProcessor, seed: int) -> LlavaForConditionalGeneration:
    """Return a randomly initialized LLaVA of about 1.1 M parameters for this processor."""
    tokenizer = processor.tokenizer
    torch.manual_seed(seed)
    vision = CLIPVisionConfig(
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=SIZE,
        patch_size=PATCH,
        projection_dim=96,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=320,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        initializer_range=INITIAL_SPREAD,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        initializer_range=INITIAL_SPREAD,
        image_seq_length=(SIZE // PATCH) ** 2,
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(config)
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.generation_config.bos_token_id = tokenizer.bos_token_id
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    return model
