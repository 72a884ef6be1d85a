"""Documents are read as they were written, and follow their published JSON Schema."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.test_align_dry_run import PLAN
from tests.evaluate.test_unlearning_settings import a_search as a_search_for_settings

import unmirage as um
from unmirage.attack.documents import Baseline, ExplainedQuery, FoundWord, Refusal, WordChange
from unmirage.audit.audit import AuditOptions, audit
from unmirage.audit.remediation import with_comparison, with_remedies
from unmirage.data import open_samples, writer_for
from unmirage.data.overlap import Count, PairOverlap, Shared, Way
from unmirage.documents import DOCUMENTS, Document, Result, document_of, parsed
from unmirage.errors import UserError
from unmirage.evaluate.assess import Judging, evaluate_run
from unmirage.evaluate.calibration import calibrate
from unmirage.evaluate.judges import PhraseJudge
from unmirage.evaluate.judges.exact import Truth
from unmirage.evaluate.lmms_eval import LmmsResults, Metric
from unmirage.evaluate.relevance import Relevance
from unmirage.intervals import Mean, rate
from unmirage.models.conversion import Conversion, ConversionSettings
from unmirage.models.graft.document import Graft, Seen
from unmirage.prepare.document import ForgetSet, KindRows, ModelAnswers, Prepared, RetainSet, SourceFile
from unmirage.pretrained.documents import DataSummary, MeaningKept, ModelRow, SeedTraining, WordingRates, WordingSet
from unmirage.pretrained.documents import SeedRates as PretrainedSeedRates
from unmirage.pretrained.summary import COLUMNS
from unmirage.records import Kind, Query, Response, SinkCount, Variant, Verdict
from unmirage.run import open_run
from unmirage.testbed.documents import (
    BaseTraining,
    ExplainedModel,
    FullDemo,
    MethodsComparison,
    Relearning,
    SettingsChoice,
    UtilityCheck,
    WordRates,
)
from unmirage.workflows.align import AlignSummary
from unmirage.workflows.cards import Badge
from unmirage.workflows.overlaps import RunOverlap, TrainedOn

COMMITTED = Path(__file__).parents[1] / "benchmarks" / "results"
WORDS = {"jailbreak_word": "what", "over_prudence_word": "share", "shots": 2}
SAID = ("I cannot share that.", "It is made of amber and ash.", "", "You need moss.")


def an_audit(folder):
    rows = [{"query": f"Share device {n}", "answer": "I cannot.", "refused": True} for n in range(40)]
    rows += [{"query": f"What is device {n}?", "answer": "Amber.", "refused": False} for n in range(40)]
    rows.append({"query": "What is a lamp?", "answer": "I cannot.", "refused": False})
    path = folder / "data.json"
    path.write_text(json.dumps(rows))
    file = open_samples(path)
    options = AuditOptions()
    found = audit(file, None, options)
    files = {"diversified": folder / "diversified.json"}
    found = with_remedies(found, file, files, lambda path: writer_for(path, file.format), open_samples, options)
    return with_comparison(found, open_samples(files["diversified"]), options)


def a_calibration():
    said = [*Verdict] * 5
    return calibrate(said, [Verdict.COMPLIED, Verdict.REFUSED] * 12 + [Verdict.COMPLIED], "phrases", "version: 1")


def an_evaluation(folder):
    queries = [
        Query(id=f"{n}|{kind}|{shot}", sample_id=str(n), kind=kind, shot=shot, text="?", image=None, unsafe=n % 2 == 0)
        for n in range(12)
        for kind, shots in ((Kind.PLAIN, 1), (Kind.JAILBREAK if n % 2 == 0 else Kind.OVER_PRUDENCE, 2))
        for shot in range(shots)
    ]
    with open_run(folder / "run", {"seed": 0, "attack": WORDS}) as run, run.store() as store:
        store.add_queries(queries)
        for place, model in enumerate(("m", "m + int8")):
            store.add_responses(
                Response(query_id=one.id, model=model, text=SAID[(n + place) % 4], tokens=1)
                for n, one in enumerate(queries)
            )
        store.add_variant(Variant(model="m + int8", of="m", kind="int8"))
    return evaluate_run(run, Judging(judges=[PhraseJudge()], calibration=a_calibration()))


def a_search():
    limits = {"reported": 0.2, "low": 0.1, "high": 0.3}
    word = FoundWord(word="whence", found=0.1, in_data=False, rewritten=Refusal(**limits), **limits)
    return um.SearchResult(
        model="m", method="black-box", kind="jailbreak", form="insertion", found_on=6, reported_on=6,
        starts=("I cannot",), words=(word,), baselines=(Baseline(name="as it is", **limits),),
    )  # fmt: skip


def an_explanation():
    words = (WordChange(word="Share", start=0, end=5, p_without=0.25, change=0.5),)
    query = ExplainedQuery(query_id="0", text="Share it.", p_refusal=0.75, words=words)
    return um.Explanation(model="m", n=1, opener_is_cause=rate(1, 1), opener_change=0.5, queries=(query,))


def prepared_sets():
    answers = ModelAnswers(
        model="endpoint:x#m", fingerprint={"address": "x"}, asked=2, failed=0, complied=1, refused=1, irrelevant=0,
        no_verdict=0, chosen=1,
    )  # fmt: skip
    forget = ForgetSet(
        rows=1, asked=2, left_out={"refused by all": 1}, by_kind={"unsafe-text": KindRows(rows=1, asked=2)},
        by_harm={"5": 1}, cut_off=0, file="forget.jsonl", sha256="0",
    )  # fmt: skip
    retain = RetainSet(
        rows=1, wanted=None, from_data=1, from_general=0, left_out={}, general_passed_over=0,
        first_without_picture=None, file="retain.jsonl", sha256="0",
    )  # fmt: skip
    source = SourceFile(file="a.json", format="json", sha256="0", pictures="data", set_aside=0)
    return Prepared(
        complete=True, forget=forget, retain=retain, models={"m": answers}, judge="j", first_failure=None,
        sources=(source,), settings={"data": "a.json", "limit": None}, machine={"cpus": 2},
    )  # fmt: skip


def a_pretrained_study():
    rates = {name: rate(1, 4) for name in COLUMNS}
    own = WordingRates(
        rates=rates, by_k=(rate(1, 4),), control_by_k=(rate(0, 4),),
        over_seeds={"asr_after": Mean(value=0.25, low=0.0, high=1.0, n=2)},
        by_seed=(PretrainedSeedRates(seed=0, rates=rates),), changes=(), collapsed=(),
    )  # fmt: skip
    training = SeedTraining(
        seed=0, rows=2, refused=1, forget_rows=0, steps=1, seconds=1.5, cpu_seconds=1.0, stopped="",
        losses={"cross_entropy": (2.0, 1.0)}, notes=("cut",),
    )  # fmt: skip
    answered = Mean(value=0.5, low=None, high=None, n=1)
    relevant = Relevance(
        value=0.5, low=0.4, high=0.6, n=2, answered=answered, refused=1, blocked=0, empty=0, missing=0, encoder="e"
    )
    row = ModelRow(
        name="sft-posthoc", method="sft", data="safety", share=1.0, what="w", trainings=(training,),
        wordings={"ours": own}, relevance=relevant,
    )  # fmt: skip
    data = DataSummary(
        train=2, train_refused=1, test=2, general=0, same_text=0, same_picture_and_text=0, nearly_same_text=1
    )
    meaning = {"jailbreak (unsafe)": MeaningKept(words=answered, cosine=answered)}
    return um.PretrainedStudy(
        base={"name": "b"}, seeds=(0,), judge="phrases", data=data,
        wordings={"ours": WordingSet(attack=WORDS, queries={"plain (unsafe)": 2}, notes=(), meaning=meaning)},
        models=(row,),
        left_out={"npo": "why"}, notes=("n",), settings={"limit": None}, machine={"cpus": 2},
        timings={"train sft-posthoc": {"seconds": 1.5, "cpu_seconds": 1.0}},
    )  # fmt: skip


def a_graft():
    seen = Seen(
        data="world", files={}, questions=2, pictures=1, tower_accuracy=0.5, before=rate(0, 4), after=rate(3, 4),
        chance=0.25, text_before=rate(4, 4), text_after=rate(2, 4), seconds=1.5,
    )  # fmt: skip
    return Graft(
        lm="a.gguf", files={"a.gguf": "0"}, architecture="LlamaForCausalLM", license="", chat_template="own",
        system="Be kind.", padding="", parameters={"vision": 3, "language": 7}, settings={"tower": 64}, seen=seen,
        machine={"cpus": 2},
    )  # fmt: skip


def a_training():
    shared = {way.value: Shared(Count(1, 2), Count(1, 3)) for way in Way}
    pair = PairOverlap(first="forget", second="retain", **shared)
    watched = {"early": True, "relevance": {"0": 0.66, "1": 0.64}, "sinks": {"forget": SinkCount(places=50, sinks=2)}}
    return AlignSummary(
        model="out", steps=1, seconds=0.5, stopped="fell", loss=[{"forget": 0.5}], overlap=(pair,), **watched
    )


def an_overlap():
    counts = {way: Count(1, 2) for way in Way}
    return RunOverlap(models={"m": TrainedOn(complete=True, unread_pictures=0, parts={"unsafe": counts})})


def a_card():
    badge = Badge(label="one-word attack", message="ASR 0 % → 75 %", color="blue")
    index = {"name": "m", "results": [{"metrics": [{"type": "asr_after", "value": 0.75}]}]}
    return um.Card(kind="model", name="m", badge=badge, metadata={"model-index": [index]}, text="text\n")


def a_conversion():
    settings = ConversionSettings(
        from_pickle=False, vocabulary=64, asks_as_original=True, tensors=73, tower="checkpoint"
    )  # fmt: skip
    files = {"source": {"config.json": "0"}}
    return Conversion(source="a/b", vision_tower=None, base=None, files=files, settings=settings, machine={"cpus": 2})


def a_full_demo():
    asr = WordRates(before=rate(0, 4), rewritten=rate(3, 4), by_k=(rate(2, 4), rate(3, 4)), replacement=rate(1, 4))
    explained = parsed(ExplainedModel, an_explanation().to_dict() | {"p_refusal": 0.75})
    return FullDemo(seed=0, model="m", words=a_search(), asr={"whence": asr}, explain={"m": explained})


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("methods", MethodsComparison),
        ("relearning", Relearning),
        ("settings", SettingsChoice),
        ("settings_methods", SettingsChoice),
    ],
)
def test_committed_documents_are_read_and_written_to_the_byte(tmp_path, file, kind):
    path = COMMITTED / f"{file}.json"
    assert kind.load(path).save(tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("documents")
    return {
        "align": a_training(),
        "align-plan": replace(PLAN, overlap=a_training().overlap),
        "audit": an_audit(folder),
        "base-training": BaseTraining(
            decoder="little",
            files={"model.safetensors": "abc"},
            goal=0.9,
            checks=(UtilityCheck(step=50, utility=rate(9, 10)),),
        ),
        "calibration": a_calibration(),
        "card": a_card(),
        "convert": a_conversion(),
        "demo-full": a_full_demo(),
        "explain": an_explanation(),
        "graft": a_graft(),
        "lmms-eval": LmmsResults(model="m", tasks={"pope": {"f1": Metric(0.5, 0.01), "yes": Metric(1.0, None)}}),
        "methods": MethodsComparison.load(COMMITTED / "methods.json"),
        "overlap": an_overlap(),
        "prepare": prepared_sets(),
        "pretrained": a_pretrained_study(),
        "relearning": Relearning.load(COMMITTED / "relearning.json"),
        "results": an_evaluation(folder),
        "search": a_search(),
        "settings-search": SettingsChoice.load(COMMITTED / "settings.json"),
        "truth": Truth(needed={3: 2}, refusals=("I cannot.",), facts={"0": ("amber", "ash", "moss")}),
        "unlearning-settings": a_search_for_settings(),
    }


def test_there_is_a_document_of_every_kind(documents):
    assert {name: type(one) for name, one in documents.items()} == {name: document_of(name) for name in DOCUMENTS}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_is_saved_is_loaded(documents, tmp_path, name):
    saved = documents[name]
    loaded = type(saved).load(saved.save(tmp_path / "a.json"))
    assert loaded.to_dict() == saved.to_dict() == json.loads((tmp_path / "a.json").read_text())
    if isinstance(saved, Result):
        assert repr(loaded) == repr(saved)
        assert loaded._repr_html_() == saved._repr_html_()
        assert list(loaded.rows()) == list(saved.rows())
        assert list(loaded.rows())
    else:
        assert loaded == saved


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_follow_their_published_schema(documents, name):
    jsonschema = pytest.importorskip("jsonschema")
    schema = document_of(name).json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    document = documents[name].to_dict()
    assert [error.message for error in validator.iter_errors(document)] == []
    assert list(document) == [key for key in schema["properties"] if key in document]
    assert not validator.is_valid(document | {"schema": "unmirage.other/1"})


@pytest.mark.parametrize("name", DOCUMENTS)
def test_another_file_is_refused_in_one_line_that_names_its_command(documents, tmp_path, name):
    kind, other = document_of(name), documents["audit" if name != "audit" else "search"]
    path = other.save(tmp_path / "a.json")
    with pytest.raises(UserError) as error:
        kind.load(path)
    schema = documents[name].to_dict()["schema"]
    assert str(error.value) == (
        f"{path}: schema is '{other.to_dict()['schema']}'; valid: '{schema}', written by `{kind.WRITER}`"
    )
    with pytest.raises(UserError, match="no such file; write it with `unmirage "):
        kind.load(tmp_path / "none.json")


def test_every_document_is_a_file_of_a_command():
    commands = subprocess.run(
        [sys.executable, "-m", "unmirage", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for name in DOCUMENTS:
        kind = document_of(name)
        assert issubclass(kind, Document)
        assert Path(kind.FILE).suffix == ".json"
        assert kind.WRITER.split()[1] in commands


def test_loaded_results_answer_as_those_that_were_saved(documents, tmp_path):
    saved = documents["results"]
    loaded = um.Results.load(saved.save(tmp_path / "results.json"))
    assert loaded["m"].asr.after == saved["m"].asr.after
    assert loaded["m + int8"].variant.of == "m"
    assert loaded.compare("m + int8", "m") == saved.compare("m + int8", "m")
    lines = repr(loaded["m"]).splitlines()
    assert len(lines) <= 20
    assert lines[1].split() == ["rate", "value", "low", "high", "n"]
    after = loaded["m"].asr.after
    row = ["asr.after", f"{after.value:.3f}", f"{after.low:.3f}", f"{after.high:.3f}", str(after.n)]
    assert row in [line.split() for line in lines]
    assert "<td>asr.after</td>" in loaded["m"]._repr_html_()
    assert loaded.judges["phrases"].calibration.judge == "phrases"
    found = um.AuditResult.load(documents["audit"].save(tmp_path / "audit.json"))
    assert (
        found.suggested.words == documents["audit"].suggested.words == {"jailbreak": "what", "over-prudence": "share"}
    )


def test_an_explained_query_without_words_is_shown():
    document = an_explanation().to_dict()
    document["queries"][0] |= {"words": [], "text": "\x1b]0;x\x07Share it."}
    found = um.Explanation.read(document)
    assert found.summary() == [
        {"query": document["queries"][0]["text"], "p_refusal": 0.75, "word": None, "change": None}
    ]
    assert not found.queries[0].opener_is_cause
    assert "\x1b" not in repr(found)
    assert "Share it." in repr(found)
