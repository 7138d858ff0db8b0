"""Models are saved whole or not at all, with their external data."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from graphlint import atomic
from graphlint.errors import ModelError, UsageError
from graphlint.rewriting import save as save_module
from graphlint.rewriting.save import input_files, refuse_early, save
from graphlint.rewriting.weights_file import PAGE_BYTES

WEIGHTS = {
    "a": np.arange(3000, dtype=np.float32),
    "b": np.arange(700, dtype=np.float32),
    "tiny": np.arange(3, dtype=np.float32),
}


def make_model(weights: dict[str, np.ndarray[Any, Any]] = WEIGHTS) -> ModelProto:
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    nodes = [helper.make_node("Add", ["x", next(iter(weights))], ["y"])]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, tensors))


def stored(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def write_external(path: Path, **more: Any) -> ModelProto:
    onnx.save(
        make_model(),
        path,
        save_as_external_data=True,
        location=more.get("location", f"{path.name}.weights"),
        size_threshold=more.get("size_threshold", 1024),
    )
    return onnx.load(path, load_external_data=False)


@pytest.fixture(params=["unnamed", "hidden"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once as on Linux, once as where files without names are not supported."""
    if request.param == "hidden":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder / "m.onnx"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "new.onnx"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("_both_ways")
def test_model_without_external_data_is_one_file_of_the_same_bytes(source: Path, out: Path) -> None:
    onnx.save(make_model(), source)
    assert save(onnx.load(source), source, out) == (out,)
    assert out.read_bytes() == source.read_bytes()
    assert names(out.parent) == [out.name]
    mask = os.umask(0)
    os.umask(mask)
    assert out.stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.usefixtures("_both_ways")
def test_external_data_move_along_into_one_aligned_file(source: Path, out: Path) -> None:
    proto = write_external(source)
    before = proto.SerializeToString()
    written = save(proto, source, out)
    assert [path.name for path in written] == ["new.onnx", "new.onnx.data"]
    assert names(out.parent) == ["new.onnx", "new.onnx.data"]
    assert proto.SerializeToString() == before
    for name, array in stored(out).items():
        np.testing.assert_array_equal(array, WEIGHTS[name])
    (first, second, tiny) = onnx.load(out, load_external_data=False).graph.initializer
    assert tiny.data_location != TensorProto.EXTERNAL
    places = {entry.key: entry.value for entry in second.external_data}
    assert places["location"] == "new.onnx.data"
    for tensor in (first, second):
        offset = next(int(e.value) for e in tensor.external_data if e.key == "offset")
        assert offset % (PAGE_BYTES if tensor is first else 64) == 0


def test_checksum_goes_other_entries_stay_and_shared_payloads_are_written_once(
    source: Path, out: Path
) -> None:
    proto = write_external(source)
    first = proto.graph.initializer[0]
    first.external_data.add(key="checksum", value="0" * 40)
    first.external_data.add(key="mine", value="1")
    twin = proto.graph.initializer.add()
    twin.CopyFrom(first)
    twin.name = "twin"
    _, data = save(proto, source, out)
    saved = {t.name: t for t in onnx.load(out, load_external_data=False).graph.initializer}
    entries = {entry.key: entry.value for entry in saved["a"].external_data}
    assert "checksum" not in entries
    assert entries["mine"] == "1"
    assert list(saved["twin"].external_data) == list(saved["a"].external_data)
    assert data.stat().st_size < 2 * WEIGHTS["a"].nbytes


def test_length_that_is_not_given_is_that_of_the_type_and_shape(source: Path, out: Path) -> None:
    proto = write_external(source)
    for tensor in proto.graph.initializer[:2]:
        kept = [(e.key, e.value) for e in tensor.external_data if e.key != "length"]
        del tensor.external_data[:]
        for key, value in kept:
            tensor.external_data.add(key=key, value=value)
    save(proto, source, out)
    np.testing.assert_array_equal(stored(out)["a"], WEIGHTS["a"])


def test_new_initializers_go_to_the_data_of_a_model_that_has_some(source: Path, out: Path) -> None:
    proto = write_external(source)
    for name, size in (("new", 2000), ("new_shape", 4), ("inline", 2000)):
        proto.graph.initializer.append(numpy_helper.from_array(np.full(size, 7, np.float32), name))
    before = proto.SerializeToString()
    save(proto, source, out, new=["new", "new_shape"])
    saved = onnx.load(out, load_external_data=False).graph.initializer
    external = {t.name for t in saved if t.data_location == TensorProto.EXTERNAL}
    assert external == {"a", "b", "new"}
    assert (stored(out)["new"] == 7).all()
    assert proto.SerializeToString() == before


def test_model_that_is_too_large_for_one_file_gets_a_data_file(source: Path, out: Path) -> None:
    onnx.save(make_model(), source)
    proto = onnx.load(source)
    assert len(save(proto, source, out, limit_bytes=4000)) == 2
    np.testing.assert_array_equal(stored(out)["b"], WEIGHTS["b"])
    with pytest.raises(ModelError, match="even without its weights"):
        save(proto, source, out.with_name("other.onnx"), limit_bytes=10)
    assert names(out.parent) == ["new.onnx", "new.onnx.data"]
    assert proto.SerializeToString() == source.read_bytes()


def test_two_gibibytes_are_copied_without_being_read(source: Path, out: Path) -> None:
    size = (2 << 30) + PAGE_BYTES
    proto = make_model({"w": np.zeros(4, np.int8)})
    (tensor,) = proto.graph.initializer
    tensor.dims[:] = [size]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    with open(source.parent / "w.bin", "wb") as stream:
        stream.truncate(size)
        stream.seek(size - 3)
        stream.write(b"end")
    source.write_bytes(proto.SerializeToString())
    _, data = save(proto, source, out)
    assert data.stat().st_size == size
    with data.open("rb") as stream:
        stream.seek(size - 4)
        assert stream.read() == b"\0end"


# Refusals


def test_existing_output_needs_force(source: Path, out: Path) -> None:
    onnx.save(make_model(), source)
    out.write_text("mine")
    with pytest.raises(UsageError, match="it exists"):
        refuse_early(source, out, force=False)
    refuse_early(source, out, force=True)
    save(onnx.load(source), source, out, force=True)
    assert out.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("link", [None, os.link, os.symlink])
def test_input_is_never_the_output(source: Path, out: Path, link: Any) -> None:
    onnx.save(make_model(), source)
    if link is not None:
        link(source, out)
    with pytest.raises(UsageError, match="the model itself"):
        refuse_early(source, out if link else source, force=True)


def test_data_of_the_input_are_never_the_output(source: Path) -> None:
    proto = write_external(source)
    with pytest.raises(UsageError, match="external data"):
        save(proto, source, source.with_name("m.onnx.weights"), force=True)
    assert names(source.parent) == ["m.onnx", "m.onnx.weights"]


def test_places_that_can_hold_no_file_are_refused(source: Path, out: Path) -> None:
    onnx.save(make_model(), source)
    fifo = out.with_name("fifo")
    os.mkfifo(fifo)
    places = {
        out.parent: "a folder",
        out.parent / "missing" / "x.onnx": "does not exist",
        source / "x.onnx": "irectory",
        fifo: "no regular file",
        out.with_name("x" * 300): "too long",
        out.with_name("x" * 253): "too long",
        out.with_name("x\0"): "null",
    }
    for path, cause in places.items():
        with pytest.raises(UsageError, match=cause):
            refuse_early(source, path, force=True)


def test_folder_that_can_not_be_written_to_is_refused(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx.save(make_model(), source)
    out.parent.chmod(0o555)
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)  # for root, too
    with pytest.raises(UsageError, match="nothing can be written"):
        refuse_early(source, out, force=True)


def test_external_data_outside_the_folder_are_not_read(source: Path, out: Path) -> None:
    proto = write_external(source)
    (source.parent.parent / "secret").write_bytes(bytes(20000))
    for entry in proto.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../secret"
    with pytest.raises(ModelError, match="outside the model's folder"):
        save(proto, source, out)
    assert names(out.parent) == []


# Old files


def test_no_file_but_the_output_is_replaced(source: Path, out: Path) -> None:
    proto = write_external(source)
    out.with_name("new.onnx.data").write_text("another's")
    written = save(proto, source, out)
    assert written[1].name == "new.onnx.1.data"
    assert out.with_name("new.onnx.data").read_text() == "another's"


def test_old_model_goes_with_its_data_once_the_new_one_stands(source: Path, out: Path) -> None:
    proto = write_external(source)
    save(proto, source, out)
    for expected in ("new.onnx.1.data", "new.onnx.data"):
        assert save(proto, source, out, force=True)[1].name == expected
        assert names(out.parent) == ["new.onnx", expected]
        np.testing.assert_array_equal(stored(out)["a"], WEIGHTS["a"])


def test_data_that_another_model_needs_stay(source: Path, out: Path) -> None:
    proto = write_external(source)
    save(proto, source, out)
    copy = out.with_name("copy.onnx")
    copy.write_bytes(out.read_bytes())
    shared = onnx.load(copy, load_external_data=False)
    save(proto, source, out, force=True, keep=input_files(copy, shared))
    assert names(out.parent) == ["copy.onnx", "new.onnx", "new.onnx.1.data", "new.onnx.data"]
    np.testing.assert_array_equal(stored(copy)["a"], WEIGHTS["a"])


def test_link_is_replaced_and_its_target_stays(source: Path, out: Path) -> None:
    onnx.save(make_model(), source)
    target = out.with_name("target")
    target.write_text("mine")
    out.symlink_to(target)
    save(onnx.load(source), source, out, force=True)
    assert not out.is_symlink()
    assert target.read_text() == "mine"


# Failures


@pytest.fixture
def old(source: Path, out: Path) -> dict[str, bytes]:
    """An older model with data where the new one goes."""
    save(write_external(source), source, out)
    return {path.name: path.read_bytes() for path in out.parent.iterdir()}


def untouched(out: Path, old: dict[str, bytes]) -> bool:
    return old == {path.name: path.read_bytes() for path in out.parent.iterdir()}


@pytest.mark.usefixtures("_both_ways")
def test_full_disk_leaves_everything_as_it_was(
    source: Path, out: Path, old: dict[str, bytes]
) -> None:
    proto = onnx.load(source, load_external_data=False)
    before = proto.SerializeToString()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, limits[1]))
    try:
        with pytest.raises(UsageError, match="can't be written") as caught:
            save(proto, source, out, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "room" in caught.value.hint
    assert untouched(out, old)
    assert proto.SerializeToString() == before


STEPS = (
    "NewFile.copy",
    "NewFile.write",
    "NewFile.finish",
    "NewFile.publish",
    "os.link",
    "os.replace",
    "os.fsync",
    "save.sync_folder",
)


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_exception_at_any_step_leaves_everything_as_it_was(
    source: Path,
    out: Path,
    old: dict[str, bytes],
    raised: type[BaseException],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the model has been renamed it is the new one that is whole."""
    proto = onnx.load(source, load_external_data=False)
    for step in STEPS:
        for call in range(3):
            with monkeypatch.context() as patch:
                _raise_at(patch, step, call, raised)
                try:
                    save(proto, source, out, force=True)
                except raised:
                    pass
                else:
                    break  # there is no such call
            if not untouched(out, old):
                assert len(names(out.parent)) == 3  # the old data are left
                np.testing.assert_array_equal(stored(out)["a"], WEIGHTS["a"])
            _restore(out, old)
        _restore(out, old)


def _restore(out: Path, old: dict[str, bytes]) -> None:
    for path in out.parent.iterdir():
        path.unlink()
    for name, data in old.items():
        out.with_name(name).write_bytes(data)


def _raise_at(patch: pytest.MonkeyPatch, step: str, call: int, raised: type[BaseException]) -> None:
    owner, name = step.split(".")
    target = {"NewFile": atomic.NewFile, "os": os, "save": save_module}[owner]
    original, calls = getattr(target, name), [0]

    def raising(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == call + 1:
            raise raised
        return original(*args, **kwargs)

    patch.setattr(target, name, raising)


CHILD = """
import sys, onnx
from pathlib import Path
from graphlint.rewriting import save as save_module
from graphlint import atomic
from graphlint.rewriting.save import save
if sys.argv[3] == "hidden":
    del atomic.os.O_TMPFILE
source, out = map(Path, sys.argv[1:3])
proto = onnx.load(source, load_external_data=False)
print("ready", flush=True)
while True:
    save(proto, source, out, force=True)
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="needs files without names")
@pytest.mark.parametrize(
    ("way", "number"),
    [("unnamed", signal.SIGKILL), ("unnamed", signal.SIGTERM), ("hidden", signal.SIGTERM)],
)
def test_killed_at_any_moment_a_whole_model_stands(
    source: Path, out: Path, old: dict[str, bytes], way: str, number: signal.Signals
) -> None:
    chance = random.Random(0)
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, source, out, way], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(chance.random() / 20)
        child.send_signal(number)
        child.wait()
        child.stdout.close()
        np.testing.assert_array_equal(stored(out)["a"], WEIGHTS["a"])
        if number == signal.SIGTERM:
            # A file that needs a name can lose the race in the instant in which it gets it.
            strays = [name for name in names(out.parent) if name.startswith(".")]
            assert len(strays) <= (1 if way == "hidden" else 0)
