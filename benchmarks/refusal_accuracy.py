"""Measure the refusal phrases on responses with labels: accuracy, recall, false alarms, and time per response.

    python benchmarks/refusal_accuracy.py [--shared ../shared/data] [--keep benchmarks/results/refusal_accuracy.json]
        [--vlguard-test test.json] [--jailbreakbench responses.json] [--classifier]

Refusals are: XSTest's full refusals, MSTS' "1.2 - refusal only", VLGuard's answers to unsafe instructions, and the rows
of the battery with `refused`. False alarms are among: XSTest's full compliances, MSTS' unsafe responses (2.x),
VLGuard's answers to safe instructions, all responses of JailbreakBench's file, and the other rows of the battery. All
other responses, such as XSTest's partial refusals and MSTS' rebuttals, have a column of their own; accuracy counts them
as not refused, and has no meaning for MSTS, where most responses are of this kind.

`--classifier` also fits a logistic regression on word n-grams to XSTest and MSTS without one model at a time, and
measures it on that model.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from provenance import hand_on, made_by

from unmirage.intervals import wilson
from unmirage.text.refusals import is_refusal
from unmirage.text.refusals.normalize import plain
from unmirage.text.thoughts import final_answer

SHARED = Path("../shared/data")
Rows = list[tuple[str, bool | None]]  # response, whether it refuses; None if it is neither
_HEAD = 360
_XSTEST = {"1": False, "2": True}


def sets(shared: Path) -> Iterator[tuple[str, Rows]]:
    """Yield the name and the rows of each set with labels."""
    for path in sorted((shared / "field/xstest").glob("*completions*.csv")):
        rows = [(row["completion"], _XSTEST.get(row["final_label"][0])) for row in _table(path)]
        yield f"xstest {path.stem.rsplit('_', 1)[1]}", rows
    for path in sorted((shared / "field/msts").glob("*.csv")):
        if "prompts" in path.name:
            continue
        language, by_model = path.stem.split("_")[0], {}
        for row in _table(path):
            label = (row.get("final_taxonomy") or row["annot1_label"])[:3]
            refused = True if label == "1.2" else False if label.startswith("2") else None
            by_model.setdefault(row["model"].replace("--", "/").split("/")[-1], []).append((row["response"], refused))
        kind = " text" if "textonly" in path.name else ""
        yield from ((f"msts {language}{kind} {model}", rows) for model, rows in sorted(by_model.items()))
    train = shared / "vlguard/train.json"
    if train.exists():
        yield "vlguard train", vlguard(train)
    paper = sorted((shared / "field/paper").glob("test_*shot.json"))
    if paper:
        yield "vlguard test answers", sorted(dict.fromkeys(pair for path in paper for pair in vlguard(path)))
    battery = shared / "faults/refusals.jsonl"
    if battery.exists():
        rows = [json.loads(line) for line in battery.read_text("utf-8").splitlines()]
        yield "battery", [(final_answer(row["response"]), row["refused"]) for row in rows]


def vlguard(path: Path) -> Rows:
    """Return the answers of a metadata file of VLGuard."""
    pairs = [pair for record in json.loads(path.read_text("utf-8")) for pair in record["instr-resp"]]
    return [(pair["response"], "safe_instruction" not in pair) for pair in pairs]


def jailbroken(path: Path) -> Rows:
    """Return responses that all comply: a JSON list of texts, or of records with "response"."""
    return [(one if isinstance(one, str) else one["response"], False) for one in json.loads(path.read_text("utf-8"))]


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def measure(name: str, rows: Rows, judge: Callable[[str], bool] = is_refusal) -> dict[str, Any]:
    """Return the figures of one set: counts, and shares with Wilson's intervals."""
    start = time.perf_counter()
    found = [(judge(text), refused) for text, refused in rows]
    seconds = time.perf_counter() - start
    hits = sum(called for called, refused in found if refused)
    alarms = sum(called for called, refused in found if refused is False)
    others = [called for called, refused in found if refused is None]
    refusals = sum(refused is True for _, refused in found)
    answers = sum(refused is False for _, refused in found)
    return {
        "set": name,
        "n": len(rows),
        "recall": share(hits, refusals),
        "false_alarms": share(alarms, answers),
        "others_called_refused": share(sum(others), len(others)),
        # Neither refusal nor answer: it must not be called a refusal in the first, and must in the second.
        "accuracy_others_answered": share(hits + answers - alarms + len(others) - sum(others), len(rows)),
        "accuracy_others_refused": share(hits + answers - alarms + sum(others), len(rows)),
        "microseconds_per_response": round(1e6 * seconds / len(rows), 1),
    }


def share(count: int, of: int) -> dict[str, Any] | None:
    """Return a share with its counts and interval; None of nothing."""
    if not of:
        return None
    low, high = wilson(count, of)
    return {"count": count, "of": of, "share": round(count / of, 4), "low": round(low, 4), "high": round(high, 4)}


def pooled(name: str, parts: Sequence[tuple[str, Rows]]) -> dict[str, Any]:
    """Return the figures of several sets together."""
    return measure(name, [row for _, rows in parts for row in rows])


def classifier(groups: Sequence[tuple[str, Rows]]) -> list[dict[str, Any]]:
    """Return the figures of a classifier on each XSTest or MSTS model that it was not fitted to."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    known = [group for group in groups if group[0].startswith(("xstest", "msts english"))]
    found = []
    for held, rows in known:
        fitted = [row for name, own in known if name.split()[-1] != held.split()[-1] for row in own]
        texts = [(plain(text[:_HEAD]), refused) for text, refused in fitted if refused is not None]
        model = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 3), min_df=2, sublinear_tf=True, token_pattern=r"[\w']+"),
            LogisticRegression(C=20, max_iter=1000, class_weight="balanced"),
        )
        model.fit([text for text, _ in texts], [refused for _, refused in texts])
        found.append(measure(held, rows, lambda text, model=model: bool(model.predict([plain(text[:_HEAD])])[0])))
    return found


def line(one: dict[str, Any]) -> str:
    """Return a row of the Markdown table."""
    cells = (_cell(one[key]) for key in ("recall", "false_alarms", "others_called_refused"))
    accuracy = "" if one["set"].startswith("msts") else f"{one['accuracy_others_answered']['share']:.3f}"
    return f"| {one['set']} | {one['n']:,} | {accuracy} | {' | '.join(cells)} |"


def _cell(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return ""
    low, high = (f"{100 * figure[end]:.0f}" for end in ("low", "high"))
    return f"{100 * figure['share']:.1f} % [{low}–{high}] {figure['count']:,}/{figure['of']:,}"


def main() -> None:
    """Measure all sets, print the table, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder with field/, vlguard/ and faults/")
    parser.add_argument("--vlguard-test", type=Path, help="metadata file of VLGuard's test split")
    parser.add_argument("--jailbreakbench", type=Path, help="JSON list of jailbroken responses")
    parser.add_argument("--classifier", action="store_true", help="also measure a fitted classifier")
    parser.add_argument("--keep", type=Path, help="also write the figures, with the machine, to this file")
    options = parser.parse_args()
    provenance = made_by()
    groups = list(sets(options.shared))
    if options.vlguard_test:
        groups.append(("vlguard test", vlguard(options.vlguard_test)))
    if options.jailbreakbench:
        groups.append(("jailbreakbench", jailbroken(options.jailbreakbench)))
    if not groups:
        raise SystemExit(f"{options.shared}: no data; name the folder with --shared")
    is_refusal("Warm-up: compile the patterns, load the language model, der Bus fährt los.")
    found = [measure(name, rows) for name, rows in groups]
    for name, prefix in (("xstest, all", "xstest"), ("msts english, all", "msts english"), ("msts, others", "msts ")):
        parts = [one for one in groups if one[0].startswith(prefix)]
        parts = [one for one in parts if name != "msts, others" or not one[0].startswith("msts english")]
        if parts:
            found.append(pooled(name, parts))
    print("| set | n | accuracy | refusals found | false alarms | others called refused |\n|---|---|---|---|---|---|")
    print("\n".join(map(line, found)))
    document = {
        "command": "python benchmarks/refusal_accuracy.py" + (" --classifier" if options.classifier else ""),
        **provenance,
        "settings": {"sets": [name for name, _ in groups], "head": _HEAD},
        "results": found,
    }
    if options.classifier:
        document["classifier"] = classifier(groups)
        print("\nClassifier, on models it was not fitted to:\n\n" + "\n".join(map(line, document["classifier"])))
    if options.keep:
        hand_on(document, options.keep)


if __name__ == "__main__":
    main()
