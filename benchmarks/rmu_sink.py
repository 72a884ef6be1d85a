"""Measure which tokens dominate RMU's loss on a pretrained model, and the norm of its gradient.

    python benchmarks/rmu_sink.py MODEL DATA --json [--images DIR] [--keep benchmarks/results/rmu_sink.json]

Decoders give their first token, and often tokens of the chat template, activations that are orders of magnitude larger
than all others ("attention sinks", Xiao et al., arXiv 2309.17453; Sun et al., arXiv 2402.17762). They dominate a
squared distance over all tokens. The script compares three sets of positions on one batch, at step 0:

- official: all positions up to the end of the longest row, including padding and image (`compat: official`);
- text: all positions except padding and image;
- content: query and answer tokens, what `align` uses.

The batch is the first `--rows` unsafe queries of DATA, with the model's own answers, because refusals are not
forgotten. Without `--images`, all use one gray image. The loss is RMU's forget loss; the weights are the `down_proj` of
the layer and of the two below it, as in the recipe of full RMU.

For each set of positions the JSON has `loss`, `gradient_norm`, `first_token_share` (share of the first tokens of all
rows in the loss) and the tokens with the largest shares of the loss: each is one position of one row, with the norm of
the gradient that it alone causes. `largest_share` is that of the first of them, `largest_share_of_its_row` the largest
share of one token in the loss of its own row. `outliers` counts the positions with a loss above 20 times the median,
with their share of the loss. The first entry of the JSON summarizes `largest_share` by layer.
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

from unmirage.align import AlignConfig, AlignData, RmuConfig
from unmirage.align.forward import PassBatch, raw_outputs
from unmirage.align.lora import choose_trainable
from unmirage.align.methods import make_method
from unmirage.align.methods.rmu import Rmu, rmu_loss
from unmirage.align.module import AlignModule, count
from unmirage.align.objective import Outputs, Stream
from unmirage.align.plan import make_collator, make_rows, stream_samples
from unmirage.align.reference import Reference
from unmirage.data import ImageFolder, Pictures, load_samples
from unmirage.data.split import forget
from unmirage.models import GenerationConfig, HuggingFaceVLM
from unmirage.models.families import decoder
from unmirage.records import Kind, Query, Response, Sample

GRAY = "gray.png"
OUTLIER = 20.0  # times the median loss of a place
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
        layer, optimizations = self._config.method.layer, self._config.optimizations
        hidden = raw_outputs(self._model, batch, {"forget": frozenset({"hidden"})}, layer, optimizations)[
            "forget"
        ].hidden
        assert hidden is not None
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
    return {"layer": layer, "trained": part, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="Hugging Face directory of a LLaVA")
    parser.add_argument("data", type=Path, help="data file with unsafe queries, such as VLGuard's train.json")
    parser.add_argument("--images", type=Path, help="folder of its pictures (default: one gray picture for all)")
    parser.add_argument("--rows", type=int, default=8, help="rows of the batch")
    parser.add_argument("--layers", type=int, nargs="+", default=[4, 8, 12, 15, 20], help="1-based decoder layers")
    parser.add_argument("--scale", type=float, default=RmuConfig().scale, help="length of the control vector")
    parser.add_argument("--new-tokens", type=int, default=48, help="length of the answers")
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
        for places in ("official", "text", "content")
    }
    hand_on({"largest_share": shares, "layers": layers, "settings": settings, **made}, options.keep)


if __name__ == "__main__":
    main()
