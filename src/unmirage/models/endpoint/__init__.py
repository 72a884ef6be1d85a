"""Query a model on an OpenAI-compatible server, such as vLLM, SGLang, llama.cpp or OpenAI."""

from unmirage.models.endpoint.accounting import Accounting
from unmirage.models.endpoint.chat import Chat, ChatFailure, chat_messages, user_message
from unmirage.models.endpoint.completion import Completion
from unmirage.models.endpoint.spec import EndpointSettings, EndpointSpec, parse_endpoint
from unmirage.models.endpoint.vlm import EndpointVLM
from unmirage.models.endpoint.workers import in_threads

__all__ = [
    "Accounting",
    "Chat",
    "ChatFailure",
    "Completion",
    "EndpointSettings",
    "EndpointSpec",
    "EndpointVLM",
    "chat_messages",
    "in_threads",
    "parse_endpoint",
    "user_message",
]
