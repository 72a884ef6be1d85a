"""Write the outcome of `--fail-if` as JUnit XML, which CI systems show as tests."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from unmirage.evaluate.gate import Check, checked
from unmirage.text.printable import clean

# Characters that XML 1.0 does not allow.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = "unmirage"
_WHOLE = "all models"


def junit(results_document: Mapping[str, Any], gates: Sequence[str]) -> str:
    """Return a document with one test suite per model and one test case per condition; a case fails if it holds.

    Alternatives of `or` are separate cases. A condition that missing verdicts leave undecided is an error of type
    "undecided", and one on a value that is not estimable one of type "not estimable". A condition on several models has
    its own suite.

    Args:
        results_document: results.json.
        gates: conditions as `--fail-if` takes them.
    """
    by_model: dict[str, list[Check]] = {name: [] for name in results_document.get("models", {})}
    whole: dict[str, list[Check]] = defaultdict(list)
    for gate in gates:
        for check in checked(gate, results_document):
            suite = whole[_WHOLE] if check.model is None else by_model[check.model]
            suite.append(check)
    top = Element("testsuites", name=_NAME)
    checks = [_suite(top, name, own) for suites in (by_model, whole) for name, own in suites.items()]
    _counted(top, [check for own in checks for check in own])
    indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(top, encoding="unicode") + "\n"


def _suite(top: Element, name: str, checks: list[Check]) -> list[Check]:
    suite = SubElement(top, "testsuite", name=_text(name))
    _counted(suite, checks)
    for check in checks:
        case = SubElement(
            suite, "testcase", classname=f"{_NAME}.{_text(name)}", name=_text(check.alternative), time="0"
        )
        if check.holds is None:
            kind = "undecided" if check.undecided else "not estimable"
            SubElement(case, "error", type=kind, message=_text(check.found))
        elif check.holds:
            message = f"{check.alternative}: {check.found}"
            SubElement(case, "failure", type="gate", message=_text(message)).text = _text(message)
    return checks


def _counted(element: Element, checks: Sequence[Check]) -> None:
    element.set("tests", str(len(checks)))
    element.set("failures", str(sum(check.holds is True for check in checks)))
    element.set("errors", str(sum(check.holds is None for check in checks)))


def _text(text: str) -> str:
    return _NOT_XML.sub("", clean(text))
