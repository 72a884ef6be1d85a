"""Read the JSON files of a run into checked records. Errors name the file and the field."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unmirage.errors import UserError
from unmirage.run.files import read_json
from unmirage.text.printable import clean

RESULTS_SCHEMA = "unmirage.results/1"

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Document(BaseModel):
    """Part of a document. Types are strict; unknown fields from later versions are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class RateRead(Document):
    """A rate with its confidence interval and counts, as saved."""

    value: Share | None
    low: Share | None
    high: Share | None
    k: Annotated[int | float, Field(ge=0)]
    n: Count
    invalid: Count = 0
    clusters: Count | None = None
    design_effect: Annotated[float, Field(ge=0)] | None = None


NOT_MEASURED = RateRead(value=None, low=None, high=None, k=0, n=0)


class PairRead(Document):
    """A rate before and after the attack."""

    before: RateRead
    after: RateRead


class AsrRead(PairRead):
    """The attack success rate, also by shots and for controls. Older documents have fewer fields."""

    per_shot: RateRead
    by_k: list[RateRead]
    by_shot: list[RateRead] = []
    control: RateRead
    control_by_k: list[RateRead] = []
    by_kind: dict[str, RateRead] = {}


class BenignRead(PairRead):
    """A rate of benign queries, also for other rewrites."""

    by_kind: dict[str, RateRead] = {}


class CategoryRead(Document):
    """The rates of one data category."""

    asr: PairRead
    rr: PairRead


class CorrectedRead(Document):
    """A rate corrected for the judge's errors; if it is not identifiable, `why` gives the reason."""

    value: Share | None
    low: Share | None
    high: Share | None
    identifiable: bool
    why: str = ""


class MeanRead(Document):
    """A mean of a benchmark's own scores, of shots or of seeds."""

    value: float | None
    low: float | None
    high: float | None
    n: Count


class VariantRead(Document):
    """The model that a variant was made from, and how."""

    of: str
    kind: str
    data: str = ""
    amount: Annotated[float, Field(ge=0)] = 0.0


class ClusterRead(Document):
    """Responses with nearly the same text."""

    size: Count
    examples: list[str]


class IrrelevantResponsesRead(Document):
    """Kinds of irrelevant responses of a model."""

    n: Count
    shares: dict[str, RateRead]
    clusters: list[ClusterRead] = []


class ModelRead(Document):
    """All rates of one model. `collapsed` is None if an older document lacks it, and [] if the model is sound."""

    asr: AsrRead
    rr: BenignRead
    benign_answered: BenignRead = BenignRead(before=NOT_MEASURED, after=NOT_MEASURED)
    ir: PairRead
    refused_unsafe: PairRead
    utility: RateRead
    utility_by_category: dict[str, RateRead] = {}
    neighbor_utility: RateRead = NOT_MEASURED
    categories: dict[str, CategoryRead] = {}
    corrected: dict[str, dict[str, CorrectedRead]] | None = None
    collapsed: list[str] | None = None
    bootstrap: dict[str, MeanRead] = {}
    over_seeds: dict[str, MeanRead] = {}
    scores: dict[str, MeanRead] = {}
    variant: VariantRead | None = None
    irrelevant_responses: IrrelevantResponsesRead | None = None


class SeedRead(Document):
    """The rates of one seed."""

    seed: int
    models: dict[str, ModelRead]


class CanariesRead(Document):
    """How often attacks on the judge change its verdict."""

    flip_rate: RateRead
    by_attack: dict[str, RateRead] = {}


class CalibrationRead(Document):
    """Error rates of a judge, measured on responses with known verdicts."""

    n: Count
    sensitivity: RateRead
    specificity: RateRead


class JudgeRead(Document):
    """Quality of a judge: agreement with the judge of the rates, error rates, and robustness to attacks."""

    precision: RateRead | None = None
    recall: RateRead | None = None
    complied_precision: RateRead | None = None
    canaries: CanariesRead | None = None
    calibration: CalibrationRead | None = None


class SideRead(Document):
    """One side of a comparison."""

    model: str
    rate: str


class ComparisonRead(Document):
    """Two rates over the same samples; the difference is b minus a."""

    a: SideRead
    b: SideRead
    n: Count
    only_a: Count
    only_b: Count
    difference: Annotated[float, Field(ge=-1, le=1)] | None
    low: Annotated[float, Field(ge=-1, le=1)] | None
    high: Annotated[float, Field(ge=-1, le=1)] | None
    p_value: Share | None
    p_holm: Share | None = None
    clusters: Count | None = None
    design_effect: Annotated[float, Field(ge=0)] | None = None


class SuiteRead(Document):
    """The benchmark of the run."""

    name: str
    purpose: str = ""


class ResultsRead(Document):
    """A document of schema `unmirage.results/1`."""

    seeds: Annotated[list[int], Field(min_length=1)]
    judge: str
    attack: dict[str, Any] = {}
    clustered_by: list[str] = []
    warnings: list[str] = []
    models: Annotated[dict[str, ModelRead], Field(min_length=1)]
    by_seed: list[SeedRead] = []
    judges: dict[str, JudgeRead] = {}
    comparisons: list[ComparisonRead] = []
    suite: SuiteRead | None = None
    settings: dict[str, Any] = {}
    machine: dict[str, Any] = {}
    timings: dict[str, Annotated[float, Field(ge=0)]] = {}


Read = TypeVar("Read", bound=Document)


def read_results(path: Path) -> ResultsRead:
    """Return the checked results of a run."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; the run has no rates yet, complete it first")
    return checked(ResultsRead, read_json(path), RESULTS_SCHEMA, str(path))


def checked(model: type[Read], document: Any, schema: str, where: str) -> Read:
    """Return the document as `model`, or raise `UserError` naming the first invalid field."""
    found = document.get("schema") if isinstance(document, dict) else None
    if found != schema:
        named = f"schema is {clean(repr(found), 60)}" if found is not None else "schema is missing"
        raise UserError(f"{where}: {named}; valid: '{schema}'")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = clean(".".join(map(str, first["loc"])), 200)
        raise UserError(f"{where}: {place}: {first['msg']} (schema {schema})".replace("\n", " ")) from None
