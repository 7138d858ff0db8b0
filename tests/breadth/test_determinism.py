"""Names and the order of nodes change no figure, no finding and no fingerprint."""

from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kinds import KINDS, Kind
from models import FIXTURES

from benchmarks.disguise import renamed, reordered
from graphlint.config import Settings
from graphlint.engine import check
from graphlint.request import Request

SMALL = [path for path in FIXTURES if path.stat().st_size < 60_000]


def essence(proto: onnx.ModelProto, folder: Path) -> tuple[object, ...]:
    """What must not depend on names and order."""
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    report = check(Request(str(path), Settings(select=("ALL",)), want_nodes=True))
    assert report.errors == ()
    costs = ((n.op, "unknown" if n.cost.unknown else repr(n.cost)) for n in report.nodes)
    found = ((f.code, f.excess_bytes or 0, f.fingerprint, len(f.sites)) for f in report.findings)
    return report.totals, sorted(costs), sorted(found)


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_findings_and_fingerprints_stay(
    path: Path, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("disguised")
    proto = onnx.load(str(path))
    plain = essence(proto, folder)
    assert essence(renamed(proto, seed), folder) == plain
    assert essence(reordered(proto, seed), folder) == plain
    assert essence(reordered(renamed(proto, seed), seed), folder) == plain


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_is_counted_alike_in_disguise(kind: Kind, tmp_path: Path) -> None:
    proto = kind.make()
    plain = essence(proto, tmp_path)
    assert essence(reordered(renamed(proto, 7), 7), tmp_path) == plain


def test_a_disguise_changes_what_it_should(tmp_path: Path) -> None:
    proto = onnx.load(str(next(path for path in SMALL if "nasnet" in path.name)))
    assert {n.name for n in renamed(proto, 1).graph.node}.isdisjoint(
        n.name for n in proto.graph.node
    )
    moved = [n.output[0] for n in reordered(proto, 1).graph.node]
    assert moved != [n.output[0] for n in proto.graph.node]
    assert sorted(moved) == sorted(n.output[0] for n in proto.graph.node)
