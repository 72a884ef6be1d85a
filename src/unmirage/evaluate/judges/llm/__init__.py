"""Judge responses with a language model, on an OpenAI-compatible server or local, with or without images."""

from unmirage.evaluate.judges.llm.askers import (
    MOST_TOKENS,
    Asker,
    EndpointAsker,
    LocalAsker,
    Request,
    code_of,
    read_coded,
    remembering,
)
from unmirage.evaluate.judges.llm.asking import AskingJudge
from unmirage.evaluate.judges.llm.judge import LlmJudge

__all__ = [
    "MOST_TOKENS",
    "Asker",
    "AskingJudge",
    "EndpointAsker",
    "LlmJudge",
    "LocalAsker",
    "Request",
    "code_of",
    "read_coded",
    "remembering",
]
