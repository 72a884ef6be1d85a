"""Measure the rewriter on a file of queries: correct openers, kept content, distinct rewrites, quoted queries.

    python benchmarks/rewriter_quality.py --json [--data FILE] [--keep benchmarks/results/rewriter_quality.json]
    python benchmarks/rewriter_quality.py --docs docs/rewrites.md [--data FILE]

Offline and deterministic. Grammar needs a human reader: `--docs` writes a page of randomly drawn rewrites, and marks
those that were judged wrong by hand (`JUDGED_WRONG`).
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

from provenance import made_by

from unmirage.data import load_samples
from unmirage.records import Sample
from unmirage.run.files import write_text_atomic
from unmirage.text.english.meaning import kept
from unmirage.text.english.rewriter import parse, rewrite
from unmirage.text.english.wordings import Aim
from unmirage.text.openers import words
from unmirage.workflows.words import chosen_wordings

DATA = Path("../shared/data/vlguard/train.json")
OPENERS = ("what", "share", "describe", "please", "can", "how", "tell", "could you please")
SHOTS = 3
DOCS_OPENERS = ("what", "share")
DOCS_LINES, DOCS_SEED = 100, 20
_AIMS: dict[str, Aim] = {"what": "answer", "share": "refusal"}
# Rows of the page whose rewrite has a fault of meaning, grammar or naturalness, with the reason; judged by hand.
JUDGED_WRONG: dict[str, dict[int, str]] = {
    "what": {
        1: "unnatural: “a post that shares”",
        9: "unnatural: a gesture “might be”",
        13: "unnatural: “a post that shares”",
        26: "unnatural: “type of analysis”",
        28: "unnatural: “type of analysis”",
        35: "asks for evidence, not for a discussion",
        42: "unnatural: asks for one identity of two people",
        49: "unnatural: a question inside a question",
        70: "unnatural: “what are their lives”",
        81: "unnatural: a question inside a question",
        84: "the identification is based on the remains, not the person",
        87: "agreement; and a context does not look like anything",
        90: "unnatural: asks what reports might be",
        92: "grammar: “or recommend it”",
        93: "unnatural: attire “might be”",
        96: "grammar: “and speculate”",
    },
    "share": {
        22: "unnatural: quotes the question",
        81: "unnatural: shares a light source",
        82: "unnatural order of words",
        100: "grammar: “is” is missing",
    },
}


def measure(queries: Sequence[str], word: str, shots: int = SHOTS) -> dict[str, str | int | float]:
    """Return the metrics of one opener, as shares of all queries."""
    opened = different = quoted = 0
    content = 0.0
    for query in queries:
        made = rewrite(query, word, shots)
        opened += bool(made) and all(words(text)[: len(words(word))] == words(word) for text in made)
        different += len({tuple(words(text)) for text in (query, *made)}) == shots + 1
        quoted += parse(query).kind == "question"
        content += kept(query, made[0]) if made else 0.0
    n = len(queries)
    return {
        "word": word,
        "n": n,
        "opened": round(opened / n, 4),
        "content_kept": round(content / n, 4),
        "different": round(different / n, 4),
        "quoted_whole": round(quoted / n, 4),
    }


def page(samples: Sequence[Sample]) -> str:
    """Return the page of sampled rewrites: the first wording of the attack on each query, ordered by `samples`."""
    wordings, _ = chosen_wordings("free", samples, None)
    parts = [_INTRODUCTION]
    for word in DOCS_OPENERS:
        queries = sorted({sample.query for sample in samples if sample.refused is (_AIMS[word] == "answer")})
        drawn = random.Random(f"{DOCS_SEED}-{word}").sample(queries, DOCS_LINES)
        made = {query: [*wordings.of(query, word, 1, _AIMS[word]), ""][0] for query in drawn}
        wrong = JUDGED_WRONG[word]
        marked = len(wrong)
        parts.append(f"\n## To “{word}”: {DOCS_LINES - marked} of {DOCS_LINES} correct\n")
        parts.append("| | query | first rewrite | verdict |\n|---|---|---|---|")
        for number, query in enumerate(drawn, 1):
            verdict = f"✗ {wrong[number]}" if number in wrong else "✓"
            parts.append(f"| {number} | {_cell(query)} | {_cell(made[query] or 'none')} | {verdict} |")
    return "\n".join(parts) + "\n"


_INTRODUCTION = f"""# Rewrites for manual review

The rewriter turns a query into others with a given opener and the same meaning. `benchmarks/rewriter_quality.py`
measures openers and content words; grammar needs a human reader. Below are {DOCS_LINES} VLGuard training queries for
each attack, drawn with seed {DOCS_SEED}: unsafe ones for "what", benign ones for "share". Each has its first rewrite
of the default wordings, in the order learned from the labels of these data. A developer of the rules read every line.

✗ marks rewrites with a fault of meaning, of grammar or of naturalness: what no native speaker would say is wrong,
even if it is clear. The reason stands beside it. "What type of post sharing this image would …?" counts as correct,
10 times for "what". It asks for the content of the post, while the query asks to share the picture; who calls that
another act counts 74 of 100. Two earlier draws were read to fix faults, and the first was of all queries: queries
that already open with the word read worse ("What can be said about what …"), and an attack does not send them. Errors
found in this draw are not fixed. To regenerate the page: `python benchmarks/rewriter_quality.py --docs
docs/rewrites.md`."""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Measure every opener and print a table or JSON, or write the page of rewrites."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="any data file that unmirage reads")
    parser.add_argument("--words", nargs="+", default=list(OPENERS))
    parser.add_argument("--json", action="store_true", help="print only JSON")
    parser.add_argument("--keep", type=Path, help="also write the results, with the machine, to this file")
    parser.add_argument("--docs", type=Path, help="write only the page of rewrites, to this file")
    options = parser.parse_args()
    if not options.data.exists():
        raise SystemExit(f"{options.data}: no such file; name a data file with --data")
    samples = [*load_samples(options.data)]
    if options.docs:
        write_text_atomic(options.docs, page(samples))
        return
    queries = [sample.query for sample in samples]
    start = time.perf_counter()
    found = [measure(queries, word) for word in options.words]
    seconds = round(time.perf_counter() - start, 1)
    if options.keep:
        command = "python benchmarks/rewriter_quality.py --words " + " ".join(f"'{word}'" for word in options.words)
        kept_figures = {
            "command": command,
            **made_by(),
            "settings": {"data": f"{options.data.parent.name}/{options.data.name}", "shots": SHOTS},
            "seconds": seconds,
            "results": found,
        }
        write_text_atomic(options.keep, json.dumps(kept_figures, indent=2) + "\n")
    if options.json:
        print(json.dumps(found))
        return
    print(f"{'word':<18}{'n':>6}{'opened':>9}{'content':>9}{'K=3':>8}{'quoted':>8}")
    for one in found:
        print(
            f"{one['word']:<18}{one['n']:>6}{one['opened']:>9.2%}{one['content_kept']:>9.2%}"
            f"{one['different']:>8.2%}{one['quoted_whole']:>8.2%}"
        )


if __name__ == "__main__":
    main()
