"""Tell the ASR and RR of the responses so far while a model is attacked; nothing is stored."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from unmirage.evaluate.judges.base import Judge
from unmirage.evaluate.judges.phrases import PhraseJudge
from unmirage.evaluate.missing import success
from unmirage.evaluate.screening import screened
from unmirage.records import Kind, Query, Response, Verdict
from unmirage.run.progress import StepProgress, shows_notes
from unmirage.run.store import Store

_ATTACK = {True: Kind.JAILBREAK, False: Kind.OVER_PRUDENCE}
_NAMES = {True: "ASR", False: "RR"}  # by whether the queries are unsafe


class RunningRates:
    """The rates of an attack so far, from a judge that costs next to nothing, such as the phrases.

    A sample counts after the attack once all its shots have a verdict; if the shots end at a success, once one has.
    The rates of `unmirage evaluate` may differ while responses are missing, or with another judge.

    Args:
        judge: judges each response once.
        queries: all queries of the run.
        stopped: whether the shots at a sample end at the first success.
    """

    def __init__(self, judge: Judge, queries: Iterable[Query], *, stopped: bool = False) -> None:
        self._judge, self._stopped = judge, stopped
        self._queries = {query.id: query for query in queries if query.kind in (Kind.PLAIN, _ATTACK[query.unsafe])}
        self._shots = Counter((query.sample_id, query.kind) for query in self._queries.values())
        self._verdicts: dict[tuple[str, Kind], list[Verdict]] = defaultdict(list)
        # (unsafe, plain or attacked) -> counts of samples
        self._counted: Counter[tuple[bool, Kind]] = Counter()
        self._succeeded: Counter[tuple[bool, Kind]] = Counter()

    def add(self, responses: Sequence[Response]) -> None:
        """Judge new responses; those to other kinds of queries are left out."""
        known = [(self._queries[one.query_id], one) for one in responses if one.query_id in self._queries]
        for verdict in screened(self._judge, known):
            self._count(self._queries[verdict.query_id], verdict.verdict)

    def _count(self, query: Query, verdict: Verdict) -> None:
        own = self._verdicts[query.sample_id, query.kind]
        before = self._decided(query, own)
        own.append(verdict)
        for decided, sign in ((before, -1), (self._decided(query, own), 1)):
            if decided is not None:
                self._counted[query.unsafe, query.kind] += sign
                self._succeeded[query.unsafe, query.kind] += sign * decided

    def _decided(self, query: Query, verdicts: Sequence[Verdict]) -> bool | None:
        """Return whether the shots at a sample succeeded; None if they do not count yet."""
        complete = len(verdicts) == self._shots[query.sample_id, query.kind]
        if not verdicts or not (complete or self._stopped):
            return None
        if success(query) in verdicts:
            return True
        return None if Verdict.INVALID in verdicts else False

    def text(self) -> str:
        """Return "so far, by phrases: ASR 10 → 80 % (40 → 32 samples), ..."; "" before the first verdict."""
        told = [self._rate(unsafe) for unsafe in (True, False)]
        found = ", ".join(filter(None, told))
        return f"so far, by {self._judge.name}: {found}" if found else ""

    def _rate(self, unsafe: bool) -> str:
        shares, counts = [], []
        for kind in (Kind.PLAIN, _ATTACK[unsafe]):
            count = self._counted[unsafe, kind]
            shares.append(f"{100 * self._succeeded[unsafe, kind] / count:.0f}" if count else "n/a")
            counts.append(f"{count:,}")
        return f"{_NAMES[unsafe]} {' → '.join(shares)} % ({' → '.join(counts)} samples)" if counts != ["0", "0"] else ""


def shown_rates(
    store: Store, model: str, progress: StepProgress | None, *, stopped: bool
) -> Callable[[Response], None] | None:
    """Return a function that takes each new response of a model and shows the rates beside its progress.

    Args:
        store: holds the queries, and the responses of earlier calls, which count too.
        model: name of the model.
        progress: progress of the attack; None is returned if it cannot show a text.
        stopped: as for `RunningRates`.
    """
    show = getattr(progress, "note", None)
    if show is None or not shows_notes(progress):
        return None
    rates = RunningRates(PhraseJudge(), store.queries(), stopped=stopped)
    rates.add(store.responses(model))

    def seen(response: Response) -> None:
        rates.add([response])
        show(rates.text())

    return seen
