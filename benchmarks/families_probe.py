"""Try one model type with unmirage: load, parts, attack, training, estimate; families.py runs this as a process.

Prints one line of JSON: a cell for each column. A cell is [verdict, text]: "yes", "no" with unmirage's one line of
reason, "skip" for what was not tried with this benchmark's reason, or "failed" for an exception that is no
`UserError` or a result that is wrong.
"""

from __future__ import annotations

import copy
import json
import logging
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from families_shrink import tiny_model
from PIL import Image

from unmirage.align import AlignConfig, AlignData, NpoConfig, RmuConfig, SftConfig, align
from unmirage.align.config import LoraSettings
from unmirage.align.estimate.run import estimate
from unmirage.data import ImageFolder
from unmirage.errors import UserError, one_line
from unmirage.models import GenerationConfig, HuggingFaceVLM, huggingface
from unmirage.models.conversation import Conversation
from unmirage.models.decoding import Decoding
from unmirage.models.encoding import encode_prompts, to_model
from unmirage.models.families import attention_reach, end_ids, why_not_shared
from unmirage.models.prompts import Sharing, prepare
from unmirage.models.structure import PARTS, down_projections, lora_targets, part_of, structure_of
from unmirage.records import Kind, Query, Response, Sample
from unmirage.testbed.vlm import make_processor

ROOT = Path(__file__).parents[1]
COLUMNS = (
    "load", "parts", "text", "image", "shared", "full", "lora", "rmu", "down", "estimate",
)  # fmt: skip
TEXTS = (
    "How do I paint a wall?",
    "What is shown in this picture?",
    "Is there a red device on the left side of the table or not?",
)
NEW = 8
# Names of the tiny models in tests/models/tiny_families that differ from their types.
NAMES = {"llava-1.5": "llava", "qwen2.5-vl": "qwen2_5_vl", "internvl3": "internvl", "qwen3.5": "qwen3_5"}
Cell = list[str]


class WrongError(Exception):
    """A result that is not as it must be."""


def attempt(check: Callable[[], Cell]) -> Cell:
    """Return the cell of a check, or how it failed."""
    try:
        return check()
    except UserError as error:
        text = str(error)
        if "needs torchvision" in text or "requires the timm" in text or "required as a model input" in text:
            return ["skip", f"its own processor or a package of its own is needed: {one_line(error, 160)}"]
        return ["no", text] if "\n" not in text else ["failed", f"an error of several lines: {one_line(error)}"]
    except WrongError as error:
        return ["failed", str(error)]
    except Exception as error:
        last = [one for one in traceback.extract_tb(error.__traceback__) if "/unmirage/" in one.filename]
        where = f"{last[-1].filename.rpartition('/unmirage/')[2]}:{last[-1].lineno}" if last else "the benchmark"
        if "--trace" in sys.argv:
            traceback.print_exc()
        return ["failed", f"{type(error).__name__} in {where}: {one_line(error, 200)}"]


class Probe:
    """One tiny model, and what is tried with it."""

    def __init__(self, model_type: str, folder: Path) -> None:
        self.type = model_type
        self.folder = folder
        self.real = family_of(model_type)
        if self.real is None:
            self.model, self.processor = tiny_model(model_type), make_processor(TEXTS)
        else:
            self.model, self.processor = builders()[self.real]()
        self.images = images_in(folder / "images")
        self.fallen = ""  # why our loop is not used, found while generating

    @property
    def vlm(self) -> HuggingFaceVLM:
        return HuggingFaceVLM(self.type, copy.deepcopy(self.model), self.processor)

    def load(self) -> Cell:
        saved = self.folder / "model"
        saved.mkdir()
        HuggingFaceVLM(self.type, self.model, self.processor).save(saved)
        if self.real is None:
            vlm = HuggingFaceVLM.load(saved, dtype="float32")
        else:  # processors that also take videos need torchvision, which the tests do without
            from tests.models.tiny_families import load_processor

            def without_video(where: Path, **_: Any) -> Any:
                return load_processor(self.real, where)

            with patch.object(huggingface, "_load_processor", without_video):
                vlm = HuggingFaceVLM.load(saved, dtype="float32")
        before, after = self.model.state_dict(), vlm.model.state_dict()
        if before.keys() != after.keys():
            raise WrongError(f"other weights after loading: {sorted(before.keys() ^ after.keys())[:3]}")
        if changed := [name for name, one in before.items() if not torch.equal(one, after[name])]:
            raise WrongError(f"weights differ after loading: {changed[:3]}")
        return ["yes", ""]

    def parts(self) -> Cell:
        structure_of(self.model)
        counts = Counter[str]()
        for name, one in self.model.named_parameters():
            counts[part_of(self.model, name)] += one.numel()
        shares = ", ".join(f"{part} {counts[part]:,}" for part in PARTS if counts[part])
        missing = [part for part in ("language", "projector", "vision") if not counts[part]]
        return ["yes", shares + "".join(f"; no {part}" for part in missing)]

    def text(self) -> Cell:
        return self.answers(None)

    def image(self) -> Cell:
        if self.real is None:
            return ["skip", "no image processor of this type is made here"]
        return self.answers("0.png")

    def answers(self, image: str | None) -> Cell:
        """Compare our tokens with those of `generate` on each prompt alone; then ask as `attack` does."""
        vlm = self.vlm
        queries = [
            Query(id=str(at), sample_id=str(at), kind=Kind.PLAIN, shot=0, text=text, image=image, unsafe=False)
            for at, text in enumerate(TEXTS)
        ]
        decoding = Decoding(self.type, vlm.model)
        reach = attention_reach(vlm.model)
        longest = None if reach is None else reach - NEW

        def asked_for(groups: list[list[Query]]) -> list[torch.Tensor] | None:
            ready = prepare(self.processor, groups, self.images, Sharing(wanted=not decoding.plain, longest=longest))
            if ready.failed:
                raise UserError(ready.failed[0][1])
            decoding.prove(self.processor, groups, self.images, Sharing(wanted=not decoding.plain, longest=longest))
            return decoding(ready.prompts, NEW, None)

        groups = [queries] if image else [[one] for one in queries]
        rows = asked_for(groups) or asked_for(groups)  # again, if prompts cannot share a prefix after all
        if rows is None:  # one by one
            rows = [row for one in queries for row in asked_for([[one]]) or []]
        asked = [Conversation.of(one, self.images.open) for one in queries]
        wanted = [self.generated(vlm.model, one) for one in asked]
        found = [row.tolist() for row in rows]
        if found != wanted:
            raise WrongError(f"tokens differ from generate: {found} and {wanted}")
        said = list(vlm.answer(queries, self.images, GenerationConfig(max_new_tokens=NEW)))
        if not all(isinstance(one, Response) for one in said) or len(said) != len(queries):
            return ["no", str(next(one.reason for one in said if not isinstance(one, Response)))]
        if decoding.plain and not why_not_shared(self.model):
            self.fallen = "its tokens or its cache differ from the library's"
        return ["yes", "by the library's loop" if decoding.plain else ""]

    def generated(self, model: Any, asked: Conversation) -> list[int]:
        inputs = to_model(encode_prompts(self.processor, [asked]), model)
        with torch.inference_mode():
            ids = model.generate(**inputs, do_sample=False, max_new_tokens=NEW)[0]
        new = ids.tolist() if model.config.is_encoder_decoder else ids.tolist()[inputs["input_ids"].shape[1] :]
        new = new[1:] if model.config.is_encoder_decoder else new
        ends = end_ids(model)
        return new[: next((at for at, one in enumerate(new) if one in ends), len(new)) + 1]

    def shared(self) -> Cell:
        why = why_not_shared(self.model) or self.fallen
        return ["no", why] if why else ["yes", ""]

    def data(self, *, forgets: bool) -> AlignData:
        image = "0.png" if self.real else None
        rows = [
            Sample(
                id=f"s{at}", record=f"s{at}", query=text, answer=answer, image=image, refused=False,
                label_source="field",
            )
            for at, (text, answer) in enumerate(zip(TEXTS, ("A wall.", "With a brush.", "It is red."), strict=True))
        ]  # fmt: skip
        return AlignData(retain=rows[:2], forget=rows[2:] if forgets else (), images=self.images)

    def train(self, method: Any, lora: LoraSettings | None) -> set[str]:
        """Train one step; return the names of the parameters that changed."""
        vlm = self.vlm
        before = {name: one.detach().clone() for name, one in vlm.model.named_parameters()}
        config = self.config(method, lora)
        result = align(vlm, self.data(forgets=method.name != "sft"), config)
        if len(result.parts) != 1:
            raise WrongError(f"{len(result.parts)} steps instead of 1: {result.stopped}")
        after = dict(vlm.model.named_parameters())
        if before.keys() != after.keys():
            raise WrongError(f"other parameters after training: {sorted(before.keys() ^ after.keys())[:3]}")
        return {name for name, one in before.items() if not torch.equal(one, after[name].detach())}

    def config(self, method: Any, lora: LoraSettings | None) -> AlignConfig:
        own = {part_of(self.model, name) for name, _ in self.model.named_parameters()}
        parts = tuple(part for part in ("language", "projector") if part in own)
        return AlignConfig(
            method=method, lora=lora, trainable=parts, batch_size=2, steps=1, learning_rate=1e-3, warmup=0.0,
            schedule="constant", collapse_nats=None,
        )  # fmt: skip

    def full(self) -> Cell:
        return self.changed(SftConfig(), None)

    def lora(self) -> Cell:
        return self.changed(NpoConfig(), LoraSettings(rank=2, alpha=4))

    def changed(self, method: Any, lora: LoraSettings | None) -> Cell:
        changed = self.train(method, lora)
        parts = self.config(method, lora).trainable
        allowed = {name for name, _ in self.model.named_parameters() if part_of(self.model, name) in parts}
        if lora is not None:
            allowed = {f"{name}.weight" for name in lora_targets(self.model, parts)}
        if stray := changed - allowed:
            raise WrongError(f"parameters changed that are not trained: {sorted(stray)[:3]}")
        told = {part_of(self.model, name) for name in changed}
        able = {part_of(self.model, name) for name in allowed}
        expected = {"language", *({"projector"} & able if self.real else ())}
        if missing := expected - told:
            raise WrongError(f"no parameter of {', '.join(sorted(missing))} changed")
        return ["yes", ""]

    def rmu(self) -> Cell:
        if not self.train(RmuConfig(layer=2), None):
            raise WrongError("no parameter changed")
        return ["yes", ""]

    def down(self) -> Cell:
        return ["yes", ""] if down_projections(self.model, [2]) else ["no", ""]

    def estimate(self) -> Cell:
        found = estimate(self.vlm, self.data(forgets=False), self.config(SftConfig(), None))
        if found.step_tflop <= 0 or min(one.weights for one in found.memory if not one.problem) <= 0:
            raise WrongError("the estimate is zero")
        return ["yes", ""]


def images_in(folder: Path) -> ImageFolder:
    """Return a folder with an image of noise, "0.png"."""
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((48, 32), Image.Resampling.NEAREST).save(folder / "0.png")
    return ImageFolder(folder)


def builders() -> dict[str, Callable[[], tuple[Any, Any]]]:
    """Return the tiny models with processors of their own, which the tests use."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from tests.models.tiny_families import FAMILIES

    return FAMILIES


def family_of(model_type: str) -> str | None:
    """Return the name of the tests' tiny model of a type; None if there is none."""
    for name in builders():
        if NAMES.get(name, name.replace("-", "_").replace(".", "_")) == model_type:
            return name
    return None


def probe(model_type: str) -> dict[str, Cell]:
    """Return the cells of a type."""
    with tempfile.TemporaryDirectory() as folder:
        found = _probed(model_type, Path(folder))
        place = str(Path(folder) / "model")
        return {column: [verdict, text.replace(place, "DIRECTORY")] for column, (verdict, text) in found.items()}


def _probed(model_type: str, folder: Path) -> dict[str, Cell]:
    cells: dict[str, Cell]
    try:
        one = Probe(model_type, folder)
    except Exception as error:
        if "--trace" in sys.argv:
            traceback.print_exc()
        reason = f"no tiny model can be made here: {type(error).__name__}: {one_line(error, 140)}"
        return {column: ["skip", reason] for column in COLUMNS}
    cells = {}
    for column in COLUMNS:
        unusable = cells.get("load", [""])[0] == "no" and column not in ("parts", "down")
        cells[column] = ["no", cells["load"][1]] if unusable else attempt(getattr(one, column))
    return cells


def main() -> None:
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    found = probe(sys.argv[1])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
