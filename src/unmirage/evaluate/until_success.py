"""Send the shots at each sample until one succeeds, which saves queries if only "any of K" matters.

Each round sends one shot of every unfinished series, so that batches stay full. Responses and verdicts are stored after
each round, so an interrupted run can resume.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from unmirage.data.images import Pictures
from unmirage.evaluate.judges import Judge
from unmirage.evaluate.missing import SHOTS, series, undecided
from unmirage.evaluate.screening import screened
from unmirage.models.base import VLM, GenerationConfig, ask
from unmirage.records import Query, Response, Verdict
from unmirage.run.progress import StepProgress
from unmirage.run.store import Store


def ask_until_success(
    vlm: VLM,
    store: Store,
    images: Pictures,
    config: GenerationConfig,
    judge: Judge,
    progress: StepProgress | None = None,
    seen: Callable[[Response], None] | None = None,
) -> None:
    """Query `vlm` with the queries in `store`, and stop the shots at a sample when `judge` finds a success.

    A shot without a response or a valid verdict is not a success, so the next shot follows. The verdicts are stored
    too. The total in `progress` assumes no further success, so it decreases during the run. `seen` is called with each
    response.
    """
    asking = _Asking(vlm, store, images, config, judge, progress, seen)
    queries = store.queries()
    shots = series(queries)
    longest = max(map(len, shots), default=0)
    asking.ask([query for query in queries if query.kind not in SHOTS], later=sum(map(len, shots)))
    for number in range(longest):
        going = [own for own in undecided(shots, asking.verdicts()) if len(own) > number]
        asking.ask([own[number] for own in going], later=sum(len(own) - number - 1 for own in going))
    asking.end()


class _Asking:
    """Sends the queries round by round and judges the responses."""

    def __init__(
        self,
        vlm: VLM,
        store: Store,
        images: Pictures,
        config: GenerationConfig,
        judge: Judge,
        progress: StepProgress | None,
        seen: Callable[[Response], None] | None,
    ) -> None:
        self._vlm, self._store, self._images, self._config = vlm, store, images, config
        self._judge, self._progress, self._seen = judge, progress, seen
        self._queries = {query.id: query for query in store.queries()}
        self._judged = {one.query_id: one for one in store.judgements(vlm.name, judge.name)}
        self._done, self._said = 0, (0, -1)
        self._judge_new()

    def ask(self, queries: Sequence[Query], later: int) -> None:
        """Send the unanswered ones of `queries`; up to `later` more queries may follow in other rounds."""
        answered = {response.query_id for response in self._store.responses(self._vlm.name)}
        now = [query for query in queries if query.id not in answered]
        if not now:
            return
        before, total = self._done, self._done + len(now) + later

        def said(done: int, _: int) -> None:
            self._say(before + done, total)

        ask(self._vlm, self._store, self._images, self._config, said, queries=now, seen=self._seen)
        self._done += len(now)
        self._judge_new()

    def verdicts(self) -> dict[str, Verdict]:
        """Return query id -> verdict for all verdicts so far."""
        return {key: one.verdict for key, one in self._judged.items()}

    def end(self) -> None:
        """Report that no queries are left, unless the last report did."""
        if self._said != (self._done, self._done):
            self._say(self._done, self._done)

    def _judge_new(self) -> None:
        """Judge the responses without a verdict, and store all verdicts, because judging may be expensive."""
        new = [one for one in self._store.responses(self._vlm.name) if one.query_id not in self._judged]
        if new:
            answers = [(self._queries[one.query_id], one) for one in new]
            self._judged |= {one.query_id: one for one in screened(self._judge, answers)}
            self._store.replace_judgements(self._vlm.name, self._judge.name, self._judged.values())

    def _say(self, done: int, total: int) -> None:
        self._said = done, total
        if self._progress is not None:
            self._progress(done, total)
