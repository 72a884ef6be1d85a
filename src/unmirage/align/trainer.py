"""The only Trainer subclass: it turns one batch into streams, asks the method for its loss, and keeps the parts."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Sampler, SequentialSampler
from transformers import Trainer

from unmirage.align.objective import Method, Stream
from unmirage.errors import UserError
from unmirage.models.families import image_positions


class AlignTrainer(Trainer):  # type: ignore[misc]  # transformers ships no types
    """Trains a VLM by a `Method`; the order of the data is the dataset's own."""

    loss_is_scaled_for_ga = False

    def __init__(self, *, method: Method, reference: nn.Module | None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.method = method
        self.reference = reference
        self.parts: list[dict[str, float]] = []

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return SequentialSampler(train_dataset if train_dataset is not None else self.train_dataset)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,  # noqa: ARG002
    ) -> Any:
        """Return the sum of the method's loss parts for one batch of `PairCollator`."""
        is_forget = inputs.pop("is_forget")
        labels = inputs.pop("labels")
        policy = self._forward(model, inputs, labels)
        reference = None
        if self.reference is not None:
            with torch.no_grad():
                reference = self._forward(self.reference, inputs, labels)
        parts = self.method.losses(*_split(policy, is_forget), *_split(reference, is_forget))
        self._record(parts)
        loss = torch.stack(list(parts.values())).sum()
        return (loss, policy.logits) if return_outputs else loss

    def _record(self, parts: dict[str, Tensor]) -> None:
        values = {name: float(part.detach()) for name, part in parts.items()}
        if not all(math.isfinite(value) for value in values.values()):
            raise UserError(f"training diverged at step {self.state.global_step + 1}: {values}; lower learning_rate")
        self.parts.append(values)

    def _forward(self, model: nn.Module, inputs: dict[str, Tensor], labels: Tensor) -> Stream:
        layer = self.method.hidden_layer()
        outputs = model(**inputs, output_hidden_states=layer is not None, use_cache=False)
        images = image_positions(self.model, inputs["input_ids"])
        content = inputs["attention_mask"].bool() & ~images
        hidden = None if layer is None else outputs.hidden_states[layer]
        return Stream(outputs.logits, labels, content, hidden)


def _split(stream: Stream | None, is_forget: Tensor) -> tuple[Stream | None, Any]:
    """Return the forget rows (None if there are none) and the retain rows."""
    if stream is None:
        return None, None
    forget = stream.rows(is_forget) if bool(is_forget.any()) else None
    return forget, stream.rows(~is_forget)
