"""Read the JSON files of a run into checked records; errors name file and field."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unmirage.errors import UserError
from unmirage.run.json_files import read_json
from unmirage.text.printable import clean

RESULTS_SCHEMA = "unmirage.results/1"

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Document(BaseModel):
    """A part of a document: types are not bent, fields that a later version adds are passed over."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class RateRead(Document):
    """A share with its interval and counts, as saved."""

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
    """The attack's success, also by shots and against what it is compared with. Older documents know less of it."""

    per_shot: RateRead
    by_k: list[RateRead]
    by_shot: list[RateRead] = []
    control: RateRead
    control_by_k: list[RateRead] = []
    by_kind: dict[str, RateRead] = {}


class BenignRead(PairRead):
    """A rate of benign queries, also of other rewrites."""

    by_kind: dict[str, RateRead] = {}


class CategoryRead(Document):
    """The rates of one category of the data."""

    asr: PairRead
    rr: PairRead


class CorrectedRead(Document):
    """A rate corrected for the judge's errors; where it is not identifiable, `why` says so."""

    value: Share | None
    low: Share | None
    high: Share | None
    identifiable: bool
    why: str = ""


class MeanRead(Document):
    """A mean: of a benchmark's own scores, of shots, or of seeds."""

    value: float | None
    low: float | None
    high: float | None
    n: Count


class VariantRead(Document):
    """What a model was made from, and how."""

    of: str
    kind: str
    data: str = ""
    amount: Annotated[float, Field(ge=0)] = 0.0


class ClusterRead(Document):
    """Responses that say nearly the same."""

    size: Count
    examples: list[str]


class InsteadRead(Document):
    """What a model says where it neither complies nor refuses."""

    n: Count
    shares: dict[str, RateRead]
    clusters: list[ClusterRead] = []


class ModelRead(Document):
    """All rates of one model. Older documents do not say whether it has collapsed, so None is not the same as []."""

    asr: AsrRead
    rr: BenignRead
    benign_answered: BenignRead = BenignRead(before=NOT_MEASURED, after=NOT_MEASURED)
    ir: PairRead
    refused_unsafe: PairRead
    utility: RateRead
    utility_by_category: dict[str, RateRead] = {}
    near: RateRead = NOT_MEASURED
    categories: dict[str, CategoryRead] = {}
    corrected: dict[str, dict[str, CorrectedRead]] | None = None
    collapsed: list[str] | None = None
    bootstrap: dict[str, MeanRead] = {}
    over_seeds: dict[str, MeanRead] = {}
    scores: dict[str, MeanRead] = {}
    variant: VariantRead | None = None
    instead: InsteadRead | None = None


class SeedRead(Document):
    """The rates of one seed alone."""

    seed: int
    models: dict[str, ModelRead]


class CanariesRead(Document):
    """How often an attack on the judge itself turns its verdict."""

    flip_rate: RateRead
    by_attack: dict[str, RateRead] = {}


class CalibrationRead(Document):
    """How a judge errs, measured on responses with known verdicts."""

    n: Count
    sensitivity: RateRead
    specificity: RateRead


class JudgeRead(Document):
    """What is known of a judge: how far it agrees with the one behind the rates, how it errs, what attacks on it do."""

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
    """Two rates over the same samples, b minus a."""

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
    """The benchmark that was asked."""

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
    """Return the rates of a run."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; the run holds no rates yet, finish it first")
    return checked(ResultsRead, read_json(path), RESULTS_SCHEMA, str(path))


def checked(model: type[Read], document: Any, schema: str, where: str) -> Read:
    """Return the document as `model`, or raise `UserError` naming the first field that is wrong."""
    found = document.get("schema") if isinstance(document, dict) else None
    if found != schema:
        named = f"schema is {clean(repr(found), 60)}" if found is not None else "names no schema"
        raise UserError(f"{where}: {named}; valid: '{schema}'")
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = clean(".".join(map(str, first["loc"])), 200)
        raise UserError(f"{where}: {place}: {first['msg']} (schema {schema})".replace("\n", " ")) from None
