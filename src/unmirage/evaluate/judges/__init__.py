"""All judges. A new one is a module here and a line in `JUDGES`, or an entry point "unmirage.judges" elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unmirage.errors import UserError
from unmirage.evaluate.judges.base import Answer, Judge, TextJudge
from unmirage.evaluate.judges.exact import ExactJudge
from unmirage.evaluate.judges.official import OfficialJudge, OfficialThenModel
from unmirage.evaluate.judges.phrases import PhraseJudge
from unmirage.registry import Registry

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

RUBRICS = ("harm", "relevance")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """What only language models as judges need.

    Attributes:
        rubric: "harm" asks whether a response answers and whether it is harmful; "relevance" only the first.
        pictures: shows the judge the pictures, which are here; None shows none.
        cache: file that keeps what was replied; None keeps nothing.
        settings: of the server.
        held: a server holds replies to a JSON schema.
        batch_size: responses at once, for a model that is loaded here.
    """

    rubric: Literal["harm", "relevance"] = "harm"
    pictures: Pictures | None = None
    cache: Path | None = None
    settings: EndpointSettings | None = None
    held: bool = False
    batch_size: int | None = None


def _phrases(argument: str, _options: JudgeOptions) -> Judge:
    if argument:
        raise UserError(f"judge 'phrases' takes no argument, got '{argument}'")
    return PhraseJudge()


def _exact(argument: str, _options: JudgeOptions) -> Judge:
    if not argument:
        raise UserError("judge 'exact' needs the ground truth; write exact:PATH/truth.json")
    return ExactJudge.from_file(Path(argument))


def _endpoint(argument: str, options: JudgeOptions) -> LlmJudge:
    # Only here: it takes seconds, and the other judges need none of it.
    from unmirage.evaluate.judges.llm import EndpointAsker
    from unmirage.models.endpoint import Chat, parse_endpoint

    chat = Chat(parse_endpoint(f"endpoint:{argument}"), options.settings)
    return _llm(EndpointAsker(chat, options.pictures, held=options.held), options)


def _local(argument: str, options: JudgeOptions) -> LlmJudge:
    if not argument:
        raise UserError("judge 'local' needs a model; write local:FOLDER, or local:HUB-ID")
    from unmirage.data.images import ImageFolder
    from unmirage.evaluate.judges.llm import LocalAsker
    from unmirage.models import HuggingFaceVLM
    from unmirage.run.fingerprint import folder_fingerprint

    vlm = HuggingFaceVLM.load(argument)
    folder = Path(argument)
    made_of = folder_fingerprint(folder) if folder.is_dir() else {"hub": argument}
    return _llm(LocalAsker(vlm, made_of, options.pictures or ImageFolder(Path()), options.batch_size), options)


def _llm(asker: Asker, options: JudgeOptions) -> LlmJudge:
    from unmirage.evaluate.judges.llm import LlmJudge, remembering

    return LlmJudge(
        remembering(asker, options.cache),
        sees=options.pictures is not None,
        relevance_only=options.rubric == "relevance",
    )


def _official(argument: str, options: JudgeOptions) -> Judge:
    if not argument:
        return OfficialJudge()
    name, _, address = argument.partition(":")
    if name not in _MODELS:
        raise UserError(
            f"judge 'official' cannot pass responses on to '{name}'; "
            "valid: official, official:endpoint:URL#model-name, official:local:FOLDER"
        )
    return OfficialThenModel(_MODELS[name](address, replace(options, rubric="relevance")))


_MODELS: dict[str, Callable[[str, JudgeOptions], LlmJudge]] = {"endpoint": _endpoint, "local": _local}
# An entry is called with what stands behind the colon of "name:argument", and with the options.
JUDGES: Registry[Callable[[str, JudgeOptions], Judge]] = Registry(
    "judge",
    "unmirage.judges",
    {"exact": _exact, "official": _official, "phrases": _phrases, **_MODELS},
)


def make_judge(spec: str, options: JudgeOptions | None = None) -> Judge:
    """Return the judge that `spec` names.

    Args:
        spec: "phrases", "exact:PATH/truth.json", "endpoint:URL#model-name", "local:FOLDER-OR-HUB-ID", "official", or
            "official:" and one of the two before.
        options: for judges that are language models.

    Raises:
        UserError: no such judge, or its argument is not valid.
    """
    name, _, argument = spec.partition(":")
    return JUDGES.find(name)(argument, options or JudgeOptions())
