"""Hostile configurations, baselines, patterns and data: an error that says what is wrong."""

import io
import os
import struct
import sys
import threading
import time
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest

from graphlint import config
from graphlint.baseline_file import read as read_baseline
from graphlint.bindings import Bindings
from graphlint.errors import ConfigError, GraphlintError, ModelError, UsageError
from graphlint.latency import inputs
from graphlint.model import load
from graphlint.patterns import matches_file
from graphlint.report.places import summarise
from graphlint.report.text import markdown_text, safe
from graphlint.rewriting.array_files import UnusableFile, open_array
from graphlint.rewriting.image_folder import image_size
from graphlint.units import parse_bytes

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes, links and devices of POSIX")

BROKEN_TABLES = {
    "nested 5,000 deep": "x = " + "[" * 5000 + "]" * 5000,
    "tables nested 5,000 deep": "[" + ".".join(["a"] * 5000) + "]",
    "no TOML": "\x00\x01\x02",
    "a list for a table": 'rules = ["G1"]',
    "a number for a list": "select = 5",
    "an unknown key": '"\\u001b[31m" = 1',
    "a share of 10^400": "min-excess = 1e400",
    "a number of 5,000 digits": "min-excess = " + "9" * 5000,
    "itself": 'extend = "graphlint.toml"',
    "a folder": 'extend = "."',
    "a file that is none": 'extend = "/etc/passwd"',
}


@pytest.mark.parametrize("name", BROKEN_TABLES)
def test_a_broken_configuration_is_an_error(name: str, tmp_path: Path) -> None:
    path = tmp_path / "graphlint.toml"
    path.write_text(BROKEN_TABLES[name])
    with pytest.raises(ConfigError) as found:
        config.from_file(path)
    assert len(str(found.value)) < 8000


def test_a_huge_configuration_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "graphlint.toml"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(ConfigError, match="larger than"):
        config.from_file(path)


@posix
@pytest.mark.parametrize("target", ["/dev/zero", "pipe", "."])
def test_a_configuration_that_is_no_file_is_refused(target: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link.toml").symlink_to(target)
    with pytest.raises(ConfigError, match="no regular file"):
        config.from_file(tmp_path / "link.toml")
    with pytest.raises(UsageError, match="no regular file"):
        read_baseline(tmp_path / "link.toml")


BROKEN_BASELINES = {
    "nested 100,000 deep": "[" * 100_000,
    "another schema": '{"schema": 99, "findings": []}',
    "a schema that is true": '{"schema": true, "findings": []}',
    "a number of 5,000 digits": '{"schema": ' + "9" * 5000 + "}",
    "a list": "[]",
    "findings that are none": '{"schema": 1, "findings": {}}',
    "an entry that is a list": '{"schema": 1, "findings": [[]]}',
    "infinity": '{"schema": 1, "findings": [{"model": "m", "code": "G1", "fingerprint": "f", '
    '"sites": Infinity, "excess_bytes": 1}]}',
    "a conflict": "<<<<<<< ours\n",
    "no text": "\ud800",
}


@pytest.mark.parametrize("name", BROKEN_BASELINES)
def test_a_broken_baseline_is_an_error(name: str, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_bytes(BROKEN_BASELINES[name].encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError):
        read_baseline(path)


# Patterns: time grows with the length, not with a power of it


def _seconds(action: Callable[[int], object], *given: int) -> float:
    began = time.process_time()
    with suppress(GraphlintError, ValueError):
        action(*given)
    return time.process_time() - began


@pytest.mark.parametrize(
    "action",
    [
        lambda n: fnmatchcase("a" * n, "*a" * 40 + "b"),
        lambda n: matches_file("a/" * n, "*/" * 40 + "b", "."),
        lambda n: Bindings.parse(["a" * n + ":" + "1" * n]),
        lambda n: Bindings.parse(["x:" + "1x" * n]),
        lambda n: Bindings.parse([":" * n]),
        lambda n: Bindings.parse((), ["=" * n]),
        lambda n: Bindings.parse((), ["a=" + "1" * n + "b"]),
        lambda n: parse_bytes("1" * n + "." + "1" * n),
        lambda n: markdown_text("www." * n, limit=10 * n),
        lambda n: markdown_text(":" * n, limit=10 * n),
        lambda n: summarise(["1" * n + "a", "2" * n + "a"]),
        lambda n: safe("\u202e" * n, limit=10 * n),
    ],
)
def test_no_pattern_takes_more_than_its_length_asks_for(
    action: Callable[[int], object],
) -> None:
    _seconds(action, 10)  # imports, caches
    short, long = _seconds(action, 1_000), _seconds(action, 8_000)
    assert long < 200 * short + 1.0  # a square would be 64 times as much, a power beyond all


# Data that unpack to more than they are


def _bomb(path: Path, name: str, claimed: int, content: bytes = b"") -> None:
    """A `.npz` of one member whose directory entry claims a size."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (claimed // 4,)}
    )
    whole = header.getvalue() + content
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, whole)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, place + 24, min(claimed + len(header.getvalue()), 2**32 - 2))
    path.write_bytes(data)


def test_an_archive_that_would_unpack_to_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(3):
            archive.writestr(f"x{number}.npy", b"")
    data = bytearray(path.read_bytes())
    place = 0
    while (place := data.find(b"PK\x01\x02", place)) >= 0:
        struct.pack_into("<I", data, place + 24, 2**31)
        place += 4
    path.write_bytes(data)
    with pytest.raises(GraphlintError, match="is the limit"):
        inputs.load(path)


def test_an_array_that_claims_more_than_is_there_is_refused(tmp_path: Path) -> None:
    _bomb(tmp_path / "x.npz", "x.npy", 2**31)
    with pytest.raises(GraphlintError):
        inputs.load(tmp_path / "x.npz")
    with pytest.raises(UnusableFile):
        list(open_array(tmp_path / "x.npz", "x").samples(np.array([0])))


@posix
def test_input_data_from_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npz")
    with pytest.raises(GraphlintError, match="no regular file"):
        inputs.load(tmp_path / "x.npz")


def test_an_image_of_a_billion_pixels_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b""))
    with pytest.raises(UnusableFile, match="more than"):
        image_size(tmp_path / "x.png")


# A file that changes


def test_numbers_of_a_file_that_changed_are_not_taken(tmp_path: Path) -> None:
    from onnx import TensorProto

    from fixtures.hostile_case import model, node

    weight = TensorProto(name="w", data_type=1, dims=[500], raw_data=bytes(2000))
    path = tmp_path / "m.onnx"
    path.write_bytes(model([node("Add", "x w")], tensors=[weight]).SerializeToString())
    found = load(str(path))
    tensor = found.proto.graph.initializer[0]
    assert found.payload(tensor) == weight
    with path.open("r+b") as stream:
        stream.seek(100)
        stream.write(b"\x01")
    os.utime(path, ns=(1, 1))
    with pytest.raises(ModelError, match="changed while it was read"):
        found.payload(tensor)


@posix
def test_a_file_that_changes_all_the_time_is_read_whole_or_refused(tmp_path: Path) -> None:
    source = Path(__file__).resolve().parents[2] / "fixtures" / "shufflenet_v1.onnx"
    whole = source.read_bytes()
    path = tmp_path / "m.onnx"
    path.write_bytes(whole)
    stop = threading.Event()

    def change() -> None:
        with path.open("r+b") as stream:
            while not stop.wait(0.0005):
                stream.seek(0)
                stream.write(bytes(2000))
                stream.flush()
                stream.seek(0)
                stream.write(whole[:2000])
                stream.flush()

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(30):
            with suppress(ModelError):
                assert load(str(path)).file_bytes == len(whole)
    finally:
        stop.set()
        changing.join()
