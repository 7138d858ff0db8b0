"""Reading a model: every bad file is named for what it is, and nothing outside is touched."""

from __future__ import annotations

import gzip
import os
import pickle
import random
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from graphlint.errors import ModelError
from graphlint.model import Model, find, load
from graphlint.wire import length_delimited
from tests.conftest import Save
from tests.models import model


def small() -> ModelProto:
    return model(
        [helper.make_node("Relu", ["x"], ["y"], name="relu")], {"x": [1, 8]}, {"y": [1, 8]}
    )


def big() -> bytes:
    weights = numpy_helper.from_array(np.arange(5000, dtype=np.float32), "w")
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    return model(nodes, {"x": [5000]}, {"y": [5000]}, [weights]).SerializeToString()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12345\n"

CONTENTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "an empty file"),
    "text": (b"import torch\nprint('hello')\n", "text, not an ONNX model"),
    "html": (b"<!doctype html><title>404</title>", "text, not an ONNX model"),
    "accented text": ("größer als erlaubt ✓\n".encode() * 40, "text, not an ONNX model"),
    "ONNX text": (b'<ir_version: 8, opset_import: ["" : 17]>\nag (float x) => (', "text form"),
    "LFS pointer": (LFS, "a Git LFS pointer"),
    "gzip": (gzip.compress(small().SerializeToString()), "a gzip archive"),
    "bzip2": (b"BZh91AY&SY" + bytes(50), "a bzip2 archive"),
    "xz": (b"\xfd7zXZ\x00" + bytes(50), "an xz archive"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(50), "a zstd archive"),
    "ort": (b"\x1c\x00\x00\x00ORTM" + bytes(50), ".ort file"),
    "tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(50), "TensorFlow Lite"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
    "gguf": (b"GGUF\x03\x00\x00\x00" + bytes(50), "GGUF"),
    "zeros": (bytes(4096), "no ONNX model: it begins with nothing but zero bytes"),
    "other protobuf": (helper.make_tensor("t", 1, [1], [1.0]).SerializeToString(), "no ONNX model"),
    "no graph": (ModelProto(ir_version=8).SerializeToString(), "it holds no graph"),
    "truncated": (big()[:3000], "a truncated model: it ends at byte 3000"),
    "long tail cut": (big()[:-20], "a truncated model"),
    **{
        f"pickle {protocol}": (pickle.dumps({"a": 1}, protocol), "a Python pickle")
        for protocol in range(2, 6)
    },
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_that_is_no_model_is_named_for_what_it_is(name: str, tmp_path: Path) -> None:
    content, expected = CONTENTS[name]
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load(str(path))
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.hint


def test_a_zip_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", "x")
    with pytest.raises(ModelError, match="a zip archive"):
        load(str(path))


def test_random_bytes_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    for seed in range(50):
        path.write_bytes(random.Random(seed).randbytes(2000))
        with pytest.raises(ModelError):
            load(str(path))


def test_a_model_cut_anywhere_or_with_flipped_bytes_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    data = big()[:1000] + big()[-200:]
    chance = random.Random(1)
    read = refused = 0
    for _ in range(400):
        broken = bytearray(big())
        place = chance.choice([chance.randrange(120), chance.randrange(len(broken))])
        broken[place] = chance.randrange(256)
        path.write_bytes(broken if chance.random() < 0.5 else data[: chance.randrange(1, 1200)])
        try:
            found = load(str(path))
        except ModelError:
            refused += 1
        else:
            read += 1
            for tensor in found.proto.graph.initializer:
                found.payload(tensor)
    assert min(read, refused) > 20


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ModelError, match="no such file") as caught:
        load("no/such/model.onnx")
    assert caught.value.hint


def test_a_path_with_a_null_byte_is_refused() -> None:
    with pytest.raises(ModelError, match="can't be opened"):
        load("a\x00b.onnx")


def test_a_path_that_is_too_long_is_refused() -> None:
    with pytest.raises(ModelError, match="can't be opened"):
        load("a" * 5000)


def test_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a folder, not a file"):
        load(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    os.mkfifo(path)
    with pytest.raises(ModelError, match="a pipe, not a file"):
        load(str(path))


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices here")
def test_a_device_is_refused() -> None:
    with pytest.raises(ModelError, match="a device, not a file"):
        load("/dev/zero")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no sockets in files here")
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("m.onnx")
        with pytest.raises(ModelError, match="a socket, not a file"):
            load("m.onnx")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads it all")
def test_a_file_without_permission_is_named(save: Save) -> None:
    path = save(small())
    path.chmod(0)
    with pytest.raises(ModelError, match="can't be opened: Permission denied"):
        load(str(path))


def test_a_link_to_a_model_is_followed(save: Save, tmp_path: Path) -> None:
    link = tmp_path / "link.onnx"
    link.symlink_to(save(small()))
    assert load(str(link)).proto == small()


def test_a_name_that_is_no_text_is_refused(save: Save) -> None:
    data = small().SerializeToString()
    names = {
        "operator": (b"Relu", b"Re\xffu"),
        "node": (b"relu", b"re\xffu"),
        "domain": (b"local", b"lo\xffal"),
        "graph input": (b"\x0a\x01x\x12", b"\x0a\x01\xff\x12"),
    }
    for old, new in names.values():
        assert old in data
        path = save(small())
        path.write_bytes(data.replace(old, new))
        with pytest.raises(ModelError, match="a name that is no text") as caught:
            load(str(path))
        assert "\\xff" in caught.value.cause


def test_a_file_that_changes_while_it_is_read_is_refused(
    save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(small())
    real = os.fstat
    changed: list[bool] = []

    def fstat(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        if changed:
            values = list(status)
            values[6] += 1  # st_size
            return os.stat_result(values)
        changed.append(True)
        return status

    from graphlint import model as module

    monkeypatch.setattr(module, "_open_regular", lambda path, file: os.open(file, os.O_RDONLY))
    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(ModelError, match="changed while it was read"):
        load(str(path))


def test_a_model_read_from_elsewhere_is_shown_under_its_own_path(save: Save) -> None:
    found = load("-", file=save(small()))
    assert found.path == "-"
    assert found.proto == small()


# Payloads


def weights(field: str, count: int) -> tuple[TensorProto, np.ndarray[Any, Any]]:
    """A tensor that holds its numbers in the given field, and the numbers."""
    chance = np.random.default_rng(0)
    if field == "raw_data":
        array = chance.standard_normal(count).astype(np.float32)
        return numpy_helper.from_array(array, "w"), array
    dtype, kind = {
        "float_data": (TensorProto.FLOAT, np.float32),
        "int32_data": (TensorProto.INT32, np.int32),
        "int64_data": (TensorProto.INT64, np.int64),
        "double_data": (TensorProto.DOUBLE, np.float64),
        "uint64_data": (TensorProto.UINT64, np.uint64),
    }[field]
    array = chance.integers(0, 256, count * np.dtype(kind).itemsize, dtype=np.uint8).view(kind)
    if np.issubdtype(kind, np.floating):
        array = chance.standard_normal(count).astype(kind)
    tensor = TensorProto(name="w", dims=[count], data_type=dtype)
    getattr(tensor, field).extend(array.tolist())
    return tensor, array


FIELDS = ["raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"]


@pytest.mark.parametrize("count", [3, 3000])
@pytest.mark.parametrize("field", FIELDS)
def test_payloads_are_read_back_bit_for_bit(field: str, count: int, save: Save) -> None:
    tensor, array = weights(field, count)
    found = load(str(save(model([], {}, {}, [tensor]))))
    left = found.proto.graph.initializer[0]
    assert (left.data_location == TensorProto.EXTERNAL) == (count > 1000)
    read = found.payload(left)
    assert read is not None
    assert numpy_helper.to_array(read).tobytes() == array.tobytes()
    assert read == tensor


def test_a_long_string_is_read_back(save: Save) -> None:
    tensor = TensorProto(
        name="w", data_type=TensorProto.STRING, dims=[1], string_data=[b"x" * 5000]
    )
    found = load(str(save(model([], {}, {}, [tensor]))))
    assert found.payload(found.proto.graph.initializer[0]) == tensor


def test_payloads_in_bodies_are_read_back(save: Save) -> None:
    tensor, _ = weights("raw_data", 3000)
    body = helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor)], "b", [], [])
    node = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)
    found = load(str(save(model([node], {}, {}))))
    for attribute in found.proto.graph.node[0].attribute:
        left = attribute.g.node[0].attribute[0].t
        assert not left.raw_data
        assert found.payload(left) == tensor


def test_payloads_in_many_pieces_are_not_read(save: Save) -> None:
    text = [b"text"] * 900
    tensor = TensorProto(name="w", data_type=TensorProto.STRING, dims=[900], string_data=text)
    found = load(str(save(model([], {}, {}, [tensor]))))
    assert found.payload(found.proto.graph.initializer[0]) is None


@pytest.mark.parametrize(
    "place",
    [
        {"location": ""},
        {"location": "", "field": "9"},
        {"location": "", "field": "9", "offset": "-4", "length": "4"},
        {"location": "", "field": "9", "offset": "0", "length": "-4"},
        {"location": "", "field": "9", "offset": "0", "length": "99999999999"},
        {"location": "", "field": "²", "offset": "0", "length": "4"},
        {"location": "", "field": "-9", "offset": "0", "length": "4"},
        {"location": "", "field": "5", "offset": "1", "length": "1" * 5000},
        {"location": "", "field": "4", "offset": "0", "length": "3"},  # no whole float
        {"location": "/etc/passwd", "field": "9", "offset": "0", "length": "4"},
    ],
)
def test_forged_places_give_no_numbers(place: dict[str, str], save: Save) -> None:
    tensor = TensorProto(name="w", dims=[1], data_type=1, data_location=TensorProto.EXTERNAL)
    for key, value in place.items():
        tensor.external_data.add(key=key, value=value)
    found = load(str(save(model([], {}, {}, [tensor]))))
    assert found.payload(found.proto.graph.initializer[0]) is None


def test_a_broken_payload_gives_no_numbers(save: Save) -> None:
    # 3999 bytes of packed floats: a message that can be walked, but no list of floats.
    tensor = b"\x08\xe8\x07" + b"\x10\x01" + length_delimited(4, bytes(3999))
    path = save(small())
    path.write_bytes(path.read_bytes() + length_delimited(7, length_delimited(5, tensor)))
    found = load(str(path))
    assert list(found.proto.graph.initializer[0].dims) == [1000]
    assert found.payload(found.proto.graph.initializer[0]) is None


def test_payloads_of_a_file_that_is_gone_are_not_read(save: Save) -> None:
    path = save(model([], {}, {}, [weights("raw_data", 3000)[0]]))
    found = load(str(path))
    path.unlink()
    assert found.payload(found.proto.graph.initializer[0]) is None


# External data


def external(location: str, **place: object) -> ModelProto:
    """A model with a weight of 4000 bytes in another file."""
    tensor = TensorProto(
        name="w", dims=[1000], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL
    )
    for key, value in {"location": location, **place}.items():
        tensor.external_data.add(key=key, value=str(value))
    return model([], {}, {}, [tensor])


def problems(path: Path) -> list[str]:
    return [str(problem) for problem in load(str(path)).problems]


def test_external_data_that_is_there_is_no_problem(save: Save, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(5000))
    assert problems(save(external("w.bin", offset=1000, length=4000))) == []
    assert problems(save(external("./w.bin"))) == []


def test_onnx_own_external_data_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    proto = ModelProto.FromString(big())
    onnx.save(proto, path, save_as_external_data=True, location="m.data", size_threshold=0)
    found = load(str(path))
    assert found.problems == ()
    assert found.payload(found.proto.graph.initializer[0]) is None


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/etc/passwd", "outside the model's folder"),
        ("../w.bin", "outside the model's folder"),
        ("a/../../w.bin", "outside the model's folder"),
        ("..", "outside the model's folder"),
        ("C:\\w.bin", "outside the model's folder"),
        ("C:w.bin", "outside the model's folder"),
        ("\\\\server\\share\\w.bin", "outside the model's folder"),
        ("..\\w.bin", "outside the model's folder"),
        ("a\\..\\..\\w.bin", "outside the model's folder"),
        ("w.bin", "is missing"),
        ("", "without a location"),
        ("w\x00.bin", "without a location"),
        ("w" * 5000, "can't be located"),
        ("*/_ORT_MEM_ADDR_/*", "never written"),
        ("*/_ORT_LITTLE_ENDIAN_MEM_ADDR_/*", "never written"),
    ],
)
def test_external_data_in_no_good_place_is_a_problem(
    location: str, expected: str, save: Save
) -> None:
    (found,) = problems(save(external(location, length=4000)))
    assert expected in found


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"offset": 2000, "length": 4000}, "is too short: 'w' lies at bytes 2000 to 6000"),
        ({"length": 5001}, "is too short"),
        ({"offset": 6000}, "is too short"),
        ({"offset": -1, "length": 4000}, "with a broken place"),
        ({"length": -1}, "with a broken place"),
        ({"offset": "many"}, "with a broken place"),
        ({"length": "4e3"}, "with a broken place"),
        ({"length": "9" * 5000}, "with a broken place"),
        ({"offset": 2**63, "length": 2**63}, "is too short"),
    ],
)
def test_external_data_out_of_bounds_is_a_problem(
    place: dict[str, object], expected: str, save: Save, tmp_path: Path
) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(5000))
    (found,) = problems(save(external("w.bin", **place)))
    assert expected in found


def test_a_pointer_in_place_of_external_data_has_a_hint(save: Save, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(LFS)
    (problem,) = load(str(save(external("w.bin", length=4000)))).problems
    assert "git lfs pull" in problem.hint


def test_external_data_behind_a_link_that_leaves_is_a_problem(
    save: Save, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "w.bin"
    outside.write_bytes(bytes(5000))
    (tmp_path / "w.bin").symlink_to(outside)
    (tmp_path / "folder").symlink_to(outside.parent)
    for location in ("w.bin", "folder/w.bin"):
        (found,) = problems(save(external(location, length=4000)))
        assert "is a link that leaves it" in found


def test_external_data_behind_a_link_that_stays_is_no_problem(save: Save, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(bytes(5000))
    (tmp_path / "w.bin").symlink_to("blob")
    assert problems(save(external("w.bin", length=4000))) == []


def test_a_link_in_a_circle_is_a_problem(save: Save, tmp_path: Path) -> None:
    (tmp_path / "w.bin").symlink_to("w.bin")
    assert len(problems(save(external("w.bin", length=4000)))) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_external_data_that_is_a_pipe_is_a_problem(save: Save, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w.bin")
    (found,) = problems(save(external("w.bin", length=4000)))
    assert "is no regular file" in found


def test_external_data_that_is_a_folder_is_a_problem(save: Save, tmp_path: Path) -> None:
    (tmp_path / "w.bin").mkdir()
    (found,) = problems(save(external("w.bin", length=4000)))
    assert "is no regular file" in found


def test_many_tensors_in_one_missing_file_are_one_problem(save: Save) -> None:
    proto = external("w.bin")
    proto.graph.initializer.extend(list(proto.graph.initializer) * 9)
    assert len(problems(save(proto))) == 1


@pytest.mark.parametrize(
    "hide",
    [
        lambda t: model([helper.make_node("Constant", [], ["c"], value=t)], {}, {}),
        lambda t: model([helper.make_node("Op", [], ["c"], domain="local", many=[t])], {}, {}),
        lambda t: model(
            [
                helper.make_node(
                    "If",
                    ["c"],
                    ["y"],
                    then_branch=helper.make_graph([], "b", [], [], [t]),
                    else_branch=helper.make_graph([], "b", [], []),
                )
            ],
            {},
            {},
        ),
        lambda t: model([], {}, {}, sparse_initializer=[_sparse(t)]),
        lambda t: model([helper.make_node("Constant", [], ["c"], sparse_value=_sparse(t))], {}, {}),
        lambda t: model(
            [],
            {},
            {},
            functions=[
                helper.make_function(
                    "local",
                    "F",
                    [],
                    ["c"],
                    [helper.make_node("Constant", [], ["c"], value=t)],
                    [helper.make_opsetid("", 17)],
                )
            ],
        ),
    ],
    ids=["constant", "tensors", "body", "sparse initializer", "sparse constant", "function"],
)
def test_external_data_is_checked_wherever_it_hides(
    hide: Callable[[TensorProto], ModelProto], save: Save
) -> None:
    (tensor,) = external("w.bin").graph.initializer
    (found,) = problems(save(hide(tensor)))
    assert "is missing" in found


def _sparse(tensor: TensorProto) -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(
        values=tensor, indices=helper.make_tensor("i", 7, [0], []), dims=[5]
    )


def test_nothing_outside_the_folder_is_opened_or_asked_for_its_size(
    save: Save,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "canary"
    outside.write_bytes(bytes(5000))
    (tmp_path / "link.bin").symlink_to(outside)
    (tmp_path / "w.bin").write_bytes(bytes(5000))
    touched: list[str] = []
    opened: list[str] = []

    def spy(real: Callable[..., Any], log: list[str]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(path, str | os.PathLike):
                log.append(os.fspath(path))
            return real(path, *args, **kwargs)

        return call

    paths = []
    relative = os.path.relpath(outside, tmp_path)
    for index, location in enumerate([str(outside), relative, "link.bin", "w.bin"]):
        paths.append(save(external(location, length=4000), f"{index}.onnx"))
    monkeypatch.setattr(os, "stat", spy(os.stat, touched))
    monkeypatch.setattr(os, "open", spy(os.open, opened))
    monkeypatch.setattr("builtins.open", spy(open, opened))
    found = [load(str(path)) for path in paths]
    monkeypatch.undo()
    assert [len(one.problems) for one in found] == [1, 1, 1, 0]
    assert {Path(path) for path in opened} == set(paths)
    assert any(path.endswith("w.bin") for path in touched)  # the spy works
    assert not any("canary" in path for path in [*touched, *opened])


# Folders


def test_models_are_found_in_sorted_order(tmp_path: Path) -> None:
    names = ["b.onnx", "a.ONNX", "c.txt", "sub/z.onnx", "sub/deep/y.onnx", "also/x.onnx"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "h.onnx").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    found = [os.path.relpath(path, tmp_path) for path in find(str(tmp_path))]
    expected = ["a.ONNX", "b.onnx", "also/x.onnx", "sub/z.onnx", "sub/deep/y.onnx"]
    assert found == [str(Path(name)) for name in expected]


def test_a_path_that_is_no_folder_is_given_back() -> None:
    assert list(find("no/such/file")) == ["no/such/file"]
    assert list(find("-")) == ["-"]


def test_a_folder_without_models_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(ModelError, match="a folder without models"):
        list(find(str(tmp_path)))


def test_sizes_are_told(save: Save) -> None:
    path = save(ModelProto.FromString(big()))
    found: Model = load(str(path))
    assert found.file_bytes == path.stat().st_size
    assert found.structure_bytes < 500
