"""Load a text decoder with its tokenizer from a directory, a hub id, a GGUF file, or a known name."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, AutoModelForCausalLM, AutoTokenizer

from unmirage.errors import UserError, one_line, unknown
from unmirage.models.folder import check_code, check_folder, check_weights, is_adapter, local_folder, some
from unmirage.models.graft.named import WHEELS, named_gguf
from unmirage.models.huggingface import load_errors, no_progress_bar
from unmirage.run.fingerprint import folder_fingerprint, sha256_of
from unmirage.run.paths import no_such

_MAGIC = b"GGUF"
_CHAT_MODEL = "give a chat model, such as Llama, Qwen or Gemma"


@dataclass(frozen=True, slots=True)
class Source:
    """A loaded decoder.

    Attributes:
        name: hub id in full, known name, or name of the directory or file without its path, which is private.
        model: the causal language model.
        tokenizer: its tokenizer.
        files: hash by file name; for a hub id, also its commit.
    """

    name: str
    model: Any
    tokenizer: Any
    files: Mapping[str, str]


def load_decoder(lm: str | Path, *, revision: str | None = None, wheel: Path | None = None) -> Source:
    """Load a text decoder.

    Weights in a directory keep their precision; those of a GGUF file become float32.

    Args:
        lm: directory (safetensors), hub id, GGUF file, or a name such as "smollm2-135m".
        revision: commit of a hub id.
        wheel: local copy of the wheel behind a name.

    Raises:
        UserError: the decoder is missing, incomplete, or of another kind.
    """
    name = str(lm)
    if wheel is not None and name not in WHEELS:
        raise UserError(f"--wheel: used only with a name; valid: {', '.join(WHEELS)}")
    if revision is not None and (name in WHEELS or Path(lm).is_file()):
        raise UserError(f"revision '{revision}': only hub ids have revisions; leave it out")
    if name in WHEELS:
        _need_gguf(name)
        return _from_gguf(named_gguf(name, wheel), name)
    if Path(lm).is_file():
        return _from_gguf(Path(lm), Path(lm).name)
    if Path(lm).suffix == ".gguf":
        raise no_such("file", lm)
    if name.lower() in WHEELS or (not Path(lm).exists() and "/" not in name):
        raise unknown("decoder", name, [*WHEELS, "a directory", "a GGUF file", "a hub id owner/name"])
    return _from_folder(lm, revision)


def _from_folder(lm: str | Path, revision: str | None) -> Source:
    folder = local_folder(lm, revision, trust_remote_code=False)
    if is_adapter(folder):
        raise UserError(f"model '{lm}': is an adapter; merge it into its base, and give the result")
    check_code(folder, trust_remote_code=False)
    if not (folder / "config.json").is_file() and (found := sorted(folder.glob("*.gguf"))):
        raise UserError(f"model '{lm}': has no config.json, but GGUF files; give one of them, such as {found[0]}")
    check_folder(folder)
    check_weights(folder)
    hub = folder != Path(lm)
    with load_errors(lm):
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    model, tokenizer = _loaded(config, folder, str(lm), dtype="auto", use_safetensors=True)
    files = folder_fingerprint(folder) | ({"commit": folder.name} if hub else {})
    return Source(str(lm) if hub else folder.resolve().name, model, tokenizer, files)


def _from_gguf(file: Path, name: str) -> Source:
    with file.open("rb") as opened:
        if opened.read(len(_MAGIC)) != _MAGIC:
            raise UserError(f"{file}: is no GGUF file; give a directory, a GGUF file, or one of: {', '.join(WHEELS)}")
    _need_gguf(str(file))
    from gguf import GGUFReader

    try:
        fields = GGUFReader(file).fields
        architecture = str(fields["general.architecture"].contents())
    except Exception as error:  # the reader checks nothing, so a bad file can raise anything
        raise UserError(f"{file}: is corrupt or truncated ({one_line(error, 120)}); download it again") from error
    try:
        config = AutoConfig.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
    except (ValueError, KeyError, AttributeError, TypeError, OSError) as error:
        raise UserError(
            f"{file}: architecture '{architecture}' is no text decoder that transformers reads from GGUF "
            f"({one_line(error, 120)}); {_CHAT_MODEL}"
        ) from error
    with redirect_stderr(io.StringIO()):  # its progress bar cannot be switched off
        model, tokenizer = _loaded(config, file.parent, str(file), dtype=torch.float32, gguf_file=file.name)
    return Source(name, model, tokenizer, {file.name: sha256_of(file)})


def _need_gguf(what: str) -> None:
    if find_spec("gguf") is None:
        raise UserError(f"{what}: reading GGUF needs the package gguf; install it: pip install 'unmirage[gguf]'")


def _loaded(config: Any, folder: Path, source: str, **options: Any) -> tuple[Any, Any]:
    """Return model and tokenizer of a folder; `options` are those of `from_pretrained`."""
    _check_kind(config, source)
    told = {"gguf_file": options["gguf_file"]} if "gguf_file" in options else {}
    with load_errors(source), no_progress_bar():
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **told)
        model, found = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, output_loading_info=True, **options
        )
    if missing := set(found["missing_keys"]):
        raise UserError(f"model '{source}': weights are missing: {some(missing)}; download the whole model again")
    return model.eval(), tokenizer


def _check_kind(config: Any, source: str) -> None:
    kind = config.model_type
    if config.get_text_config() is not config:
        raise UserError(f"model '{source}': is a multimodal model ({kind}) already; give a text decoder")
    if getattr(config, "is_encoder_decoder", False) or type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise UserError(f"model '{source}': {kind} is no text decoder; {_CHAT_MODEL}")
    if getattr(config, "quantization_config", None) is not None and "gguf" not in str(config.quantization_config):
        raise UserError(f"model '{source}': its weights are quantized; give the unquantized model")
