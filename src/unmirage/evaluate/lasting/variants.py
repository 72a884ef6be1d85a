"""What is to be done to a model in, its variants with their names out."""

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
    """Return all variants of the model `of`, in the order in which they are made.

    Args:
        of: its name in tables.
        relearn: names of the data that it is fine-tuned on.
        samples: on how many of each; 0 is the model itself, and no variant.
        int8: with weights rounded to 8 bits.
        temperatures: sampled at each of them.
        no_adapter: without its adapter.
    """
    found = [_variant(of, INT8)] if int8 else []
    found += [_variant(of, TEMPERATURE, amount=one) for one in temperatures]
    found += [_variant(of, NO_ADAPTER)] if no_adapter else []
    return found + [_variant(of, RELEARNED, data, count) for data in relearn for count in samples if count]


def _variant(of: str, kind: str, data: str = "", amount: float = 0) -> Variant:
    told = f"{data} {amount}" if kind == RELEARNED else f"{kind} {amount:g}" if kind == TEMPERATURE else kind
    return Variant(model=f"{of} + {told}", of=of, kind=kind, data=data, amount=float(amount))
