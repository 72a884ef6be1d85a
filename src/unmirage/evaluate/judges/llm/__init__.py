"""A language model as judge: on any OpenAI-compatible server, or loaded here; with its picture or without."""

from unmirage.evaluate.judges.llm.askers import Asker, EndpointAsker, LocalAsker, Request, remembering
from unmirage.evaluate.judges.llm.judge import LlmJudge
from unmirage.evaluate.judges.llm.replies import code_of, read_coded

__all__ = ["Asker", "EndpointAsker", "LlmJudge", "LocalAsker", "Request", "code_of", "read_coded", "remembering"]
