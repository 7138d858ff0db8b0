"""`kill -9` at some moments of commands that write; `benchmarks/kill.py` takes many more."""

import sys
from pathlib import Path

import pytest

from benchmarks.kill import COMMANDS, killed, verdict, whole

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.parametrize("command", ["check --update-baseline", "profile --annotate"])
def test_what_is_killed_leaves_the_old_or_the_new(command: str, tmp_path: Path) -> None:
    arguments, files = COMMANDS[command]
    folder = tmp_path / "work"
    seconds, after = whole(arguments, files, folder)
    for share in (0.3, 0.9, 0.97):
        now, _ = killed(arguments, files, folder, share * seconds)
        assert verdict(files, after, now) in ("old", "new")


def test_a_verdict_sees_what_is_wrong() -> None:
    model = {"shufflenet_v1.onnx": b"m"}
    before, after = {"out": b"old"}, {**model, "out": b"new"}
    assert verdict(before, after, {**model, "out": b"old"}) == "old"
    assert verdict(before, after, {**model, "out": b"new"}) == "new"
    assert verdict(before, after, {**model, "out": b"ne"}).startswith("half-written")
    assert verdict(before, after, {**after, ".out.tmp": b""}).startswith("left beside it")
    assert verdict(before, after, {"shufflenet_v1.onnx": b"", "out": b"old"}) == "the model changed"
