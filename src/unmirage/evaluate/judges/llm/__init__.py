"""Judge responses with a language model, on an OpenAI-compatible server or local, with or without images."""

from unmirage.evaluate.judges.llm.askers import Asker, EndpointAsker, LocalAsker, Request, remembering
from unmirage.evaluate.judges.llm.judge import LlmJudge
from unmirage.evaluate.judges.llm.replies import code_of, read_coded

__all__ = ["Asker", "EndpointAsker", "LlmJudge", "LocalAsker", "Request", "code_of", "read_coded", "remembering"]
