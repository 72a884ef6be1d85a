"""Ask a local guard model, text-only or with pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from unmirage.data.images import Pictures
from unmirage.errors import UserError, one_line
from unmirage.evaluate.judges.llm.askers import MOST_TOKENS, UNREADABLE, Readable, Reply, Request, Served
from unmirage.models.completer import Completer
from unmirage.models.conversation import Conversation, answered, messages
from unmirage.models.encoding import REFUSED
from unmirage.records import Turn

if TYPE_CHECKING:
    from unmirage.models.endpoint import Accounting


class LocalGuard:
    """A guard model on this machine, asked one request at a time with greedy decoding.

    Args:
        model: the guard model.
        fingerprint: properties that identify the model.
        pictures: images of the requests.
    """

    def __init__(self, model: Completer, fingerprint: Mapping[str, str], pictures: Pictures) -> None:
        self.name = model.name
        self.fingerprint = fingerprint
        self.accounting: Accounting | None = None
        self.served: Served | None = None
        self._model = model
        self._pictures = pictures

    def resume(self) -> None:
        """Do nothing: a local model has no connection to resume."""

    def ask(self, requests: Sequence[Request], readable: Readable) -> Iterator[Reply]:
        """Yield the replies in order.

        Raises:
            UserError: the model has no chat template, but the guard needs one.
        """
        for request in requests:
            prompt = request.raw or self._model.prompt(_turns(request))
            try:
                opened = [self._pictures.open(path) for path in request.images]
                text = self._model.complete(prompt, opened, request.max_tokens or MOST_TOKENS)
            except REFUSED as error:  # a picture that cannot be opened, or a prompt that the model cannot take
                yield Reply(request, None, str(error) if isinstance(error, UserError) else one_line(error, 200))
                continue
            yield Reply(request, text) if readable(request, text) else Reply(request, None, UNREADABLE)


def _turns(request: Request) -> list[dict[str, object]]:
    context = (Turn("system", request.system),) if request.system else ()
    asked = Conversation(request.text, places=(0,) * len(request.images), context=context)
    return messages(asked) if request.answer is None else answered(asked, request.answer)
