"""Baselines: the file, what is known, new, worse and stale, and what must raise no alarm."""

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphlint.baseline import Baselines
from graphlint.baseline_file import Amount, Baseline, Kind, read, render
from graphlint.config import Settings
from graphlint.errors import UsageError
from graphlint.findings import Finding, FoundSite, Known, Location, Severity
from graphlint.problem import Problem
from graphlint.request import Request
from graphlint.results import BaselineSummary, ModelReport, Totals

TOTALS = Totals(10, 0, 0, 0, 0, memory_access_bytes=1000, parameters=0)


def finding(code: str, *sites: str, each: int | None = 100) -> Finding:
    """A finding with a site for each of the fingerprints."""
    found = tuple(
        FoundSite(Location("m", (f"/{i}",)), each, digest) for i, digest in enumerate(sites)
    )
    total = None if each is None else each * len(sites)
    return Finding(code, "name", Severity.WARNING, "m", "h", found, total, sites[0])


def model(*findings: Finding, path: str = "a.onnx", rules: str = "G1 G2") -> ModelReport:
    return ModelReport(path, totals=TOTALS, findings=findings, rules=tuple(rules.split()))


class Folder:
    """A folder with a baseline, and models that need only be there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "baseline.json"

    def run(
        self, *models: ModelReport, update: bool = False, whole: bool = False, only: str = ""
    ) -> tuple[list[ModelReport], BaselineSummary, tuple[str, ...]]:
        """A run over the models, or over the whole folder."""
        settings = Settings(baseline=str(self.file))
        requests = []
        for each in models:
            (self.path / each.path).parent.mkdir(parents=True, exist_ok=True)
            (self.path / each.path).touch()
            requests.append(Request(str(self.path / each.path), settings, only=only))
        baselines = Baselines(requests, [str(self.path)] if whole else [], update=update)
        judged = list(map(baselines.judged, requests, models))
        summary, notes = baselines.finished()
        assert summary is not None or not models
        return judged, summary or BaselineSummary(), notes

    @property
    def entries(self) -> list[tuple[str, str, int]]:
        return [
            (key, kind.fingerprint, amount.sites)
            for key, kinds in read(self.file).items()
            for kind, amount in kinds.items()
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# What is known, new and worse


def test_what_the_baseline_holds_is_left_out_and_the_totals_stay(folder: Folder) -> None:
    folder.run(model(finding("G1", "x", "y")), update=True)
    (judged,), summary, notes = folder.run(model(finding("G1", "y", "x")))
    assert judged.findings == ()
    assert judged.totals == TOTALS
    assert summary == BaselineSummary(known=1)
    assert notes == ()


def test_another_fingerprint_or_another_rule_is_new(folder: Folder) -> None:
    folder.run(model(finding("G1", "x")), update=True)
    others = (finding("G1", "z"), finding("G2", "x"))
    (judged,), summary, _ = folder.run(model(finding("G1", "x"), *others))
    assert judged.findings == others
    assert summary == BaselineSummary(known=1, new=2)


def test_a_site_more_is_worse_whether_it_is_like_the_others_or_not(folder: Folder) -> None:
    folder.run(model(finding("G1", "x", "x")), update=True)
    for more in ("x", "a", "z"):
        (judged,), summary, _ = folder.run(model(finding("G1", "x", "x", more)))
        assert summary == BaselineSummary(worse=1)
        assert judged.findings[0].known == Known(2, 200)


@pytest.mark.parametrize(("excess", "worse"), [(100, 0), (110, 0), (111, 1), (90, 0)])
def test_growth_beyond_the_noise_floor_is_worse(folder: Folder, excess: int, worse: int) -> None:
    folder.run(model(finding("G1", "x")), update=True)
    _, summary, _ = folder.run(model(finding("G1", "x", each=excess)))  # 1 % of 1000 bytes is 10
    assert summary == BaselineSummary(known=1 - worse, worse=worse)


def test_findings_that_count_no_bytes_are_compared_by_their_sites(folder: Folder) -> None:
    folder.run(model(finding("G1", "x", each=None)), update=True)
    assert folder.run(model(finding("G1", "x", each=None)))[1] == BaselineSummary(known=1)
    assert folder.run(model(finding("G1", "x", "x", each=None)))[1] == BaselineSummary(worse=1)


def test_two_findings_of_one_fingerprint_share_its_entry(folder: Folder) -> None:
    twins = finding("G1", "x"), replace(finding("G1", "x"), message="other")
    folder.run(model(*twins), update=True)
    assert folder.entries == [("a.onnx", "x", 2)]
    assert folder.run(model(*twins))[1] == BaselineSummary(known=2)
    third = replace(twins[0], message="third")
    assert folder.run(model(*twins, third))[1] == BaselineSummary(known=2, new=1)
    assert folder.run(model(twins[0]))[1] == BaselineSummary(known=1, fixed=1)


def test_what_concerns_the_model_as_a_whole_is_never_known(folder: Folder) -> None:
    budget = replace(finding("B1", "x"), sites=(FoundSite(Location("a.onnx", ()), None, "x"),))
    judged, summary, _ = folder.run(model(budget, rules="B1"), update=True)
    assert judged[0].findings == (budget,)
    assert summary == BaselineSummary()
    assert folder.entries == []


# What is stale, and what a run can't tell


def test_fixed_findings_are_told_until_the_baseline_is_updated(folder: Folder) -> None:
    folder.run(model(finding("G1", "x", "x"), finding("G2", "y")), update=True)
    better = model(finding("G1", "x"))
    _, summary, (note,) = folder.run(better)
    assert summary == BaselineSummary(known=1, fixed=2)
    assert note.startswith("a.onnx: 2 fixed (G1, G2): --update-baseline takes them out of ")
    _, summary, (note,) = folder.run(better, update=True)
    assert note.endswith("has 1 entry: 1 changed, 1 taken out")
    assert folder.run(better)[1:] == (BaselineSummary(known=1), ())


def test_models_that_were_not_checked_keep_their_entries(folder: Folder) -> None:
    a, b = model(finding("G1", "x")), model(finding("G1", "y"), path="b.onnx")
    folder.run(a, b, update=True)
    assert folder.run(a) == ([model()], BaselineSummary(known=1), ())
    folder.run(model(finding("G2", "z")), update=True)
    assert folder.entries == [("a.onnx", "z", 1), ("b.onnx", "y", 1)]


def test_models_that_could_not_be_read_keep_theirs(folder: Folder) -> None:
    folder.run(model(finding("G1", "x")), update=True)
    for broken in (
        ModelReport("a.onnx", errors=(Problem("broken"),)),
        replace(model(), errors=(Problem("shapes were not inferred"),)),
    ):
        assert folder.run(broken, whole=True)[1:] == (BaselineSummary(), ())
        folder.run(broken, update=True)
        assert folder.entries == [("a.onnx", "x", 1)]


def test_rules_that_did_not_run_keep_theirs(folder: Folder) -> None:
    folder.run(model(finding("G1", "x"), finding("G2", "y")), update=True)
    only = model(finding("G1", "x"), rules="G1")
    assert folder.run(only)[1] == BaselineSummary(known=1)
    folder.run(only, update=True)
    assert [digest for _, digest, _ in folder.entries] == ["x", "y"]


def test_the_findings_at_one_node_are_judged_but_make_no_baseline(folder: Folder) -> None:
    folder.run(model(finding("G1", "x", "x")), update=True)
    one = model(finding("G1", "x"))
    assert folder.run(one, only="/0")[1:] == (BaselineSummary(known=1), ())
    with pytest.raises(UsageError, match="whole models"):
        folder.run(one, only="/0", update=True)


def test_a_model_that_is_gone_is_told_only_by_a_run_over_its_folder(folder: Folder) -> None:
    a, b = model(finding("G1", "x")), model(finding("G1", "y"), path="sub/b.onnx")
    folder.run(a, b, update=True)
    (folder.path / "sub/b.onnx").unlink()
    assert folder.run(a)[1:] == (BaselineSummary(known=1), ())
    _, summary, (note,) = folder.run(a, whole=True)
    assert summary == BaselineSummary(known=1, fixed=1)
    assert note.startswith("sub/b.onnx is gone")
    folder.run(a, update=True)
    assert len(folder.entries) == 2
    folder.run(a, update=True, whole=True)
    assert len(folder.entries) == 1


def test_a_model_under_another_name_raises_no_alarm(folder: Folder) -> None:
    found = finding("G1", "x", "x"), finding("G2", "y")
    folder.run(model(*found), update=True)
    (folder.path / "a.onnx").unlink()
    moved = model(*found, path="sub/b.onnx")
    _, summary, (note,) = folder.run(moved)
    assert summary == BaselineSummary(known=2)
    assert note.startswith("a.onnx is now sub/b.onnx")
    folder.run(moved, update=True)
    assert {key for key, *_ in folder.entries} == {"sub/b.onnx"}


def test_a_copy_and_a_stranger_are_new(folder: Folder) -> None:
    found = finding("G1", "x", "x"), finding("G2", "y")
    folder.run(model(*found), update=True)
    assert folder.run(model(*found, path="copy.onnx"))[1] == BaselineSummary(new=2)
    (folder.path / "a.onnx").unlink()
    stranger = model(finding("G2", "y"), finding("G1", "z"), path="other.onnx")
    assert folder.run(stranger)[1] == BaselineSummary(new=2)


# The file

digests = st.text("0123456789abcdef", min_size=1, max_size=4)
amounts = st.builds(Amount, st.integers(1, 10**6), st.one_of(st.none(), st.integers(0, 10**15)))
kinds = st.builds(Kind, st.sampled_from(["G1", "G2", "K1"]), digests)
paths = st.text(min_size=1, max_size=8)
baselines = st.dictionaries(paths, st.dictionaries(kinds, amounts, min_size=1, max_size=4))


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("baseline") / "baseline.json"


@given(baseline=baselines)
def test_what_is_written_is_read(scratch: Path, baseline: Baseline) -> None:
    assert read(written(scratch, render(baseline))) == baseline


@given(one=baselines, other=baselines, data=st.data())
def test_lines_of_two_branches_merge_in_any_order(
    scratch: Path, one: Baseline, other: Baseline, data: st.DataObject
) -> None:
    head, *_, end, last = render(one).splitlines()
    lines = render(one).splitlines()[1:-2] + render(other).splitlines()[1:-2]
    merged = read(written(scratch, "\n".join([head, *lines, end, last])))
    shuffled = data.draw(st.permutations(lines))
    assert read(written(scratch, "\n".join([head, *shuffled, end, last]))) == merged
    assert merged.keys() == one.keys() | other.keys()
    for key, found in merged.items():
        for kind, amount in found.items():
            assert amount in (one.get(key, {}).get(kind), other.get(key, {}).get(kind))


def test_the_file_is_one_sorted_entry_a_line(folder: Folder) -> None:
    second = model(finding("G2", "y", "y", each=None), path="b.onnx")
    folder.run(second, model(finding("G1", "x", "x")), update=True)
    assert folder.file.read_text(encoding="utf-8") == (
        '{"schema": 1, "findings": [\n'
        '{"model": "a.onnx", "code": "G1", "fingerprint": "x", "sites": 2, "excess_bytes": 200},\n'
        '{"model": "b.onnx", "code": "G2", "fingerprint": "y", "sites": 2, "excess_bytes": null},\n'
        "{}\n]}\n"
    )


def test_an_update_that_changes_nothing_does_not_touch_the_file(folder: Folder) -> None:
    folder.run(model(finding("G1", "x")), update=True)
    before = folder.file.stat().st_mtime_ns
    _, _, (note,) = folder.run(model(finding("G1", "x")), update=True)
    assert folder.file.stat().st_mtime_ns == before
    assert note.endswith("has 1 entry, as before")


ENTRY = {"model": "a", "code": "G1", "fingerprint": "x", "sites": 1, "excess_bytes": 1}


def with_entry(**changes: object) -> str:
    return json.dumps({"schema": 1, "findings": [{**ENTRY, **changes}]})


@pytest.mark.parametrize(
    ("text", "message", "cause"),
    [
        ("", "no baseline", "no JSON"),
        ("[]", "no baseline", "no schema"),
        ('{"findings": []}', "no baseline", "no schema"),
        ('{"schema": 2, "findings": []}', "schema 2", "reads schema 1"),
        ('{"schema": true, "findings": []}', "schema True", "reads schema 1"),
        ('{"schema": 1}', "no baseline", "no list of findings"),
        ('{"schema": 1, "findings": [3]}', "no baseline", "has not the keys"),
        (with_entry(more=1), "no baseline", "has not the keys"),
        (with_entry(sites=0), "no baseline", "wrong kind"),
        (with_entry(sites=True), "no baseline", "wrong kind"),
        (with_entry(excess_bytes=1.5), "no baseline", "wrong kind"),
        (with_entry(excess_bytes=-1), "no baseline", "wrong kind"),
        (with_entry(model=""), "no baseline", "wrong kind"),
        ("{\n<<<<<<< ours\n", "no baseline", "a merge left its conflict"),
        ("[" * 100_000, "no baseline", "no JSON"),
    ],
)
@pytest.mark.parametrize("update", [False, True])
def test_a_broken_file_is_told_and_left_alone(
    folder: Folder, text: str, message: str, cause: str, update: bool
) -> None:
    written(folder.file, text)
    with pytest.raises(UsageError) as caught:
        folder.run(model(), update=update)
    assert message in caught.value.message
    assert cause in caught.value.cause
    assert caught.value.hint
    assert folder.file.read_text(encoding="utf-8") == text


def test_a_missing_file_is_an_error_unless_it_is_to_be_made(folder: Folder) -> None:
    with pytest.raises(UsageError, match="no such baseline"):
        folder.run(model())
    folder.file.mkdir()
    with pytest.raises(UsageError, match="can't be read"):
        folder.run(model(), update=True)


def test_there_must_be_a_baseline_to_update(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no baseline to update"):
        Baselines([Request(str(tmp_path / "a.onnx"), Settings())], [], update=True)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_folder_may_be_reached_by_a_link(folder: Folder) -> None:
    folder.run(model(finding("G1", "x"), path="real/a.onnx"), update=True)
    (folder.path / "link").symlink_to("real")
    assert folder.run(model(finding("G1", "x"), path="link/a.onnx"))[1] == BaselineSummary(known=1)


def test_standard_input_has_no_baseline(folder: Folder) -> None:
    folder.run(model(finding("G1", "x")), update=True)
    request = Request("<stdin>", Settings(baseline=str(folder.file)), file=folder.path / "a.onnx")
    found = model(finding("G1", "x"), path="<stdin>")
    assert Baselines([request], []).judged(request, found) == found


def test_each_configuration_may_have_its_own(tmp_path: Path) -> None:
    folders = [Folder(tmp_path / name) for name in "ab"]
    for each in folders:
        each.path.mkdir()
        each.run(model(finding("G1", each.path.name)), update=True)
    requests: Iterable[Request] = [
        Request(str(each.path / "a.onnx"), Settings(baseline=str(each.file))) for each in folders
    ]
    both = Baselines(requests, [])
    for request, name in zip(requests, "ab", strict=True):
        assert both.judged(request, model(finding("G1", name))).findings == ()
    assert both.finished() == (BaselineSummary(known=2), ())
