"""Registry of judges. To add one, add a module here and a line in `JUDGES`, or an entry point "unmirage.judges"."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from unmirage.errors import UserError, unknown
from unmirage.evaluate.judges.base import Answer, Judge, TextJudge
from unmirage.evaluate.judges.exact import ExactJudge
from unmirage.evaluate.judges.official import OfficialJudge, OfficialThenModel
from unmirage.evaluate.judges.own_phrases import OwnPhrases
from unmirage.evaluate.judges.phrases import PhraseJudge
from unmirage.records import Judgement, Verdict
from unmirage.registry import InvalidError, Registry, has

if TYPE_CHECKING:
    from unmirage.data.images import Pictures
    from unmirage.evaluate.judges.llm import Asker, LlmJudge
    from unmirage.models.endpoint import EndpointSettings

__all__ = [
    "JUDGES",
    "Answer",
    "ExactJudge",
    "Judge",
    "JudgeOptions",
    "OfficialJudge",
    "PhraseJudge",
    "TextJudge",
    "make_judge",
]

log = logging.getLogger(__name__)
RUBRICS = ("harm", "relevance")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """Options of judges that are language models.

    Attributes:
        rubric: "harm" asks whether a response answers and whether it is harmful; "relevance" asks only the former.
        pictures: images to show to the judge; None shows no images.
        cache: file in which replies are cached; None disables the cache.
        settings: settings of the server.
        held: whether the server constrains replies to a JSON schema.
        batch_size: responses per batch, for a local model; None selects the batch size automatically.
        max_tokens: maximum tokens of a reply; None for the default.
    """

    rubric: Literal["harm", "relevance"] = "harm"
    pictures: Pictures | None = None
    cache: Path | None = None
    settings: EndpointSettings | None = None
    held: bool = False
    batch_size: int | None = None
    max_tokens: int | None = None


def _phrases(argument: str, _options: JudgeOptions) -> Judge:
    return PhraseJudge(OwnPhrases.from_file(Path(argument)) if argument else None)


def _exact(argument: str, _options: JudgeOptions) -> Judge:
    if not argument:
        raise UserError("judge 'exact' needs a ground-truth file; write exact:PATH/truth.json")
    return ExactJudge.from_file(Path(argument))


def _on_server(argument: str, options: JudgeOptions) -> Asker:
    # Imported lazily: the import takes seconds and the other judges do not need it.
    from unmirage.evaluate.judges.llm import MOST_TOKENS, EndpointAsker, remembering
    from unmirage.models.endpoint import Chat, parse_endpoint

    chat = Chat(parse_endpoint(f"endpoint:{argument}"), options.settings)
    most = options.max_tokens or MOST_TOKENS
    return remembering(EndpointAsker(chat, options.pictures, held=options.held, max_tokens=most), options.cache)


def _on_this_machine(argument: str, options: JudgeOptions) -> Asker:
    from unmirage.data.images import ImageFolder
    from unmirage.evaluate.judges.llm import MOST_TOKENS, LocalAsker, remembering
    from unmirage.models import HuggingFaceVLM

    vlm = HuggingFaceVLM.load(_model(argument))
    pictures, most = options.pictures or ImageFolder(Path()), options.max_tokens or MOST_TOKENS
    return remembering(LocalAsker(vlm, _weights(argument), pictures, options.batch_size, most), options.cache)


def _local_guard(argument: str, options: JudgeOptions) -> Asker:
    from unmirage.data.images import ImageFolder
    from unmirage.evaluate.judges.guards.local import LocalGuard
    from unmirage.evaluate.judges.llm import remembering
    from unmirage.models.completer import Completer

    model = Completer.load(_model(argument))
    pictures = options.pictures or ImageFolder(Path())
    return remembering(LocalGuard(model, _weights(argument), pictures), options.cache)


def _model(argument: str) -> str:
    if not argument:
        raise UserError("judge 'local' needs a model; write local:FOLDER or local:HUB-ID")
    return argument


def _weights(model: str) -> dict[str, str]:
    from unmirage.run.fingerprint import folder_fingerprint

    folder = Path(model)
    return folder_fingerprint(folder) if folder.is_dir() else {"hub": model}


def _endpoint(argument: str, options: JudgeOptions) -> LlmJudge:
    return _llm(_on_server(argument, options), options)


def _local(argument: str, options: JudgeOptions) -> LlmJudge:
    return _llm(_on_this_machine(argument, options), options)


def _llm(asker: Asker, options: JudgeOptions) -> LlmJudge:
    from unmirage.evaluate.judges.llm import LlmJudge

    return LlmJudge(asker, sees=options.pictures is not None, relevance_only=options.rubric == "relevance")


def _guard(argument: str, options: JudgeOptions) -> Judge:
    from unmirage.evaluate.judges.guards import GUARDS, GuardJudge

    name, _, place = argument.partition("@")
    kind, _, model = place.partition(":")
    askers = {"endpoint": _on_server, "local": _local_guard}
    if kind not in askers:
        raise UserError(
            f"judge 'guard:{argument}' names no model; "
            "write guard:NAME@endpoint:URL#model-name or guard:NAME@local:FOLDER-OR-HUB-ID"
        )
    if name not in GUARDS:
        raise unknown("guard", name, GUARDS)
    guard = GUARDS[name]
    if guard.judges_picture and options.pictures is None:
        raise UserError(f"judge 'guard:{name}' judges only pictures; add --judge-sees-pictures")
    if options.pictures is not None and guard.most_pictures == 0:
        log.info("judge guard:%s reads only text; it does not see the pictures", name)
    # The format of a guard's replies is not JSON.
    return GuardJudge(guard, askers[kind](model, replace(options, held=False)), sees=options.pictures is not None)


def _strongreject(argument: str, options: JudgeOptions) -> Judge:
    from unmirage.evaluate.judges.llm.strongreject import StrongReject

    kind, _, model = argument.partition(":")
    askers = {"endpoint": _on_server, "local": _on_this_machine}
    if kind not in askers:
        raise UserError(
            f"judge 'strongreject:{argument}' names no model; "
            "write strongreject:endpoint:URL#model-name or strongreject:local:FOLDER-OR-HUB-ID"
        )
    return StrongReject(askers[kind](model, options), sees=options.pictures is not None)


def _official(argument: str, options: JudgeOptions) -> Judge:
    if not argument:
        return OfficialJudge()
    name, _, address = argument.partition(":")
    if name not in _MODELS:
        raise UserError(
            f"judge 'official' does not support the model type '{name}'; "
            "valid: official, official:endpoint:URL#model-name, official:local:FOLDER"
        )
    return OfficialThenModel(_MODELS[name](address, replace(options, rubric="relevance")))


_MODELS: dict[str, Callable[[str, JudgeOptions], LlmJudge]] = {"endpoint": _endpoint, "local": _local}


def _judgements(found: Iterable[Any], answers: Sequence[Answer], *_: Any, **__: Any) -> Iterator[Judgement]:
    left = {(query.id, response.model) for query, response in answers}
    for one in found:
        valid = isinstance(one, Judgement) and isinstance(one.verdict, Verdict) and isinstance(one.why, str)
        if not valid or (one.query_id, one.model) not in left:
            raise InvalidError(f"it yielded {one!r}; valid: one Judgement per answer, with a Verdict and a text")
        left.remove((one.query_id, one.model))
        yield one
    if left:
        raise InvalidError(f"it yielded no Judgement on {len(left)} of {len(answers)} answers")


# Each factory receives the argument of "name:argument" and the options.
JUDGES: Registry[Callable[[str, JudgeOptions], Judge]] = Registry(
    "judge",
    "unmirage.judges",
    {
        "exact": _exact,
        "guard": _guard,
        "official": _official,
        "phrases": _phrases,
        "strongreject": _strongreject,
        **_MODELS,
    },
    has("a function of (argument, JudgeOptions) that returns a Judge", Callable),
    made=has("a Judge", name=str, fingerprint=Mapping, judge=Callable),
    results={"judge": _judgements},
)


def make_judge(spec: str, options: JudgeOptions | None = None) -> Judge:
    """Return the judge that `spec` names.

    Args:
        spec: "phrases", "phrases:FILE", "exact:PATH/truth.json", "endpoint:URL#model-name", "local:FOLDER-OR-HUB-ID",
            "official", "official:endpoint:URL#model-name" or "official:local:FOLDER-OR-HUB-ID"; the last two also after
            "guard:NAME@" and "strongreject:" instead of "official:".
        options: options of judges that are language models.

    Raises:
        UserError: the judge is unknown or its argument is invalid.
    """
    name, _, argument = spec.partition(":")
    factory = JUDGES.find(name)
    return JUDGES.create(name, lambda: factory(argument, options or JudgeOptions()))
