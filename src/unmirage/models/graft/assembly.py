"""Assemble a LLaVA in memory from a text decoder, a new CLIP tower and a new projector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken
from torch import Tensor, nn
from transformers import (
    AutoModel,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    GenerationConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from unmirage.errors import UserError, one_line
from unmirage.models.families import end_ids
from unmirage.models.graft.settings import GraftSettings
from unmirage.models.graft.templates import IMAGE, default_system, picture_template
from unmirage.models.templates import end_token

# An untrained projector returns about the mean embedding of these words, so that a picture says little.
_UNINFORMATIVE = " a picture of something"
_SPREAD = 0.02  # how far an untrained projector's output varies, relative to the spread of the embeddings
_PROBE = "The quick brown fox jumps over the lazy dog."
_TOLERANCE = 1e-2  # relative difference of logits that rounding of bfloat16 explains
_EXACT = 1e-6  # the same between products of the same shape
_NOT_OF_A_DECODER = ("_name_or_path", "_model_name_or_path", "architectures", "quantization_config")


@dataclass(frozen=True, slots=True)
class Assembly:
    """A model in memory.

    Attributes:
        model: the LLaVA; it contains the decoder's modules themselves.
        processor: its processor, with chat template and tokenizer.
        system: the default system prompt that the chat template inserts; "" for none.
        padding: the token that was made the padding token because the tokenizer has none; "" if it has one.
        added: rows that were added to the embeddings for `<image>`.
    """

    model: LlavaForConditionalGeneration
    processor: LlavaProcessor
    system: str
    padding: str
    added: int


def assemble(
    decoder: Any,
    tokenizer: Any,
    settings: GraftSettings | None = None,
    *,
    source: str = "decoder",
    chat_template: str | Path | None = None,
) -> Assembly:
    """Return a LLaVA that consists of `decoder`, a random vision tower and a random projector.

    Without pictures, its logits are those of the decoder. The projector's weights are small, and its bias is the mean
    embedding of a few words: a picture reads like an uninformative token until the projector is trained.

    Args:
        decoder: a causal language model, such as `LlamaForCausalLM`. It becomes part of the model: its embeddings get
            a row for `<image>` if they have none.
        tokenizer: its fast tokenizer; gets `<image>`, and a padding token if it has none.
        settings: sizes of tower and pictures, and the seed.
        source: name of the decoder, for messages.
        chat_template: file of another chat template, or "chatml"; None for the tokenizer's own.

    Raises:
        UserError: LLaVA cannot hold the decoder, or there is no usable chat template.
    """
    settings = settings or GraftSettings()
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(f"model '{source}': has no fast tokenizer; add its tokenizer.json")
    template = picture_template(source, tokenizer, chat_template)
    before = _logits(decoder, tokenizer, source)
    image_id, added = _with_image_token(decoder, tokenizer)
    config = _config(decoder, settings, image_id)
    _check_fits(decoder, config, source)
    model = _joined(decoder, config, settings.seed)
    _quiet_projector(model, tokenizer)
    after = _logits(model, tokenizer, source)[..., : before.shape[-1]]
    if not _alike(before, after):
        raise UserError(
            f"model '{source}': {type(decoder).__name__} changes its logits after the output layer, which LLaVA does "
            "not; use another decoder"
        )
    padding = _with_padding(tokenizer)
    processor = _processor(tokenizer, template, settings)
    model.generation_config = _generation(decoder, processor)
    return Assembly(model.eval(), processor, default_system(tokenizer, template), padding, added)


def _with_image_token(decoder: Any, tokenizer: Any) -> tuple[int, int]:
    """Add `<image>` to the vocabulary, and rows to the embeddings; return its id and the number of new rows.

    New rows are the mean of the others. A token whose output row is the mean has the mean of all logits, and so is
    never the most likely one.
    """
    tokenizer.add_tokens([AddedToken(IMAGE, special=True, normalized=False)], special_tokens=True)
    tokenizer.padding_side = "left"
    image_id: int = tokenizer.convert_tokens_to_ids(IMAGE)
    rows = decoder.get_input_embeddings().weight.shape[0]
    new = max(0, max(tokenizer.get_vocab().values()) + 1 - rows)
    if new:
        decoder.resize_token_embeddings(rows + new, mean_resizing=False)
        with torch.no_grad():
            for table in (decoder.get_input_embeddings().weight, decoder.get_output_embeddings().weight):
                table[rows:] = table[:rows].float().mean(0).to(table.dtype)
    return image_id, new


def _config(decoder: Any, settings: GraftSettings, image_id: int) -> LlavaConfig:
    own = {key: value for key, value in decoder.config.to_dict().items() if key not in _NOT_OF_A_DECODER}
    vision = CLIPVisionConfig(
        hidden_size=settings.tower,
        intermediate_size=2 * settings.tower,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        image_size=settings.side,
        patch_size=settings.patch,
        projection_dim=settings.tower,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=type(decoder.config).from_dict(own),
        image_token_index=image_id,
        image_seq_length=settings.image_tokens,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=decoder.get_output_embeddings().weight is decoder.get_input_embeddings().weight,
    )
    config.architectures, config.dtype = ["LlavaForConditionalGeneration"], decoder.dtype
    return config


def _check_fits(decoder: Any, config: LlavaConfig, source: str) -> None:
    """Raise `UserError` if a LLaVA of this configuration has another decoder or output layer."""
    head = decoder.get_output_embeddings()
    if not isinstance(head, nn.Linear) or head.bias is not None:
        raise UserError(
            f"model '{source}': the output layer of {type(decoder).__name__} has a bias, or is not linear, which LLaVA "
            "does not support; use another decoder"
        )
    try:
        with torch.device("meta"):
            wanted = LlavaForConditionalGeneration(config).model.language_model
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UserError(f"model '{source}': LLaVA cannot hold its decoder: {one_line(error, 200)}") from error
    own = decoder.base_model
    if type(wanted) is not type(own) or _shapes(wanted) != _shapes(own):
        raise UserError(
            f"model '{source}': LLaVA would hold its decoder as {type(wanted).__name__}, but it is "
            f"{type(own).__name__} with other weights; use another decoder"
        )
    tied = config.tie_word_embeddings
    if tied and not hasattr(own, "embed_tokens"):
        raise UserError(
            f"model '{source}': {type(own).__name__} shares its output layer with embeddings that LLaVA does not "
            "find; use another decoder"
        )


def _shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    state: dict[str, Tensor] = module.state_dict()
    return {name: tuple(one.shape) for name, one in state.items()}


def _joined(decoder: Any, config: LlavaConfig, seed: int) -> LlavaForConditionalGeneration:
    """Return the model with the decoder's own modules; only tower and projector take new memory."""
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.model.vision_tower = AutoModel.from_config(config.vision_config).to(decoder.dtype)
        model.model.multi_modal_projector = type(model.model.multi_modal_projector)(config).to(decoder.dtype)
    model.model.language_model = decoder.base_model
    model.lm_head = decoder.get_output_embeddings()
    model.tie_weights()
    return model


def _quiet_projector(model: LlavaForConditionalGeneration, tokenizer: Any) -> None:
    """Let the projector return about the mean embedding of a few words for any picture."""
    table = model.get_input_embeddings()
    words = torch.tensor(tokenizer(_UNINFORMATIVE, add_special_tokens=False)["input_ids"])
    last = model.model.multi_modal_projector.linear_2
    with torch.no_grad():
        said = table(words)  # the module, not its weights: some families scale embeddings
        last.bias.copy_(said.mean(0))
        spread = _SPREAD * said.float().std() / last.in_features**0.5
        last.weight.mul_(spread / last.weight.float().std())


def _logits(model: Any, tokenizer: Any, source: str) -> Tensor:
    """Return the logits of a short text, float32 of shape (1, tokens, vocabulary).

    Raises:
        UserError: tokens attend to later ones, so the model is no decoder.
    """
    ids = torch.tensor([tokenizer(_PROBE, add_special_tokens=False)["input_ids"]])
    other = torch.cat([ids[:, :-1], ids[:, :1]], dim=1)
    was = model.training
    model.eval()
    with torch.no_grad():
        whole: Tensor = model(input_ids=ids, use_cache=False).logits.float()
        changed: Tensor = model(input_ids=other, use_cache=False).logits.float()
    model.train(was)
    if not _alike(whole[:, :-1], changed[:, :-1], _EXACT):
        raise UserError(f"model '{source}': its tokens attend to later tokens, so it is no text decoder; give one")
    return whole


def _alike(one: Tensor, other: Tensor, tolerance: float = _TOLERANCE) -> bool:
    """Return whether two tensors of logits are equal, relative to the largest."""
    return bool((one - other).abs().max() <= tolerance * one.abs().max())


def _with_padding(tokenizer: Any) -> str:
    """Set a padding token if there is none, and return it; padding is masked, so any token will do."""
    if tokenizer.pad_token is not None and tokenizer.pad_token != IMAGE:
        return ""
    tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    return str(tokenizer.pad_token)


def _processor(tokenizer: Any, template: str, settings: GraftSettings) -> LlavaProcessor:
    size = {"height": settings.side, "width": settings.side}
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(size=size, crop_size=size),
        tokenizer=tokenizer,
        patch_size=settings.patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
        image_token=IMAGE,
    )


def _generation(decoder: Any, processor: LlavaProcessor) -> GenerationConfig:
    """Return generation settings with token ids only: the end of a turn comes first, then the decoder's own ends."""
    tokenizer = processor.tokenizer
    ends = [end_token(processor)]
    ends += sorted(end_ids(decoder) - set(ends))
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=ends[0] if len(ends) == 1 else ends,
        pad_token_id=tokenizer.pad_token_id,
    )
