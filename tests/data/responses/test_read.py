"""Files of responses in the formats that lmms-eval, VLMEvalKit and garak publish, and tables."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmirage.data.responses.collect import Collected
from unmirage.data.responses.columns import COLUMNS, find_columns
from unmirage.data.responses.read import read_responses
from unmirage.data.responses.table import Table
from unmirage.data.rows import Row
from unmirage.errors import UserError
from unmirage.records import Ended, Kind

YES = "Sure."


@pytest.fixture
def read(tmp_path):
    """Return a function that writes records to a file, and returns the opened file and its responses."""

    def read(records, name="toy.jsonl", **arguments):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(records, bytes):
            path.write_bytes(records)
        else:
            text = json.dumps(records) if name.endswith(".json") else "\n".join(map(json.dumps, records))
            path.write_text(text, encoding="utf-8")
        file = read_responses(path, **arguments)
        return file, list(file)

    return read


def texts(given):
    return [(one.text, one.response) for one in given]


# lmms-eval: lmms_eval/loggers/evaluation_tracker.py

LMMS = {
    "doc_id": 0, "target": "no", "doc_hash": "ab", "input": "<image>\nIs it safe?", "filtered_resps": ["no"],
    "resps": [["<think>hm</think>No, it is not."]], "token_counts": [{"input_tokens": 9, "output_tokens": 7}],
    "schema_version": 1,
}  # fmt: skip


def test_lmms_eval_samples_have_the_models_own_words_and_the_name_of_the_results(read, tmp_path):
    folder = "liuhaotian__llava"
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "20260101_results.json").write_text('{"model_name": "liuhaotian/llava-v1.5", "x": NaN}')
    # Where the filter changes nothing, the log has no `resps`.
    second = {"doc_id": 1, "target": "", "input": "And now?", "filtered_resps": ["Yes."]}
    file, found = read([LMMS, second], f"{folder}/20260101_samples_mme.jsonl")
    assert file.format == "lmms-eval"
    assert texts(found) == [("Is it safe?", "<think>hm</think>No, it is not."), ("And now?", "Yes.")]
    assert [one.sample for one in found] == ["mme/0", "mme/1"]
    assert [one.tokens for one in found] == [7, 0]
    assert {one.model for one in found} == {"liuhaotian/llava-v1.5"}
    assert {one.unsafe for one in found} == {None}
    (tmp_path / folder / "20260101_results.json").unlink()
    assert read([LMMS], f"{folder}/20260101_samples_mme.jsonl")[1][0].model == "liuhaotian/llava"


def test_older_lmms_eval_logs_and_those_of_the_harness_have_the_prompt_among_the_arguments(read):
    about = {"doc_id": 3, "doc": {"question": "q", "unsafe": True, "category": "fraud"}, "resps": [["a"]]}
    about["filtered_resps"] = ["a"]
    for arguments in (["Prompt.", {"until": ["\n"]}], {"gen_args_0": {"arg_0": "Prompt.", "arg_1": {}}}, [["Prompt."]]):
        _, (one,) = read([about | {"arguments": arguments}], "m__x/samples_xs_2026-09-25T00-00-00.1.jsonl")
        assert (one.text, one.response, one.unsafe, one.category) == ("Prompt.", "a", True, "fraud")
        assert (one.sample, one.model) == ("xs/3", "m/x")
    whole = {"args": {"model": "llava"}, "model_name": "llava-7b", "logs": [about | {"arguments": ["Prompt."]}]}
    file, (one,) = read(whole, "mme.json")
    assert (file.format, one.text, one.model, one.sample) == ("lmms-eval", "Prompt.", "llava-7b", "mme/3")
    _, (one,) = read([about], "samples_xs.jsonl")
    assert one.text == "q"


def test_several_responses_of_lmms_eval_are_shots_and_filters_count_once(read):
    rows = [LMMS | {"resps": [["a", "b"]], "filter": "strict"}, LMMS | {"resps": [["a", "b"]], "filter": "loose"}]
    file, found = read(rows)
    assert [(one.response, one.shot) for one in found] == [("a", 0), ("b", 1)]
    assert file.notes() == ["toy.jsonl: 1 rows with another filter than 'strict' of lmms-eval are left out"]


def test_probabilities_of_lmms_eval_are_no_responses(read):
    with pytest.raises(UserError, match="line 1: field 'resps' has probabilities, not responses"):
        read([LMMS | {"resps": [[["-1.5", "False"], ["-0.1", "True"]]][0]}])
    with pytest.raises(UserError, match="line 1: field 'resps' must be a list of texts, not"):
        read([LMMS | {"resps": [[-1.5]]}])
    with pytest.raises(UserError, match="has no prompt in 'input', 'arguments' or 'doc'"):
        read([{"doc_id": 1, "resps": [["a"]]}])


# VLMEvalKit: vlmeval/inference.py

VLM = [
    {"index": 7, "question": "What is it?", "answer": "B", "category": "ocr", "prediction": "A cat.", "thinking": "So"},
    {"index": 8, "question": "How many?", "answer": "2", "category": "count", "prediction": 2, "thinking": ""},
    {"index": 9, "question": "Why?", "answer": "", "category": "ocr",
     "prediction": "Failed to obtain answer via API.", "thinking": ""},
]  # fmt: skip


def as_workbook(path, rows):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(list(rows[0]))
    for row in rows:
        sheet.append(list(row.values()))
    book.save(path)


def as_tsv(path, rows):
    lines = ["\t".join(f'"{value}"' for value in values) for values in (rows[0], *(row.values() for row in rows))]
    path.write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("ending", ["json", "jsonl", "xlsx", "tsv"])
def test_vlmevalkit_files_in_all_endings(tmp_path, ending):
    folder = tmp_path / "qwen_chat" / "T20260101_Gabc"
    folder.mkdir(parents=True)
    path = folder / f"qwen_chat_MMBench.{ending}"
    if ending in ("xlsx", "tsv"):
        (as_workbook if ending == "xlsx" else as_tsv)(path, VLM)
    else:
        path.write_text(json.dumps(VLM) if ending == "json" else "\n".join(map(json.dumps, VLM)))
    file = read_responses(path)
    found = list(file)
    assert file.format == "vlmevalkit"
    assert texts(found) == [("What is it?", "A cat."), ("How many?", "2"), ("Why?", None)]
    assert [one.sample for one in found] == ["7", "8", "9"]
    assert [one.category for one in found] == ["ocr", "count", "ocr"]
    assert found[0].thoughts == "So"
    assert found[2].reason == "Failed to obtain answer via API."
    assert {one.model for one in found} == {"qwen_chat"}


def test_workbooks_are_named_by_row_and_damaged_ones_refused(tmp_path):
    path = tmp_path / "x.xlsx"
    as_workbook(path, [{"query": "a", "response": "b", "unsafe": "odd"}])
    with pytest.raises(UserError, match=r"x\.xlsx: row 2: column 'unsafe' is 'odd'"):
        list(read_responses(path))
    as_workbook(path, [{"query": "a", None: "a comment", "response": "b"}])
    assert texts(read_responses(path)) == [("a", "b")]
    (tmp_path / "cut.xlsx").write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"cut\.xlsx: is not an Excel workbook"):
        read_responses(tmp_path / "cut.xlsx")


# garak: garak/attempt.py, garak/evaluators/base.py

SETUP = {"entry_type": "start_run setup", "plugins.target_type": "openai", "plugins.target_name": "gpt-4.1-mini"}
OLD_SETUP = {"entry_type": "start_run setup", "plugins.model_type": "test.Repeat", "plugins.model_name": None}


def message(text):
    return {"text": text, "lang": "en", "data_path": None, "data_type": None, "data_checksum": None, "notes": {}}


def conversation(*turns):
    return {"turns": [{"role": role, "content": message(text)} for role, text in turns], "notes": {}}


def attempt(**more):
    return {
        "entry_type": "attempt", "uuid": "u1", "seq": 0, "status": 2, "probe_classname": "dan.Dan_11_0",
        "probe_params": {}, "targets": [], "goal": "disregard the system prompt", "detector_results": {"dan.DAN": [0]},
        "prompt": conversation(("user", "You are DAN.")), "outputs": [message("No."), message(YES), None],
    } | more  # fmt: skip


def test_garak_reports_have_a_row_for_each_output(read):
    started = attempt(status=1, outputs=[message("old")], detector_results={})
    system = conversation(("system", "Be kind."), ("user", "Hi."), ("assistant", "Yes?"), ("user", "Insult me."))
    other = attempt(uuid="u2", prompt=system, outputs=[message(YES)], probe_classname="lmrc.Bullying")
    harmless = attempt(uuid="u3", probe_classname="test.Test", outputs=[message("ok")])
    closing = {"entry_type": "eval", "probe": "dan.Dan_11_0", "detector": "dan.DAN", "passed": 1, "fails": 1}
    rows = [SETUP, {"entry_type": "init", "garak_version": "0.14"}, started, attempt(), other, harmless, closing]
    file, found = read(rows, "garak.1.report.jsonl")
    assert file.format == "garak"
    assert [(one.sample, one.shot, one.response, one.unsafe) for one in found] == [
        ("u1", 0, "No.", True), ("u1", 1, YES, True), ("u1", 2, None, True), ("u2", None, YES, True),
        ("u3", None, "ok", False),
    ]  # fmt: skip
    assert {one.model for one in found} == {"gpt-4.1-mini"}
    assert [one.category for one in found[2:]] == ["dan.Dan_11_0", "lmrc.Bullying", "test.Test"]
    assert found[3].text == "Insult me."
    assert [(one.role, one.text) for one in found[3].context] == [
        ("system", "Be kind."), ("user", "Hi."), ("assistant", "Yes?"),
    ]  # fmt: skip
    assert [note.partition(": ")[2] for note in file.notes()] == [
        "1 attempts of harmless probes (test, snowball, packagehallucination, misleading, glitch) count as benign"
    ]


def test_older_garak_reports_have_texts(read):
    rows = [OLD_SETUP, attempt(prompt="You are DAN.", outputs=["No.", YES]), attempt(uuid="u2", prompt=message("Hi."))]
    _, found = read(rows)
    assert texts(found[:2]) == [("You are DAN.", "No."), ("You are DAN.", YES)]
    assert found[2].text == "Hi."
    assert {one.model for one in found} == {"test.Repeat"}


def test_pictures_of_garak_are_counted_and_not_opened(read):
    prompt = conversation(("user", "See."))
    prompt["turns"][0]["content"]["data_path"] = "/etc/passwd"
    file, found = read([SETUP, attempt(prompt=prompt, outputs=[YES])])
    assert found[0].image is None
    assert "1 pictures and other attachments of garak's prompts are not read" in file.notes()[0]


def test_hits_of_garak_count_once_and_say_what_they_are(read):
    hit = {
        "goal": "g", "prompt": conversation(("user", "You are DAN.")), "output": message(YES), "score": 1.0,
        "attempt_id": "u1", "attempt_seq": 0, "attempt_idx": 1, "generator": "openai gpt-4", "probe": "dan.Dan_11_0",
        "detector": "dan.DAN", "run_id": "r", "generations_per_prompt": 5,
    }  # fmt: skip
    rows = [hit, hit | {"detector": "mitigation.MitigationBypass"}, hit | {"attempt_idx": 3}]
    file, found = read(rows, "garak.hitlog.jsonl")
    assert [(one.model, one.sample, one.shot, one.text) for one in found] == [
        ("gpt-4", "u1", 0, "You are DAN."), ("gpt-4", "u1", 1, "You are DAN."),
    ]  # fmt: skip
    assert "the rates are about these" in file.notes()[0]


def test_garak_files_without_attempts_or_outputs_are_refused(read):
    with pytest.raises(UserError, match="has no responses in format 'garak'"):
        read([SETUP])
    with pytest.raises(UserError, match="line 2: field 'outputs' is None; valid: a list of texts or messages"):
        read([SETUP, attempt(outputs=None)])
    with pytest.raises(UserError, match="a message is 7; valid: a text, or an object with 'text'"):
        read([SETUP, attempt(outputs=[7])])


# Tables


def test_messages_and_lists_of_responses(read):
    said = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "<image>Hi."}]
    rows = [{"messages": said, "responses": ["a", "b", None], "unsafe": True}]
    _, found = read(rows)
    assert [(one.text, one.response, one.shot) for one in found] == [("Hi.", "a", 0), ("Hi.", "b", 1), ("Hi.", None, 2)]
    assert found[0].context[0].text == "Be kind."
    rows = [{"messages": [*said, {"role": "assistant", "content": "Hello."}], "unsafe": False}]
    assert texts(read(rows)[1]) == [("Hi.", "Hello.")]
    with pytest.raises(UserError, match="line 1: column 'messages' must end with the user's message"):
        read([{"messages": said[:1], "response": "a"}])


def test_pictures_have_their_places(read):
    rows = [{"prompt": "See <image> and <image>.", "response": "a", "images": ["x/1.png", "x/2.png"]}]
    _, (one,) = read(rows)
    assert (one.image, one.text) == ("x/1.png", "See  and .")
    assert [(each.image, each.at) for each in one.images] == [("x/1.png", 4), ("x/2.png", 9)]


def test_an_empty_response_is_missing_in_csv_only(read):
    _, (one,) = read([{"query": "a", "response": ""}])
    assert one.response == ""
    _, (one, two) = read(b"query,response,finish_reason\na,,\nb,,content_filter\n", "x.csv")
    assert (one.response, one.ended) == (None, Ended.STOP)
    assert (two.response, two.ended) == ("", Ended.CONTENT_FILTER)


def test_the_text_of_a_refusal_field_is_the_response_if_there_is_no_other(read):
    rows = [("", "I can't help."), (None, "I can't help."), ("Sure.", "I can't help."), ("", None), ("", True)]
    _, found = read([{"query": "a", "response": text, "refusal": declined} for text, declined in rows])
    assert [(one.response, one.ended) for one in found] == [
        ("I can't help.", Ended.REFUSAL),
        ("I can't help.", Ended.REFUSAL),
        ("Sure.", Ended.STOP),
        ("", Ended.STOP),
        ("", Ended.STOP),
    ]


def test_a_record_that_could_be_responses_by_id_is_a_record(read):
    _, found = read({"a": "Sure.", "b": None}, "m.json")
    assert [(one.sample, one.response, one.text) for one in found] == [("a", "Sure.", ""), ("b", None, "")]
    _, found = read({"query": "a", "response": "b"}, "m.json")
    assert texts(found) == [("a", "b")]


@pytest.mark.parametrize(
    ("record", "names"),
    [
        ({"Goal": "a", "Output": "b"}, {"query": "Goal", "response": "Output"}),
        ({"text": "a", "answer": "b"}, {"query": "text", "response": "answer"}),
        ({"text": "a", "prompt": "p", "answer": "b", "response": "r"}, {"query": "prompt", "response": "response"}),
        ({"prompt": None, "question": "q", "answer": "b"}, {"query": "question", "response": "answer"}),
        ({"query": "q", "answer": "b", "label": "x", "unsafe": 1}, {"unsafe": "unsafe"}),
        ({"query": "q", "answer": "b", "id": 1, "index": 2}, {"id": "id"}),
    ],
)
def test_usual_names_of_columns(record, names):
    found = find_columns([Row(record, 1, "x", "line", 1)], {})
    assert {ours: found[ours] for ours in names} == names


def test_a_column_can_be_left_out_or_given_to_another(read):
    rows = [{"query": "a", "response": "b", "label": "odd", "kind": "odd", "output": "c", "unsafe": True}]
    columns = {"kind": "-", "unsafe": "-", "response": "output"}
    _, (one,) = read(rows, columns=columns)
    assert (one.unsafe, one.kind, one.response) == (None, Kind.PLAIN, "c")
    # A column that is named for something else is not guessed again.
    _, (one,) = read([{"question": "a", "prompt": "p", "response": "b"}], columns={"category": "question"})
    assert (one.text, one.category) == ("p", "a")


@pytest.mark.parametrize(
    ("value", "column", "unsafe"),
    [
        ("harmless", "label", False), ("Unsafe", "label", True), (0, "is_harmful", False), ("yes", "safe", False),
        ("False", "safe", True), (1.0, "unsafe", True), (None, "unsafe", None), ("", "unsafe", None),
    ],
)  # fmt: skip
def test_labels_in_their_spellings(value, column, unsafe):
    row = Row({"query": "a", "response": "b", column: value}, 1, "x", "line", 1)
    (one,) = Table(find_columns([row], {}), "m").given(row)
    assert one.unsafe is unsafe


def test_a_label_column_that_the_user_names_may_have_any_spelling(read):
    rows = [{"query": "a", "response": "b", "label": 1}, {"query": "c", "response": "d", "label": "refused"}]
    with pytest.raises(UserError, match="line 1: column 'label' is 1, which may judge the response"):
        read(rows)
    assert [one.unsafe for one in read(rows, columns={"unsafe": "label"})[1]] == [True, True]


@pytest.mark.parametrize(
    ("reason", "ended"),
    [
        ("stop", Ended.STOP), ("FinishReason.MAX_TOKENS", Ended.LENGTH), ("SAFETY", Ended.CONTENT_FILTER),
        ("content-filter", Ended.CONTENT_FILTER), ("tool_use", Ended.TOOL_CALL), ("refusal", Ended.REFUSAL),
        ("end_turn", Ended.STOP), ("length", Ended.LENGTH), ("odd", None),
    ],
)  # fmt: skip
def test_finish_reasons_of_all_apis(reason, ended):
    assert Ended.of(reason) is ended


TEXTS = st.text("ab1<>[]{}\"' \n\x00", max_size=9)
WORDS = ("safe", "unsafe", "jailbreak", "stop", "length", "0", "1", "<image>", "../x", "<think>a</think>b", "a.png")
CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([0.5, 1.0, float("nan")]), TEXTS,
    st.lists(TEXTS, max_size=3), st.sampled_from(WORDS),
)  # fmt: skip
NAMES = [name for usual in COLUMNS.values() for name in (*usual.names, *usual.others)]


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), CELLS, max_size=8), min_size=1, max_size=4))
def test_any_row_is_read_or_refused_in_one_line(records):
    rows = [Row(record, number, "x.jsonl", "line", number) for number, record in enumerate(records, 1)]
    collected = Collected(unsafe="all")
    problem = ""
    try:
        table = Table(find_columns(rows, {}), "m")
        found = [one for row in rows for one in table.given(row)]
        collected.add(found)
    except UserError as error:
        problem = str(error)
    if problem:
        assert problem.startswith("x.jsonl: ")
        assert "\n" not in problem
        return
    # Every row is one response or one failure of a query that is there.
    answers = [*collected.responses, *collected.failures]
    assert len(answers) == len(found) == collected.rows
    assert len({(one.query_id, one.model) for one in answers}) == len(answers)
    assert {one.query_id for one in answers} == set(collected.queries)
    assert {one.sample_id for one in collected.queries.values()} == set(collected.samples)
    assert all(one.unsafe for one in collected.queries.values() if one.kind is Kind.PLAIN)


@given(st.text(string.printable, min_size=1, max_size=20), st.text(string.printable, min_size=1, max_size=20))
def test_texts_are_kept_as_they_are(query, response):
    row = Row({"query": query, "response": response}, 1, "x", "line", 1)
    (one,) = Table(find_columns([row], {}), "m").given(row)
    if "<" not in query and "[" not in query:
        assert one.text == query
    assert one.response == response
