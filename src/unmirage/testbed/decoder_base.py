"""The base model of a world with a given text decoder: trained up to a utility on the world, and cached."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration, LlavaProcessor

from unmirage.align import AlignData, align
from unmirage.attack import plain
from unmirage.data import ImageFolder, load_samples
from unmirage.errors import UserError
from unmirage.evaluate import ExactJudge
from unmirage.evaluate.rates import share_of
from unmirage.models import HuggingFaceVLM
from unmirage.models.base import GenerationConfig
from unmirage.models.graft import GraftSettings, Source, assemble, load_decoder
from unmirage.models.graft.templates import CHATML, default_system, picture_template
from unmirage.records import Rate, Response, Verdict
from unmirage.run import Run, new_folder
from unmirage.run.cache import cache_folder
from unmirage.run.files import tensors_written
from unmirage.run.progress import Progress, StepProgress, in_stage
from unmirage.testbed.corpus import HARMLESS, QUESTIONS
from unmirage.testbed.decoder_settings import DecoderSettings, DecoderStudySettings
from unmirage.testbed.documents import BaseTraining, UtilityCheck
from unmirage.testbed.pictures import PATCH, SIZE
from unmirage.testbed.settings import BASE
from unmirage.testbed.vlm import picture_batch, pretrain_vision
from unmirage.testbed.world import COLORS, SHAPES, Split, World
from unmirage.text.formatting import rate_points
from unmirage.workflows.processes import one_thread

_SIGHT, _TRAINING = "sight.safetensors", "align"
_READ = "pictures read"  # in the metadata of `_SIGHT`
_SPREAD = 50.0  # squared distance, in variances of the embeddings, that makes a word e times less likely


def decoder_of(lm: str | Path) -> DecoderSettings:
    """Load a text decoder, and return what a study records about it.

    Args:
        lm: directory, GGUF file, hub id, or a name such as "smollm2-135m".

    Raises:
        UserError: it is missing, is no text decoder, or has no chat template.
    """
    source = load_decoder(lm)
    return DecoderSettings(
        name=source.name,
        files=source.files,
        layers=source.model.config.num_hidden_layers,
        template="chatml" if _prefers_chatml(source) else "own",
    )


def _prefers_chatml(source: Source) -> bool:
    """Return whether to use ChatML: its tokens are in the vocabulary, and the own template adds a system prompt."""
    tokenizer = source.tokenizer
    has_own = bool(getattr(tokenizer, "chat_template", None))
    try:
        picture_template(source.name, tokenizer, CHATML)
    except UserError:
        if not has_own:
            raise UserError(
                f"--decoder {source.name}: its tokenizer has no chat template; add chat_template.jinja to its directory"
            ) from None
        return False
    return not has_own or bool(default_system(tokenizer, picture_template(source.name, tokenizer)))


def utility(vlm: HuggingFaceVLM, data: Path, generation: GenerationConfig, progress: Progress | None = None) -> Rate:
    """Return the share of the harmless validation questions that a model answers correctly, by the exact judge.

    Args:
        data: folder of `write_corpus`.
    """
    samples = {
        kind: load_samples(data / f"{QUESTIONS[Split.VALIDATION][role]}.json").samples
        for kind, role in HARMLESS.items()
    }
    queries = [query for kind, listed in samples.items() for query in plain(listed, kind)]
    devices = {sample.id: sample.group for listed in samples.values() for sample in listed}
    judge, told = ExactJudge.from_file(data / "truth.json"), in_stage(progress, "utility")
    said: dict[str, str] = {}
    for response in vlm.answer(queries, ImageFolder(data), generation):
        if isinstance(response, Response):
            said[response.query_id] = response.text
        if told is not None:
            told(len(said), len(queries))
    verdicts = [judge.verdict(one, said[one.id])[0] if one.id in said else Verdict.INVALID for one in queries]
    return share_of(Verdict.COMPLIED, verdicts, [devices[one.sample_id] for one in queries])


@dataclass(slots=True)
class UtilityWatch:
    """Measures the utility every few steps, and ends the training when it is high enough.

    Attributes:
        read: share of the pictures read, from `train_on_words`.
        file: the measurements so far; an interrupted training continues them.
    """

    vlm: HuggingFaceVLM
    data: Path
    settings: DecoderStudySettings
    read: float
    file: Path
    progress: Progress | None = None

    def __call__(self, step: int) -> str:
        """Return the reason to stop after this step; "" to continue."""
        steps = self.settings.base.steps
        if step % self.settings.decoder.check_every and step != steps:
            return ""
        with torch.random.fork_rng(devices=[]):
            rate = utility(self.vlm, self.data, self.settings.generation)
        # Steps after the last checkpoint are repeated after an interruption, and so are their measurements.
        self._write([*(one for one in self.checks() if one.step < step), UtilityCheck(step=step, utility=rate)])
        if self.progress is not None:
            self.progress(f"utility {rate_points(rate)} % after step {step} of at most {steps}", 1, 1)
        reached = rate.value is not None and rate.value >= self.settings.decoder.utility
        return f"utility {rate_points(rate)} %" if reached else ""

    def checks(self) -> tuple[UtilityCheck, ...]:
        """Return the measurements so far."""
        return BaseTraining.load(self.file).checks if self.file.is_file() else ()

    def _write(self, checks: list[UtilityCheck]) -> None:
        decoder = self.settings.decoder
        BaseTraining(
            decoder=decoder.name,
            files=decoder.files,
            pictures_read=self.read,
            goal=decoder.utility,
            checks=tuple(checks),
        ).save(self.file)


def decoder_base(
    world: World,
    data: Path,
    settings: DecoderStudySettings,
    seed: int,
    lm: str | Path,
    progress: Progress | None = None,
) -> tuple[HuggingFaceVLM, BaseTraining]:
    """Return the base model for these data, settings and seed, and how its training went; train it unless it is cached.

    The vision tower is pretrained as that of the tiny model, and then with the projector to map pictures to the
    decoder's word embeddings. Then projector and decoder are trained on the base corpus, with the tower frozen, until
    the utility on validation devices is high enough. An interrupted training is resumed.

    Args:
        data: folder of `write_corpus`; `base.json` is the training set.
        lm: the decoder that `settings.decoder` describes.
        progress: called after each step; stages are "see", "see in words", those of `align`, and one for each utility.

    Raises:
        UserError: the model does not reach the utility, or `lm` is another decoder.
    """
    folder = cache_folder() / f"base-{_content_hash(data, settings, seed)}"
    if not folder.is_dir():
        work = folder.with_name(f"{folder.name}.work")
        work.mkdir(parents=True, exist_ok=True)
        with Run(work).held(), one_thread():
            if not folder.is_dir():  # another process may have finished it
                _train(world, data, settings, seed, lm, work, folder, progress)
        shutil.rmtree(work, ignore_errors=True)
    return HuggingFaceVLM.load(folder, BASE), BaseTraining.load(folder / BaseTraining.FILE)


def _train(
    world: World,
    data: Path,
    settings: DecoderStudySettings,
    seed: int,
    lm: str | Path,
    work: Path,
    folder: Path,
    progress: Progress | None,
) -> None:
    vlm = assembled(lm, settings.decoder, seed)
    parts = nn.ModuleDict({"tower": vlm.model.model.vision_tower, "projector": vlm.model.model.multi_modal_projector})
    if (work / _SIGHT).is_file():
        parts.load_state_dict(load_file(work / _SIGHT))
        with safe_open(work / _SIGHT, "pt") as file:
            read = float(file.metadata()[_READ])
    else:
        pretrain_vision(vlm.model, vlm.processor, world, settings.vision, seed, in_stage(progress, "see"))
        read = train_on_words(vlm.model, vlm.processor, world, settings, seed, in_stage(progress, "see in words"))
        with tensors_written(work):
            save_file(parts.state_dict(), work / f".{_SIGHT}", {_READ: repr(read)})
        (work / f".{_SIGHT}").replace(work / _SIGHT)
    samples = load_samples(data / "base.json").samples
    config = settings.base.model_copy(update={"seed": seed, "save_every": settings.decoder.check_every})
    watch = UtilityWatch(vlm, data, settings, read, work / BaseTraining.FILE, progress)
    learned = AlignData(retain=samples, images=ImageFolder(data))
    result = align(vlm, learned, config, progress, work / _TRAINING, until=watch)
    checks = watch.checks()
    last = checks[-1].utility.value if checks else None
    if last is None or last < settings.decoder.utility:
        shutil.rmtree(work)
        raise UserError(_too_little(settings, checks, result.stopped))
    vlm.model.eval()
    with tensors_written(folder), new_folder(folder) as new:
        vlm.save(new)
        shutil.copyfile(work / BaseTraining.FILE, new / BaseTraining.FILE)


def _too_little(settings: DecoderStudySettings, checks: tuple[UtilityCheck, ...], stopped: str) -> str:
    """Return the message about a base model whose utility stays too low."""
    name, goal = settings.decoder.name, 100 * settings.decoder.utility
    best = max(checks, key=lambda one: one.utility.value or 0.0) if checks else None
    found = "it was not measured" if best is None else f"the best was {rate_points(best.utility)} % at step {best.step}"
    why = f" ({stopped})" if stopped else ""
    return (
        f"--decoder {name}: the base model did not reach a utility of {goal:g} % within {settings.base.steps} steps"
        f"{why}; {found}. Allow more with --base-steps, or give a larger decoder"
    )


def assembled(lm: str | Path, decoder: DecoderSettings, seed: int) -> HuggingFaceVLM:
    """Return the decoder with a new tower and projector, in float32.

    Raises:
        UserError: `lm` is another decoder than the one of the settings.
    """
    source = load_decoder(lm)
    if dict(source.files) != dict(decoder.files):
        raise UserError(f"--decoder {lm}: its files differ from those of this study; give '{decoder.name}'")
    made = assemble(
        # transformers refuses to convert the weights of a GGUF file, which are in float32 already.
        source.model if source.model.dtype == torch.float32 else source.model.float(),
        source.tokenizer,
        GraftSettings(
            image_tokens=(SIZE // PATCH) ** 2,
            tower=decoder.tower,
            layers=decoder.tower_layers,
            patch=PATCH,
            seed=seed,
        ),
        source=source.name,
        chat_template=CHATML if decoder.template == "chatml" else None,
    )
    return HuggingFaceVLM(BASE, made.model, made.processor, source.name)


def train_on_words(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    world: World,
    settings: DecoderStudySettings,
    seed: int,
    progress: StepProgress | None = None,
) -> float:
    """Train tower and projector to turn pictures into word embeddings of the decoder; return the share of them read.

    The four tokens of a picture become like the embeddings of the two words of the device's name, of its color and of
    its shape, as the tower of a real LLaVA was trained with texts. A picture is read if the right word is the nearest
    at all four places; the share is that of the last batch.

    The loss has two parts at each place. One is the squared distance to the right word, relative to the variance of
    the embeddings. The other is the cross-entropy of choosing the right word by distance. Without it, the tokens for
    a name end at the mean of all names, because only one of four patches has the glyph.
    """
    tower, projector = model.model.vision_tower, model.model.multi_modal_projector
    kinds = [[one.stem for one in world.devices], [one.body for one in world.devices], list(COLORS), list(SHAPES)]
    words = [sorted(set(kind)) for kind in kinds]
    tables = [_embedded(model, processor, listed) for listed in words]
    places = [torch.tensor([listed.index(word) for word in kind]) for kind, listed in zip(kinds, words, strict=True)]
    variance = torch.cat(tables).var()
    config = settings.decoder
    rates = [config.word_rate, config.word_rate / 2]
    optimizer = torch.optim.AdamW(
        [{"params": list(part.parameters()), "lr": rate} for part, rate in zip((projector, tower), rates, strict=True)]
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=config.word_steps)
    rng = np.random.default_rng([world.seed, seed, 11])
    tower.train()
    read = 0.0
    for step in range(config.word_steps):
        pixels, (device, color, shape) = picture_batch(processor, world, settings.vision.batch_size, rng)
        said = projector(tower(pixel_values=pixels).last_hidden_state[:, 1:])  # without the class token, as in LLaVA
        loss, right = torch.zeros(()), []
        for at, drawn in enumerate((device, device, color, shape)):
            target = places[at][drawn]
            distances = torch.cdist(said[:, at], tables[at]).square() / variance
            match = (said[:, at] - tables[at][target]).square().mean() / variance
            loss = loss + config.word_match * match / 4 + F.cross_entropy(-distances / _SPREAD, target)
            right.append(distances.argmin(-1) == target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        read = float(torch.stack(right).all(0).float().mean())
        if progress is not None:
            progress(step + 1, config.word_steps)
    tower.eval()
    return read


def _embedded(model: LlavaForConditionalGeneration, processor: LlavaProcessor, words: Iterable[str]) -> Tensor:
    """Return the decoder's embedding of each word, the mean of its tokens: (words, width)."""
    table: Any = model.get_input_embeddings()
    tokens = [processor.tokenizer(f" {word}", add_special_tokens=False)["input_ids"] for word in words]
    with torch.no_grad():
        return torch.stack([table(torch.tensor(ids)).mean(0) for ids in tokens])


def _content_hash(data: Path, settings: DecoderStudySettings, seed: int) -> str:
    """Hash everything that the trained weights depend on: data, decoder, settings, seed, torch version."""
    digest = hashlib.sha256(torch.__version__.encode())
    for path in (data / "base.json", *sorted((data / "images" / "base").iterdir())):
        digest.update(path.read_bytes())
    # The utility of the validation data ends the training.
    for role in HARMLESS.values():
        digest.update((data / f"{QUESTIONS[Split.VALIDATION][role]}.json").read_bytes())
    for one in (settings.decoder, settings.vision, settings.base, settings.generation):
        digest.update(one.model_dump_json().encode())
    digest.update(str(seed).encode())
    return digest.hexdigest()[:16]
