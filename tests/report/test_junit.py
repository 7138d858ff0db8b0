"""JUnit's XML, read by a parser that CI tools use."""

from xml.etree import ElementTree as ET

import junitparser

from graphlint.findings import Severity
from graphlint.registry import rules
from graphlint.report import junit
from graphlint.results import Report
from tests.report import found

WARNING = Severity.WARNING


def suites(report: Report, fail_on: Severity | None = WARNING) -> list[junitparser.TestSuite]:
    """The suites as read back; their counts are true, and no two cases share class and name."""
    text = junit.render(report, rules(), fail_on)
    whole = junitparser.JUnitXml.fromstring(text.encode())
    told = [whole.tests, whole.failures, whole.errors]
    whole.update_statistics()
    assert told == [whole.tests, whole.failures, whole.errors]
    cases = [(case.classname, case.name) for suite in whole for case in suite]
    assert len(set(cases)) == len(cases)
    return list(whole)


def outcomes(suite: junitparser.TestSuite) -> dict[str, list[str]]:
    return {case.name: [type(each).__name__ for each in case.result] for case in suite}


def test_a_suite_a_model_and_a_case_a_rule() -> None:
    first, clean, unread, paths = suites(found.plain())
    assert outcomes(first) == {
        "can be checked": [],
        "G1 unequal-channel-width": [],
        "G3 elementwise-traffic": ["Failure"],
        "G4 elementwise-traffic": ["Failure"],
    }
    assert outcomes(clean) == {
        "can be checked": [],
        "G1 unequal-channel-width": [],
        "G4 elementwise-traffic": [],
    }
    assert outcomes(unread) == outcomes(paths) == {"can be checked": ["Error"]}
    (failure,) = next(case.result for case in first if case.name.startswith("G4"))
    assert failure.message == "1 warning, 1 info"
    assert "models/a.onnx::/stage2/Add and 1 place more" in failure.text


def test_a_case_fails_where_the_check_does() -> None:
    assert outcomes(suites(found.plain(), Severity.ERROR)[0])["G4 elementwise-traffic"] == []
    first = suites(found.plain(), None)[0]
    assert first.failures == 0
    case = next(case for case in first if case.name.startswith("G4"))
    assert "moves 1.00 KiB" in case.system_out


def test_hostile_names_are_text() -> None:
    text = junit.render(found.hostile(), rules(), WARNING)
    assert all(char == "\n" or char.isprintable() for char in text)
    root = ET.fromstring(text)
    assert {each.tag for each in root.iter()} == {
        *("testsuites", "testsuite", "testcase", "failure", "error"),
    }
    assert len(suites(found.hostile())) == len(found.HOSTILE) + 1


def test_many_findings_are_counted() -> None:
    (suite,) = suites(found.many())
    case = next(case for case in suite if case.name.startswith("G4"))
    assert case.result[0].message == "20,000 warnings"
    assert case.result[0].text.endswith("… and 19,800 more")
