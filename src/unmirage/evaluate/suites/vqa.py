"""Open questions about images with ten human answers each: VQAv2, TextVQA and VizWiz.

A row is `{question_id?, image_id?, question, image, answers}`, as on the hub. The answers are strings or objects
`{answer, ...}`. Prompts end like those that LLaVA-1.5 was trained and evaluated with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from unmirage.data import textvqa_files, vqav2_files
from unmirage.data.placeholders import without_placeholder
from unmirage.data.rows import Row, shown
from unmirage.evaluate.suites.base import Find, Item, Suite
from unmirage.evaluate.suites.reading import ItemsOf, from_one_file
from unmirage.records import Sample

SHORT = "Answer the question using a single word or phrase."
UNSURE = "When the provided information is insufficient, respond with 'Unanswerable'."
_PEOPLE = 10

Prompt = Callable[[Row, str], str]  # (record, question) -> prompt


def _items_of(prompt: Prompt) -> ItemsOf:
    def items_of(row: Row) -> list[Item]:
        question = without_placeholder(row.text("question"))
        answers = _answers(row)
        identity = row.optional_name("question_id") or row.identity()
        image, picture = row.image(), row.optional_name("image_id")
        sample = Sample(
            id=identity,
            record=picture or image or identity,
            query=question,
            answer=Counter(answers).most_common(1)[0][0],
            image=image,
            refused=False,
            label_source="field",
            category=row.category("answer_type", "category"),
            group=picture,  # rows of a Parquet file do not share images, so the image id identifies the group
        )
        return [Item(sample=sample, prompt=prompt(row, question), answers=answers)]

    return items_of


def _answers(row: Row) -> tuple[str, ...]:
    """Return the human answers; raise `UserError` for a split without answers, such as a test split."""
    values = row.fields.get("answers")
    if not isinstance(values, list) or len(values) != _PEOPLE:
        found = f"{len(values)} answers" if isinstance(values, list) else shown(values)
        raise row.error(f"field 'answers' is {found}; valid: a list of {_PEOPLE} answers, as a validation split has")
    return tuple(_answer(row, index, value) for index, value in enumerate(values))


def _answer(row: Row, index: int, value: object) -> str:
    text = value.get("answer") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise row.error(
            f"field 'answers[{index}]' is {shown(value)}; valid: a string, or an object with a string in 'answer'"
        )
    return text


def _short(row: Row, question: str) -> str:  # noqa: ARG001
    return f"{question}\n{SHORT}"


def _or_unanswerable(row: Row, question: str) -> str:  # noqa: ARG001
    return f"{question}\n{UNSURE}\n{SHORT}"


def _with_ocr(row: Row, question: str) -> str:
    tokens = row.fields.get("ocr_tokens")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise row.error(f"field 'ocr_tokens' is {shown(tokens)}; valid: a list of strings, or the suite 'textvqa'")
    return f"{question}\nReference OCR token: {', '.join(tokens)}\n{SHORT}"


def _suite(name: str, about: str, hub: str, find: Find, split: str = "validation") -> Suite:
    return Suite(
        name=name,
        purpose="utility",
        about=about,
        hub=hub,
        default=f"hf:{hub}@{split}",
        max_new_tokens=128,
        find=find,
    )


SUITES = {
    suite.name: suite
    for suite in (
        _suite(
            "vqav2",
            "VQAv2: open questions about photographs",
            "lmms-lab-encoder/VQAv2",
            from_one_file(_items_of(_short), several=vqav2_files.official_files),
        ),
        _suite(
            "textvqa",
            "TextVQA: questions about text in images (5,000)",
            "lmms-lab-encoder/textvqa",
            from_one_file(_items_of(_short), several=textvqa_files.official_files),
        ),
        _suite(
            "textvqa-ocr",
            "TextVQA with OCR tokens in the prompt, as for LLaVA-1.5",
            "lmms-lab-encoder/textvqa",
            from_one_file(_items_of(_with_ocr), several=textvqa_files.official_files),
        ),
        _suite(
            "vizwiz",
            "VizWiz: questions by blind people, some of them unanswerable",
            "lmms-lab-encoder/VizWiz-VQA",
            from_one_file(
                _items_of(_or_unanswerable),
                names=("val.json", "Annotations/val.json"),
                folders={"val": "val", "../val": "../val"},
            ),
            "val",
        ),
    )
}
