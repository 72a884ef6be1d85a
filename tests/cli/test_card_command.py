"""Model and dataset cards: exact figures, escaping, existing cards, and what the hub's library reads."""

import json
import os
from urllib.parse import unquote

import pytest
import yaml
from huggingface_hub import DatasetCard, ModelCard
from markdown_it import MarkdownIt
from scipy.stats import binomtest

import unmirage as um
from unmirage.errors import UserError
from unmirage.text.cards import BEGIN, END, NO_RATES, inert, merged, parted

HOSTILE = "evil|model](http://x)<script>alert(1)</script> @all `a` *b*"
DAY = 1_700_000_000  # 2023-11-14


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a judged run: model "m" with ASR 0/12 to 9/12 and RR 0/12 to 6/12, and one with a hostile name."""
    folder = tmp_path_factory.mktemp("cards")
    rows = []
    for model in ("m", HOSTILE):
        for number in range(12):
            for kind, unsafe, answered in (
                ("plain", True, False),
                ("jailbreak", True, number % 4 > 0),
                ("plain", False, True),
                ("over-prudence", False, number % 2 == 0),
            ):
                rows.append(
                    {
                        "sample": f"{unsafe}-{number}",
                        "kind": kind,
                        "query": f"{'What' if kind == 'jailbreak' else 'Share'} thing {number} of {kind} {unsafe}",
                        "unsafe": unsafe,
                        "response": "It is made of wood." if answered else "I cannot help with that.",
                        "model": model,
                    }
                )
    (folder / "responses.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    um.judge(folder / "responses.jsonl", "phrases", out=folder / "run")
    os.utime(folder / "run" / "results.json", (DAY, DAY))
    return folder / "run"


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """Return a saved audit of data whose first word tells the label."""
    folder = tmp_path_factory.mktemp("audit")
    rows = [{"query": f"Share <b>device</b> {n}", "answer": "I cannot.", "refused": True} for n in range(40)]
    rows += [{"query": f"What is device {n}?", "answer": "Amber.", "refused": False} for n in range(40)]
    (folder / "data.json").write_text(json.dumps(rows))
    path = um.audit(folder / "data.json").save(folder / "audit.json")
    os.utime(path, (DAY, DAY))
    return path


def metrics(card):
    """Return the metrics of the only result in the header, by type."""
    (model,) = card.metadata["model-index"]
    (result,) = model["results"]
    return {one["type"]: one for one in result["metrics"]}


def test_a_model_card_has_the_figures_of_the_results(run):
    card = um.model_card(run, "m")
    wilson = binomtest(9, 12).proportion_ci(method="wilson")
    found = metrics(card)
    after = found["asr_after"]
    assert (after["value"], after["args"]["k"], after["args"]["n"]) == (0.75, 9, 12)
    assert (after["args"]["low"], after["args"]["high"]) == (pytest.approx(wilson.low), pytest.approx(wilson.high))
    assert {name: one["value"] for name, one in found.items()} == {
        "asr_before": 0, "asr_after": 0.75, "rr_before": 0, "rr_after": 0.5, "ir_before": 0, "ir_after": 0,
    }  # fmt: skip
    document = json.loads((run / "results.json").read_text())["models"]["m"]
    for name, one in found.items():
        rate, _, when = name.partition("_")
        assert one["args"] == {key: document[rate][when][key] for key in ("low", "high", "k", "n")} | {"level": 0.95}
    assert "| unsafe queries not refused (ASR) | 0.0 [0–24] (0/12) | 75.0 [47–91] (9/12) |  |" in card.text
    assert "| benign queries refused (RR) | 0.0 [0–24] (0/12) | 50.0 [25–75] (6/12) |  |" in card.text
    assert "Of the unsafe queries, 0.0 % are not refused as they are, and 75.0 % after the attack." in card.text
    assert f"- Measured: 2023-11-14, unmirage {um.__version__}" in card.text
    assert "- Judge: phrases; seeds: 0" in card.text
    assert "The judge sees refusals only: ASR counts every response that is no refusal" in card.text
    assert (card.badge.message, card.badge.color) == ("ASR 0 % → 75 %", "blue")


def test_the_hubs_library_reads_the_header(run, audited):
    card = ModelCard(um.model_card(run, "m").markdown)
    assert card.data.model_name == "m"
    after = next(one for one in card.data.eval_results if one.metric_type == "asr_after")
    assert (after.metric_value, after.task_type, after.dataset_name) == (0.75, "image-text-to-text", "responses.jsonl")
    assert after.metric_args["n"] == 12
    assert card.data.tags == ["safety", "unmirage"]
    data = DatasetCard(um.dataset_card(audited).markdown).data.to_dict()
    assert data["unmirage_audit"]["informedness"]["value"] == um.AuditResult.load(audited).informedness.value == 1.0


def test_a_dataset_card_has_the_figures_of_the_audit(audited):
    card, audit = um.dataset_card(audited), um.AuditResult.load(audited)
    low, high = audit.informedness.low, audit.informedness.high
    assert card.badge.color == "red"
    assert card.badge.message == f"clear shortcut, informedness 1.00 ({low:.2f} to {high:.2f})"
    assert "| queries | 80, of which 40 should be refused (label: field) |" in card.text
    assert f"| informedness of the first word | 1.00 ({low:.2f} to {high:.2f}): clear shortcut |" in card.text
    assert "recognizes 100.0 % of the refused and 100.0 % of the answered queries" in card.text
    assert "- Words to attack a trained model with: jailbreak “what”, over-prudence “share”" in card.text
    assert "- Measured: 2023-11-14, unmirage.audit/3" in card.text
    assert str(audited.parent) not in card.markdown


def test_text_from_files_is_shown_and_does_nothing(run):
    card = um.model_card(run, HOSTILE)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(card.markdown.split("---\n", 2)[2])
    assert "<script" not in html
    assert "http://x" not in html
    assert "<h1>evil|model](http:\u200b//x)&lt;script&gt;alert(1)&lt;/script&gt; @all `a` *b*</h1>" in html
    assert yaml.safe_load(card.markdown.split("---\n")[1])["model-index"][0]["name"] == HOSTILE
    assert str(run.parent) not in card.markdown


@pytest.mark.parametrize(
    "text", ["a|b", "[x](y)", "<img src=x>", "`c`", "*d* _e_", "# f", "a\nb", "\x1b[31mred", "$x$"]
)
def test_inert_text_renders_as_itself(text):
    html = MarkdownIt("commonmark").enable("table").render(f"| h |\n|---|\n| {inert(text)} |")
    shown = " ".join(text.replace("\x1b[31m", "").split())
    for plain, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        shown = shown.replace(plain, entity)
    assert f"<td>{shown}</td>" in html


def test_the_badge_says_the_same_in_address_and_text(audited):
    line = um.dataset_card(audited).text.splitlines()[0]
    message = um.dataset_card(audited).badge.message
    assert line.startswith(f"![first-word shortcut: {message}](https://img.shields.io/badge/first--word%20shortcut-")
    assert unquote(line.rpartition("/")[2]).replace("--", "\0").split("-")[1] == message.replace("-", "\0")


def test_a_card_is_added_to_that_of_a_model_and_again(run, tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(
        f"---\nbase_model: a/b\ntags: [unlearning, safety]\n---\n\n# mine\n\nKept.\n\n{NO_RATES}\n\n## After\n"
    )
    card = um.model_card(run, "m")
    assert card.into(readme) == readme
    first = readme.read_text()
    head, body = parted(first, "README.md")
    assert head["base_model"] == "a/b"
    assert head["tags"] == ["unlearning", "safety", "unmirage"]
    assert NO_RATES not in first
    assert [body.index(part) for part in ("# mine", "Kept.", BEGIN, "75.0 [47–91]", END, "## After")] == sorted(
        body.index(part) for part in ("# mine", "Kept.", BEGIN, "75.0 [47–91]", END, "## After")
    )
    card.into(readme)
    assert readme.read_text() == first
    assert ModelCard.load(readme).data.eval_results[1].metric_value == 0.75


def test_results_on_other_data_stay_in_the_header():
    other = {"task": {"type": "t"}, "dataset": {"type": "other", "name": "o"}, "metrics": []}
    old = {"task": {"type": "t"}, "dataset": {"type": "mine", "name": "m"}, "metrics": ["old"]}
    new = old | {"metrics": ["new"]}
    before = f"---\n{yaml.safe_dump({'model-index': [{'name': 'n', 'results': [other, old]}]})}---\ntext\n"
    head, _ = parted(merged(before, {"model-index": [{"name": "x", "results": [new]}]}, "body", "f"), "f")
    assert head["model-index"] == [{"name": "n", "results": [other, new]}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("---\na: [\n---\n", "README.md: invalid YAML in the header"),
        ("---\n- a\n---\n", "README.md: the header is not a mapping"),
        (f"{BEGIN}\nx\n", "README.md: expected both <!-- unmirage: begin --> and"),
    ],
)
def test_a_card_that_cannot_be_read_is_left_as_it_is(run, tmp_path, text, message):
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(UserError) as error:
        um.model_card(run, "m").into(readme)
    assert message in str(error.value)
    assert readme.read_text() == text


def test_the_command_prints_what_python_returns(run, audited, unmirage, tmp_path):
    assert unmirage("card", run, "--model", "m")[:2] == (0, um.model_card(run, "m").markdown)
    assert unmirage("card", audited)[:2] == (0, um.dataset_card(audited).markdown)
    code, out, _ = unmirage("card", audited, "--json")
    document = json.loads(out)
    assert (code, document["schema"]) == (0, "unmirage.card/1")
    assert document == um.dataset_card(audited).to_dict()
    assert document["badge"].keys() == {"schemaVersion", "label", "message", "color"}  # of an endpoint badge
    readme = tmp_path / "README.md"
    readme.write_text("# mine\n")
    code, out, err = unmirage("card", run, "--model", "m", "--into", readme)
    assert (code, out, err) == (0, "", f"Card: {readme}\n")
    assert readme.read_text().startswith("---\ntags:\n- safety\n- unmirage\n")


def test_wrong_sources_are_one_line_that_names_the_fix(run, audited, unmirage, tmp_path):
    (tmp_path / "other.json").write_text('{"schema": "x"}')
    (tmp_path / "empty").mkdir()
    for words, message in (
        ((run,), "--model: missing; the run has 2 models: m, evil|model"),
        ((run, "--model", "n"), "unknown model 'n'; valid: "),
        ((tmp_path / "none",), "no such run or audit; name a run directory or a file of `unmirage audit --json`"),
        ((tmp_path / "empty",), "no results.json; run `unmirage evaluate "),
        ((tmp_path / "other.json",), "neither results of a run nor an audit; write one with `unmirage evaluate RUN`"),
        ((audited, "--model", "m"), "--model: an audit has no models; leave it out"),
        ((audited, "--into", tmp_path / "none.md"), "none.md: no such card; without --into, the card is printed"),
    ):
        code, out, err = unmirage("card", *words)
        assert (code, out, err.count("\n")) == (2, "", 1), err
        assert message in err
    with pytest.raises(UserError, match="is an audit; use dataset_card"):
        um.model_card(audited)
    with pytest.raises(UserError, match="has the results of a run; use model_card"):
        um.dataset_card(run)
