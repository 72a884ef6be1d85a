"""Convert an original LLaVA checkpoint to a Hugging Face directory; a failed conversion leaves no directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import GenerationConfig, LlavaConfig

from unmirage.errors import UserError
from unmirage.models.conversion import Conversion, ConversionSettings
from unmirage.models.folder import is_adapter
from unmirage.models.original_llava.adapter import EMBEDDINGS, TOWER, merge_adapter
from unmirage.models.original_llava.assemble import (
    SHARD_BYTES,
    check,
    renamed,
    with_rows,
    with_second_layer,
    with_tower,
    write_weights,
)
from unmirage.models.original_llava.config import OriginalConfig, read_config
from unmirage.models.original_llava.stored import Weights, checkpoint_folder, open_weights
from unmirage.models.original_llava.tokens import IMAGE, PAD, asks_as_original, make_processor, read_tokenizer
from unmirage.models.original_llava.tower import Tower, known_tower, open_tower
from unmirage.run.files import new_folder
from unmirage.run.fingerprint import folder_fingerprint, sha256_of
from unmirage.run.machine import describe_machine
from unmirage.run.progress import StepProgress

_MULTIPLE = 64  # the number of embedding rows is a multiple of this, as in the hub's checkpoints


@dataclass(frozen=True, slots=True)
class Converted:
    """Result of a conversion.

    Attributes:
        files: number of weight files.
        tensors, tower, asks_as_original: as in `ConversionSettings`.
    """

    tensors: int
    files: int
    tower: str
    asks_as_original: bool


def convert(
    source: str,
    out: Path,
    *,
    vision_tower: str | None = None,
    base: str | None = None,
    from_pickle: bool = False,
    progress: StepProgress = lambda *_: None,
    shard_bytes: int = SHARD_BYTES,
) -> Converted:
    """Write the checkpoint `source` to the new directory `out`.

    Args:
        source: folder or hub id of a checkpoint of LLaVA's own code, or of a LoRA adapter for it.
        vision_tower: folder or hub id of the CLIP model, if `source` has no tower.
        base: folder or hub id of the base that an adapter was trained on.
        from_pickle: read `.bin` files, with the unpickler that runs no code.
        progress: called with (bytes written, total bytes).
        shard_bytes: maximum size of a weight file, in bytes.

    Raises:
        UserError: something is missing, unknown or does not match; `out` is not created.
    """
    if out.exists():
        raise UserError(f"{out}: already exists; give the name of a new directory")
    folders = _folders(source, vision_tower, base, from_pickle)
    config = read_config(folders["source"])
    tokenizer = read_tokenizer(folders.get("base", folders["source"]))
    weights = renamed(_weights(folders, from_pickle))
    inside = any(name.startswith(TOWER) for name in weights)
    tower = _tower(config, folders.get("vision_tower"), inside, from_pickle)
    weights = with_tower(weights, tower.weights)
    if config.projector == "linear":
        weights = with_second_layer(weights, config.decoder.hidden_size)
    rows = _rows(folders["source"], config, tokenizer)
    hub = _hub_config(config, tower, tokenizer, rows)
    check(weights, hub, config.decoder.vocab_size, folders["source"])
    weights = with_rows(weights, rows)
    hub.architectures, hub.dtype = ["LlavaForConditionalGeneration"], weights[EMBEDDINGS].dtype
    settings = ConversionSettings(
        from_pickle=from_pickle,
        vocabulary=rows,
        asks_as_original=asks_as_original(tokenizer),
        tensors=len(weights),
        tower="checkpoint" if inside else "folder",
    )
    with new_folder(out) as new:
        files = write_weights(new, weights, progress, shard_bytes)
        hub.save_pretrained(new)
        # Token ids only. Sampling settings are dropped, because we decode greedily.
        ends = {name: getattr(hub.text_config, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
        GenerationConfig(**ends).save_pretrained(new)
        make_processor(
            tokenizer, tower.config, tower.pictures, config.features, pad_to_square=config.pad_to_square
        ).save_pretrained(new)
        _provenance(folders, source, vision_tower, base, settings).save(new / Conversion.FILE)
    return Converted(settings.tensors, files, settings.tower, settings.asks_as_original)


def _folders(source: str, vision_tower: str | None, base: str | None, from_pickle: bool) -> dict[str, Path]:
    folders = {"source": checkpoint_folder("SOURCE", source, from_pickle=from_pickle)}
    if is_adapter(folders["source"]) is not (base is not None):
        raise UserError(
            f"{source}: holds a LoRA adapter; add --base with the model that it was trained on"
            if base is None
            else f"--base: {source} has no adapter_config.json; use --base only with a LoRA adapter"
        )
    if base is not None:
        folders["base"] = checkpoint_folder("--base", base, from_pickle=from_pickle)
    if vision_tower is not None:
        folders["vision_tower"] = checkpoint_folder("--vision-tower", vision_tower, from_pickle=from_pickle)
    return folders


def _weights(folders: dict[str, Path], from_pickle: bool) -> Weights:
    whole = folders.get("base", folders["source"])
    weights = open_weights(whole, "model", "pytorch_model", from_pickle=from_pickle)
    return merge_adapter(weights, folders["source"], from_pickle=from_pickle) if "base" in folders else weights


def _tower(config: OriginalConfig, folder: Path | None, inside: bool, from_pickle: bool) -> Tower:
    if folder is not None:
        return open_tower(folder, from_pickle=from_pickle)
    if not inside:
        raise UserError(
            f"the checkpoint has no vision tower; add --vision-tower FOLDER with a copy of '{config.tower}', "
            "or that hub id to download it"
        )
    return known_tower(config.tower)


def _rows(folder: Path, config: OriginalConfig, tokenizer: Any) -> int:
    """Return the number of embedding rows of the new model; the source has rows for all tokens but the new ones."""
    rows, new = int(config.decoder.vocab_size), {IMAGE, PAD}
    beyond = [token for token, number in tokenizer.get_vocab().items() if number >= rows and token not in new]
    if beyond:
        raise UserError(
            f"{folder}: the tokenizer has {beyond[0]!r} beyond the {rows} rows of the embeddings; "
            "use the tokenizer of this checkpoint"
        )
    needed = max(rows, len(tokenizer))
    return -(-needed // _MULTIPLE) * _MULTIPLE


def _hub_config(config: OriginalConfig, tower: Tower, tokenizer: Any, vocabulary: int) -> LlavaConfig:
    decoder = config.decoder.to_dict() | {"vocab_size": vocabulary, "pad_token_id": tokenizer.pad_token_id}
    return LlavaConfig(
        vision_config=tower.config.to_dict(),
        text_config=decoder,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=(tower.config.image_size // tower.config.patch_size) ** 2 + (config.features == "full"),
        projector_hidden_act=config.activation,
        vision_feature_select_strategy=config.features,
        vision_feature_layer=config.layer,
    )


def _provenance(
    folders: dict[str, Path], source: str, vision_tower: str | None, base: str | None, settings: ConversionSettings
) -> Conversion:
    return Conversion(
        source=_public(source),
        vision_tower=None if vision_tower is None else _public(vision_tower),
        base=None if base is None else _public(base),
        files={
            key: folder_fingerprint(folder) | {path.name: sha256_of(path) for path in sorted(folder.glob("*.bin"))}
            for key, folder in folders.items()
        },
        settings=settings,
        machine=describe_machine(),
    )


def _public(name: str) -> str:
    """Return a hub id in full, and a folder without its path, which is private."""
    return Path(name).name if name and Path(name).is_dir() else name
