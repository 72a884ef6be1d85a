"""Plan the variants of a model and their names."""

from __future__ import annotations

from collections.abc import Sequence

from unmirage.records import Variant

RELEARNED, INT8, TEMPERATURE, NO_ADAPTER = "relearned", "int8", "temperature", "no adapter"


def plan_variants(
    of: str,
    *,
    relearn: Sequence[str] = (),
    samples: Sequence[int] = (),
    int8: bool = False,
    temperatures: Sequence[float] = (),
    no_adapter: bool = False,
) -> list[Variant]:
    """Return all variants of the model `of`, in the order in which they are built.

    Args:
        of: name of the model in tables.
        relearn: names of the fine-tuning datasets.
        samples: numbers of fine-tuning samples; each is combined with each dataset. 0 adds no variant.
        int8: whether to add a variant with weights rounded to 8 bits.
        temperatures: sampling temperatures; each adds a variant.
        no_adapter: whether to add the model without its adapter.
    """
    found = [_variant(of, INT8)] if int8 else []
    found += [_variant(of, TEMPERATURE, amount=one) for one in temperatures]
    found += [_variant(of, NO_ADAPTER)] if no_adapter else []
    return found + [_variant(of, RELEARNED, data, count) for data in relearn for count in samples if count]


def _variant(of: str, kind: str, data: str = "", amount: float = 0) -> Variant:
    told = f"{data} {amount}" if kind == RELEARNED else f"{kind} {amount:g}" if kind == TEMPERATURE else kind
    return Variant(model=f"{of} + {told}", of=of, kind=kind, data=data, amount=float(amount))
