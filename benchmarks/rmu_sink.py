"""Measure which tokens dominate the losses of unlearning on a pretrained model, and the norm of their gradient.

    python benchmarks/rmu_sink.py MODEL DATA --json [--images DIR] [--keep benchmarks/results/rmu_sink.json]

Decoders give their first token, and often tokens of the chat template, activations that are orders of magnitude larger
than all others ("attention sinks", Xiao et al., arXiv 2309.17453; Sun et al., arXiv 2402.17762). They dominate a
squared distance over all tokens. The script compares four sets of positions on one batch, at step 0:

- official: all positions up to the end of the longest row, including padding and image (`compat: official`);
- text: all positions except padding and image;
- content: query and answer tokens;
- kept: the same without attention sinks (`method.sink_ratio`), what `align` uses.

The batch is the first `--rows` unsafe queries of DATA, with the model's own answers, because refusals are not
forgotten. Without `--images`, all use one gray image. The loss is RMU's forget loss; the weights are the `down_proj` of
the layer and of the two below it, as in the recipe of full RMU.

For each set of positions the JSON has `loss`, `gradient_norm`, `first_token_share` (share of the first tokens of all
rows in the loss) and the tokens with the largest shares of the loss: each is one position of one row, with the norm of
the gradient that it alone causes. `largest_share` is that of the first of them, `largest_share_of_its_row` the largest
share of one token in the loss of its own row. `outliers` counts the positions with a loss above 20 times the median,
with their share of the loss. The first entry of the JSON summarizes `largest_share` by layer.

`terms` has, for the kept positions, the same for every loss on representations: RMU, adaptive RMU, and the retain term
(the distance of a model with noisy weights from its start). `answers` is about losses on log-probabilities (gradient
ascent, and NPO at step 0, whose gradient is the same up to a factor): the largest share of one token of the first
`--answer-rows` answers in the loss of its row, and in the sum of the norms of the gradients that single tokens cause in
the `down_proj` of each layer. `start` lists which tokens of the first row enter.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from provenance import hand_on, made_by
from torch import Tensor

from unmirage.align import AlignConfig, AlignData, NpoConfig, RmuConfig
from unmirage.align.forward import PassBatch, raw_outputs, spoken
from unmirage.align.lora import choose_trainable
from unmirage.align.methods import make_method
from unmirage.align.methods.rmu import AdaptiveRmuConfig, Rmu, rmu_loss
from unmirage.align.module import AlignModule, count
from unmirage.align.objective import Outputs, Stream
from unmirage.align.plan import make_collator, make_rows, stream_samples
from unmirage.align.reference import Reference
from unmirage.align.sinks import find_sinks, mean_squares, without
from unmirage.data import ImageFolder, Pictures, load_samples
from unmirage.data.split import forget
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.models.families import decoder, decoder_layers
from unmirage.records import Kind, Query, Response, Sample

GRAY = "gray.png"
OUTLIER = 20.0  # times the median loss of a place
NOISE = 0.05  # standard deviations of a weight, for the retain term, which is 0 at the start
Place = tuple[int, int]  # row, position


def harmful(vlm: HuggingFaceVLM, samples: Sequence[Sample], images: Pictures, new_tokens: int) -> list[Sample]:
    """Return the samples with the model's own answers."""
    queries = [
        Query(id=s.id, sample_id=s.id, kind=Kind.PLAIN, shot=0, text=s.query, image=s.image, unsafe=True)
        for s in samples
    ]
    answered = vlm.answer(queries, images, GenerationConfig(max_new_tokens=new_tokens, batch_size=len(queries)))
    said = {one.query_id: one.text for one in answered if isinstance(one, Response) and one.text.strip()}
    return forget(samples, said)


class Measured:
    """RMU at one layer, on one batch.

    Args:
        vlm: the model.
        data: what is forgotten.
        config: settings of the run.
    """

    def __init__(self, vlm: HuggingFaceVLM, data: AlignData, config: AlignConfig) -> None:
        self._model, self._config = vlm.model, config
        method = make_method(config.method)
        assert isinstance(method, Rmu)
        self._method = method
        text: Any = decoder(vlm.model)
        method.prepare(text.config.hidden_size)
        choose_trainable(vlm.model, config)
        reference = Reference(
            vlm.model, config.method.layer, config.optimizations, adapted=False, cached=True, logits=False
        )
        self._module = AlignModule(vlm.model, method, reference, config.optimizations)
        rows = make_rows(stream_samples(method, data, config.seed), vlm.processor, data.images, config)["forget"]
        collator = make_collator(vlm.model, vlm.processor, method, config, one_pass=False)
        batch = {"forget": [rows[number] for number in range(len(rows))]}
        content = collator.batch(batch)
        words = content.inputs["attention_mask"].bool()
        words &= content.inputs["input_ids"] != vlm.model.config.image_token_id
        self.batches = {
            "official": replace(collator, places="all").batch(batch),
            "text": replace(content, places=words),
            "content": content,
            "kept": self._without_sinks(content),
        }

    def _without_sinks(self, content: PassBatch) -> PassBatch:
        """Return the batch as `align` sees it; the median is over the places of this batch."""
        ratio = self._config.method.sink_ratio
        assert ratio is not None
        squares = mean_squares(self._hidden(content)).split(content.places.sum(1).tolist())
        sinks = find_sinks(dict(enumerate(squares)), ratio)
        return replace(content, places=without(content.places, [sinks[row] for row in range(len(squares))]))

    def _hidden(self, batch: PassBatch) -> Tensor:
        needs = {"forget": frozenset({"hidden"})}
        hidden = raw_outputs(self._model, batch, needs, self._config.method.layer, self._config.optimizations)[
            "forget"
        ].hidden
        assert hidden is not None
        return hidden

    def terms(self) -> dict[str, dict[str, Any]]:
        """Return the shares of single tokens in each loss on representations, at the kept positions."""
        batch = self.batches["kept"]
        start = self._hidden(batch).detach()
        direction = self._method.direction(start)
        adaptive = AdaptiveRmuConfig().scale * start.norm(dim=-1, keepdim=True) * direction
        found = {
            "rmu": self._shares(rmu_loss(self._hidden(batch), self._config.method.scale * direction)),
            "adaptive-rmu": self._shares(rmu_loss(self._hidden(batch), adaptive)),
        }
        trained = [weight for weight in self._model.parameters() if weight.requires_grad]
        held = [weight.detach().clone() for weight in trained]
        torch.manual_seed(0)
        with torch.no_grad():
            for weight in trained:
                weight.add_(NOISE * weight.std() * torch.randn_like(weight))
        found["representation"] = self._shares(rmu_loss(self._hidden(batch), start))
        with torch.no_grad():
            for weight, one in zip(trained, held, strict=True):
                weight.copy_(one)
        return found

    def _shares(self, losses: Tensor) -> dict[str, Any]:
        trained = [weight for weight in self._model.parameters() if weight.requires_grad]

        def norm(loss: Tensor) -> float:
            gradients = torch.autograd.grad(loss, trained, retain_graph=True)
            return sum(one.double().square().sum().item() for one in gradients) ** 0.5

        largest = int(losses.argmax())
        return {
            "places": len(losses),
            "largest_share": (losses[largest] / losses.sum()).item(),
            "gradient_norm": norm(losses.mean()),
            "gradient_norm_of_largest": norm(losses[largest] / len(losses)),
        }

    def gradient_norm(self, batch: PassBatch, only: Place | None = None) -> tuple[float, float]:
        """Return the loss of a batch and the norm of its gradient; `only`: the contribution of one position."""
        part = batch
        if only is not None:
            part = replace(batch, places=torch.zeros_like(batch.places))
            part.places[only] = True
        loss = self._module(part, count([batch]))["forget"]
        trained = [weight for weight in self._model.parameters() if weight.requires_grad]
        gradients = torch.autograd.grad(loss, trained)
        return loss.item(), sum(one.double().square().sum().item() for one in gradients) ** 0.5

    @torch.no_grad()
    def losses(self, batch: PassBatch) -> Tensor:
        """Return (rows, tokens): the loss of each position before averaging, 0 elsewhere."""
        hidden = self._hidden(batch)
        nothing = hidden.new_zeros(0)
        stream = Stream(len(batch.places), nothing.long(), Outputs(nothing, None, hidden))
        found = torch.zeros(batch.places.shape, dtype=torch.float64)
        found[batch.places] = rmu_loss(hidden, self._method.target(stream)).double()
        return found


def report(measured: Measured, batch: PassBatch, names: Sequence[Sequence[str]], most: int) -> dict[str, Any]:
    """Return the measurements for one set of positions."""
    losses = measured.losses(batch)
    shares = losses / losses.sum()
    large = losses > OUTLIER * losses[batch.places].median()
    loss, norm = measured.gradient_norm(batch)
    mean = losses.sum().item() / int(batch.places.sum())
    assert abs(loss - mean) <= 1e-4 * mean, (loss, mean)  # what the shares are of is what is trained
    tokens = []
    for at in shares.flatten().argsort(descending=True)[:most].tolist():
        row, position = divmod(at, shares.shape[1])
        alone = measured.gradient_norm(batch, (row, position))[1]
        tokens.append(
            {
                "row": row,
                "position": position,
                "token": names[row][position],
                "share": shares[row, position].item(),
                "gradient_norm": alone,
            }
        )
    return {
        "places": int(batch.places.sum()),
        "loss": loss,
        "gradient_norm": norm,
        "first_token_share": shares[:, 0].sum().item(),
        "largest_share": tokens[0]["share"],
        "largest_share_of_its_row": (losses.amax(1) / losses.sum(1)).max().item(),
        "outliers": {"places": int(large.sum()), "share": shares[large].sum().item()},
        "largest": tokens,
    }


def at_layer(vlm: HuggingFaceVLM, data: AlignData, layer: int, scale: float, most: int) -> dict[str, Any]:
    """Return the measurements of the three sets of positions at one layer."""
    part = f"down_proj:{max(1, layer - 2)}-{layer}"
    method = RmuConfig(layer=layer, scale=scale, gamma=0)
    measured = Measured(vlm, data, AlignConfig(method=method, trainable=(part,), precision="float32"))
    ids = measured.batches["content"].inputs["input_ids"]
    names = [vlm.processor.tokenizer.convert_ids_to_tokens(row.tolist()) for row in ids]
    found = {name: report(measured, batch, names, most) for name, batch in measured.batches.items()}
    content, kept = (int(measured.batches[name].places.sum()) for name in ("content", "kept"))
    return {
        "layer": layer,
        "trained": part,
        **found,
        "sinks": {"places": content, "sinks": content - kept},
        "terms": measured.terms(),
    }


def answers(vlm: HuggingFaceVLM, data: AlignData, layers: Sequence[int], rows: int) -> dict[str, Any]:
    """Return the shares of single answer tokens in the loss, and in the gradient at each layer."""
    config = AlignConfig(method=NpoConfig(gamma=0), precision="float32")
    method = make_method(config.method)
    made = make_rows(stream_samples(method, data, config.seed), vlm.processor, data.images, config)["forget"]
    collator = make_collator(vlm.model, vlm.processor, method, config, one_pass=False)
    weights = [decoder_layers(vlm.model)[layer - 1].mlp.down_proj.weight for layer in layers]
    vlm.model.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    losses, norms = 0.0, dict.fromkeys(layers, 0.0)
    for number in range(min(rows, len(made))):
        batch = collator.batch({"forget": [made[number]]})
        raw = raw_outputs(vlm.model, batch, {"forget": frozenset({"log_probs"})}, 1, config.optimizations)["forget"]
        log_probs = spoken(vlm.model, batch, "forget", raw).log_probs
        losses = max(losses, (log_probs.min() / log_probs.sum()).item())
        alone = [torch.autograd.grad(one, weights, retain_graph=True) for one in log_probs]
        for at, layer in enumerate(layers):
            own = torch.stack([gradients[at].norm() for gradients in alone])
            norms[layer] = max(norms[layer], (own.max() / own.sum()).item())
    return {"rows": min(rows, len(made)), "largest_share": losses, "largest_gradient_share": norms}


def entering(vlm: HuggingFaceVLM, batch: PassBatch) -> dict[str, list[str]]:
    """Return the tokens of the first row that carry loss, and those whose representations count."""
    ids = batch.inputs["input_ids"][0]
    names = vlm.processor.tokenizer.convert_ids_to_tokens
    return {"loss": names(ids[batch.loss[0]].tolist()), "places": names(ids[batch.places[0]].tolist())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="Hugging Face directory of a LLaVA")
    parser.add_argument("data", type=Path, help="data file with unsafe queries, such as VLGuard's train.json")
    parser.add_argument("--images", type=Path, help="folder of its pictures (default: one gray picture for all)")
    parser.add_argument("--rows", type=int, default=8, help="rows of the batch")
    parser.add_argument("--layers", type=int, nargs="+", default=[4, 8, 12, 15, 20], help="1-based decoder layers")
    parser.add_argument("--scale", type=float, default=RmuConfig().scale, help="length of the control vector")
    parser.add_argument("--new-tokens", type=int, default=48, help="length of the answers")
    parser.add_argument("--answer-rows", type=int, default=2, help="rows whose answer tokens are measured one by one")
    parser.add_argument("--largest", type=int, default=3, help="tokens to list for each set of places")
    parser.add_argument("--keep", type=Path, help="write the JSON here as well")
    parser.add_argument("--json", action="store_true", help="print the JSON on stdout (the default)")
    options = parser.parse_args()
    made = made_by()
    vlm = HuggingFaceVLM.load(options.model, options.model.name)
    samples = [sample for sample in load_samples(options.data) if sample.refused][: options.rows]
    with tempfile.TemporaryDirectory() as folder:
        images = ImageFolder(options.images or Path(folder))
        if options.images is None:
            Image.new("RGB", (64, 64), (128, 128, 128)).save(Path(folder) / GRAY)
            samples = [replace(sample, image=GRAY) for sample in samples]
        data = AlignData(retain=(), forget=harmful(vlm, samples, images, options.new_tokens), images=images)
        layers = [at_layer(vlm, data, layer, options.scale, options.largest) for layer in options.layers]
        spread = answers(vlm, data, options.layers, options.answer_rows)
        start = entering(vlm, Measured(vlm, data, AlignConfig(method=RmuConfig(gamma=0))).batches["kept"])
    settings = {
        "model": options.model.name,
        "weights_sha256": hashlib.sha256((options.model / "model.safetensors").read_bytes()).hexdigest(),
        "decoder_layers": vlm.model.config.get_text_config().num_hidden_layers,
        "data": options.data.name,
        "pictures": "of the data" if options.images else "one gray picture",
        "rows": len(data.forget),
        "new_tokens": options.new_tokens,
        "scale": options.scale,
    }
    shares = {
        places: {str(one["layer"]): one[places]["largest_share"] for one in layers}
        for places in ("official", "text", "content", "kept")
    }
    found = {"largest_share": shares, "layers": layers, "answers": spread, "start": start}
    hand_on({**found, "settings": settings, **made}, options.keep)


if __name__ == "__main__":
    main()
