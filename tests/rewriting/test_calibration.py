"""Calibration data: what can be given, what comes of it, and what is said of data of no use."""

import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from graphlint.errors import UsageError
from graphlint.graph import GraphView
from graphlint.rewriting import array_files, calibration, image_folder
from graphlint.rewriting.calibration import MIN_SAMPLES, Calibration, Preprocessing, load, made_up
from graphlint.rewriting.image_input import image_input, looks_like_image
from tests import models

N = MIN_SAMPLES
UNSTATED = Preprocessing()
PIXELS = Preprocessing(mean=(0.5, 0.25, 0.0), std=(0.5, 0.25, 1.0))


def view(*shape: int | str | None, dtype: int = TensorProto.FLOAT, more: bool = False) -> GraphView:
    inputs = {"image": (dtype, shape), **({"other": (dtype, shape)} if more else {})}
    node = helper.make_node("Identity", ["image"], ["y"])
    return models.view_of(models.model([node], inputs, {"y": (dtype, shape)}))


RGB = view("n", 3, 8, 10)
GREY = view("n", 1, 8, 10)
CHANNELS_LAST = view("n", 8, 10, 3)
ANY_SIZE = view("n", 3, "h", "w")


def samples(count: int = N, shape: tuple[int, ...] = (3, 8, 10), dtype: Any = np.float32) -> Any:
    """Samples of which each has its own number everywhere."""
    numbers = np.arange(count).reshape(-1, *(1 for _ in shape))
    return np.broadcast_to(numbers, (count, *shape)).astype(dtype)


def saved(path: Path, array: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    np.save(path, array, allow_pickle=True)
    return path


def given(
    path: Path,
    model: GraphView = RGB,
    preprocessing: Preprocessing = UNSTATED,
    limit: int | None = None,
) -> Calibration:
    found = load(path, model, preprocessing, limit)
    assert found.images.dtype == np.float32
    assert not found.made_up
    return found


def refused(path: Path, model: GraphView = RGB, *more: Any) -> str:
    with pytest.raises(UsageError) as caught:
        load(path, model, *(more or (UNSTATED,)))
    return "\n".join([caught.value.message, caught.value.cause, caught.value.hint])


# Arrays


def test_an_array_is_taken_as_it_is(tmp_path: Path) -> None:
    path = saved(tmp_path / "calib.npy", samples())
    found = given(path)
    assert np.array_equal(found.images, samples())
    assert found.source == f"{N} images from {path}"


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_floats_of_every_size_and_order_become_float32(
    tmp_path: Path, dtype: str, order: Any
) -> None:
    array = np.asarray(np.random.default_rng(0).random((N, 3, 8, 10)), dtype, order=order)
    found = given(saved(tmp_path / "calib.npy", array))
    assert np.array_equal(found.images, array.astype(np.float32))


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_an_archive_of_one_array_needs_no_name(tmp_path: Path, write: Callable[..., None]) -> None:
    path = tmp_path / "calib.npz"
    write(path, whatever=samples(50))
    assert np.array_equal(given(path).images, samples(50))


def test_of_more_arrays_that_of_the_inputs_name_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "calib.npz"
    np.savez(path, labels=np.arange(N), image=samples())
    assert np.array_equal(given(path).images, samples())


def test_an_archive_without_that_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calib.npz"
    np.savez(path, labels=np.arange(N), images=samples())
    said = refused(path)
    assert "2 arrays, and none is called 'image': 'images', 'labels'" in said
    np.savez(path)
    assert "0 arrays" in refused(path)


def test_a_folder_of_arrays_is_read_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "calib"
    everything = samples(N + 11)
    saved(folder / "b.npy", everything[20:21, ...][0])  # a single sample
    saved(folder / "a.npy", everything[:20])
    (folder / "c").mkdir()
    np.savez(folder / "c" / "0.npz", everything[21:])
    saved(folder / ".hidden.npy", samples(1))
    saved(folder / ".hidden" / "0.npy", samples(1))
    (folder / "labels.txt").write_text("cat")
    found = given(folder)
    assert np.array_equal(found.images, everything)
    assert found.source == f"{N + 11} images from {folder}"


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_of_too_many_evenly_spaced_ones_are_read(tmp_path: Path, split: bool, order: Any) -> None:
    everything = np.asarray(samples(100), order=order)
    path = tmp_path / "calib"
    if split:
        for name, there in (("a", slice(0, 3)), ("b", slice(3, 4)), ("c", slice(4, 100))):
            saved(path / f"{name}.npy", np.asarray(everything[there], order=order))
    else:
        path = tmp_path / "calib.npz"
        np.savez(path, everything)
    found = given(path, limit=40)
    assert np.array_equal(found.images, samples(100)[np.arange(40) * 100 // 40])
    assert found.source == f"40 of 100 images from {path}, evenly spaced"


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "calib.npy", samples(100))
    monkeypatch.setattr(calibration, "MAX_BYTES", 4 * 3 * 8 * 10 * 50)
    assert len(given(path).images) == 50
    monkeypatch.setattr(calibration, "MAX_BYTES", 4 * 3 * 8 * 10 * 20)
    assert "100 samples found, 20 of this size fit" in refused(path)


def test_bytes_are_pixels_and_become_what_is_stated(tmp_path: Path) -> None:
    path = saved(tmp_path / "calib.npy", samples(dtype=np.uint8))
    found = given(path, preprocessing=PIXELS)
    for channel, (mean, std) in enumerate([(0.5, 0.5), (0.25, 0.25), (0.0, 1.0)]):
        expected = (samples()[:, channel] / 255 - mean) / std
        np.testing.assert_allclose(found.images[:, channel], expected, rtol=1e-5, atol=1e-6)
    assert np.array_equal(given(path, preprocessing=Preprocessing(scale=1.0)).images, samples())


def test_bytes_with_channels_last(tmp_path: Path) -> None:
    path = saved(tmp_path / "calib.npy", samples(shape=(8, 10, 3), dtype=np.uint8))
    found = given(path, CHANNELS_LAST, PIXELS)
    np.testing.assert_allclose(found.images[..., 0], samples(shape=(8, 10)) / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize("model", [ANY_SIZE, view(None, None, None, None), view(1, 3, 8, 10)])
def test_what_the_model_leaves_open_is_as_in_the_data(tmp_path: Path, model: GraphView) -> None:
    assert given(saved(tmp_path / "calib.npy", samples()), model).images.shape == (N, 3, 8, 10)


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16])
def test_inputs_of_other_floats_are_images_too(tmp_path: Path, dtype: int) -> None:
    given(saved(tmp_path / "calib.npy", samples()), view("n", 3, 8, 10, dtype=dtype))


# Arrays of no use


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (samples(N - 1), f"{N - 1} samples found\nat least {N} are needed"),
        (samples(0), "0 samples found"),
        (samples(1)[0], "1 sample found"),
        (samples(shape=(3, 8, 8)), f"takes (n, 3, 8, 10); the file has ({N}, 3, 8, 8)"),
        (samples(shape=(8, 10, 3)), "array.transpose(0, 3, 1, 2)"),
        (samples(shape=(240,)), f"the file has ({N}, 240)"),
        (np.float32(1), "the file has ()"),
        (samples(dtype=np.int64), "it holds int64"),
        (samples(dtype=np.complex64), "it holds complex64"),
        (samples(dtype=bool), "it holds bool"),
        (samples(dtype=np.int8), "it holds int8"),
        (samples(dtype="U3"), "it holds <U"),
        (samples(dtype=np.uint8), "give --mean and --std"),
        (samples(dtype=object), "Python objects"),
    ],
)
def test_what_does_not_fit_is_told_with_what_is_needed(
    tmp_path: Path, array: Any, said: str
) -> None:
    path = saved(tmp_path / "calib.npy", array)
    told = refused(path)
    assert told.startswith(f"--calib {path}: ")
    assert said.replace("<U", "str") in told


@pytest.mark.parametrize(
    ("model", "shape", "order"),
    [(GREY, (8, 10), "[:, None]"), (view("n", 8, 10, 1), (8, 10), "[..., None]")],
)
def test_a_missing_channel_is_told(
    tmp_path: Path, model: GraphView, shape: tuple[int, ...], order: str
) -> None:
    assert f"array{order}" in refused(saved(tmp_path / "calib.npy", samples(shape=shape)), model)


def test_channels_first_for_a_model_with_channels_last(tmp_path: Path) -> None:
    said = refused(saved(tmp_path / "calib.npy", samples()), CHANNELS_LAST)
    assert "array.transpose(0, 2, 3, 1)" in said


def test_the_first_number_that_is_none_is_told(tmp_path: Path) -> None:
    array = samples(64)
    array[10, 1, 2, 3] = np.inf
    array[11:13, 0, 0, 0] = np.nan
    folder = saved(tmp_path / "calib" / "a.npy", samples(3)).parent
    saved(folder / "b.npy", array)
    said = refused(folder)
    assert "b.npy can't be used" in said
    assert "3 numbers of what was read are NaN or infinite as float32" in said
    assert "the first at [10, 1, 2, 3]" in said


def test_numbers_too_large_for_float32_are_none(tmp_path: Path) -> None:
    array = samples(dtype=np.float64)
    array[5] = 1e300
    assert "240 numbers" in refused(saved(tmp_path / "calib.npy", array))


def test_samples_of_two_shapes_are_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "calib" / "a.npy", samples()).parent
    saved(folder / "b.npy", samples(shape=(3, 9, 10)))
    said = refused(folder, ANY_SIZE)
    assert "b.npy can't be used" in said
    assert "(3, 9, 10), those of a.npy (3, 8, 10)" in said


def test_a_statement_on_pixels_needs_pixels(tmp_path: Path) -> None:
    path = saved(tmp_path / "calib.npy", samples())
    assert "are for pixels" in refused(path, RGB, PIXELS)
    assert "arrays are not resized" in refused(path, RGB, Preprocessing(resize=(8, 10)))


def npy_header(text: str, magic: bytes = b"\x93NUMPY\x01\x00") -> bytes:
    return magic + struct.pack("<H", len(text)) + text.encode()


def plain_header(shape: str) -> bytes:
    return npy_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n")


BROKEN = {
    "empty": (b"", "it is empty"),
    "text": (b"1 2 3", "neither a .npy nor a .npz file"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "version": (npy_header("", b"\x93NUMPY\x07\x00"), "version (7, 0)"),
    "header": (npy_header("{'descr': (("), "it can't be read"),
    "unfinished header": (plain_header("(1,)")[:-9], "it can't be read"),
    "truncated": (plain_header("(64, 3, 8, 10)") + bytes(999), "it is truncated"),
    "boastful": (plain_header("(1 << 60, 3, 8, 10)".replace("1 << 60", str(1 << 60))), "truncated"),
    "negative": (plain_header("(-1, 3, 8, 10)"), "makes no sense"),
    "archive": (b"PK\x03\x04" + bytes(99), "it can't be read"),
}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a folder"])
def test_a_broken_file_is_named(tmp_path: Path, kind: str, inside: bool) -> None:
    content, said = BROKEN[kind]
    folder = saved(tmp_path / "calib" / "a.npy", samples()).parent
    broken = folder / "b.npy"
    broken.write_bytes(content)
    told = refused(folder if inside else broken)
    assert said in told
    assert "b.npy" in told.splitlines()[0]


def test_an_array_that_is_damaged_in_its_archive(tmp_path: Path) -> None:
    path = tmp_path / "calib.npz"
    array = np.random.default_rng(0).random((N, 3, 8, 10), np.float32)
    np.savez_compressed(path, array)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    path.write_bytes(data)
    assert "it can't be read" in refused(path)


def test_an_archive_that_unpacks_to_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calib.npz"
    np.savez_compressed(path, np.zeros((1000, 3, 8, 10), np.float32))
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(array_files, "MAX_MEMBER_BYTES", 100_000)
    assert "960,128 bytes unpacked; 100,000 is the limit" in refused(path)


def test_a_header_in_an_archive_that_boasts(tmp_path: Path) -> None:
    path = tmp_path / "calib.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("image.npy", plain_header(f"({1 << 50}, 3, 8, 10)"))
    assert "it is truncated" in refused(path)


def test_a_large_array_in_fortrans_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "calib.npy", np.asfortranarray(samples()))
    monkeypatch.setattr(array_files, "MAX_WHOLE_BYTES", 1000)
    assert "ascontiguousarray" in refused(path)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (sys.exit, (1,))

    path = tmp_path / "calib.npz"
    np.savez(path, np.array([Bomb()] * N, dtype=object))
    assert "could run code" in refused(path)


# Folders


def test_there_must_be_something(tmp_path: Path) -> None:
    assert "no such file or folder" in refused(tmp_path / "nothing")
    folder = tmp_path / "calib"
    folder.mkdir()
    assert "it holds nothing to calibrate with" in refused(folder)
    (folder / "labels.csv").write_text("")
    assert "none of its 1 file is an array or an image" in refused(folder)
    saved(folder / "a.npy", samples())
    (folder / "a.png").write_bytes(b"")
    assert "both arrays and images" in refused(folder)
    assert "a single image" in refused(folder / "a.png")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes among the files")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    folder = saved(tmp_path / "calib" / "a.npy", samples()).parent
    os.mkfifo(folder / "b.npy")
    assert len(given(folder).images) == N
    assert "neither a file nor a folder" in refused(folder / "b.npy")


# Images

pillow = pytest.importorskip("PIL.Image", reason="Pillow is not installed")


def pictures(
    folder: Path,
    size: tuple[int, int] = (8, 10),
    count: int = N,
    *,
    mode: str = "RGB",
    suffix: str = "png",
) -> Path:
    """Images of which each has its own colour."""
    folder.mkdir(exist_ok=True)
    height, width = size
    for number in range(count):
        image = pillow.new("RGB", (width, height), (number, 100, 200)).convert(mode)
        image.save(folder / f"{number:03}.{suffix}")
    return folder


def test_images_become_what_the_model_takes(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "photos")
    found = given(folder, RGB, PIXELS)
    colours = np.stack([np.arange(N), np.full(N, 100), np.full(N, 200)], axis=1) / 255
    expected = (colours - PIXELS.mean) / PIXELS.std
    np.testing.assert_allclose(found.images[:, :, 4, 5], expected, rtol=1e-5, atol=1e-6)
    assert found.images.shape == (N, 3, 8, 10)
    assert found.source == f"{N} images from {folder}"
    last = given(folder, CHANNELS_LAST, PIXELS)
    assert np.array_equal(last.images, found.images.transpose(0, 2, 3, 1))


def test_grey_models_get_grey_images(tmp_path: Path) -> None:
    found = given(pictures(tmp_path / "photos"), GREY, Preprocessing(scale=1.0))
    expected = 0.299 * np.arange(N) + 0.587 * 100 + 0.114 * 200
    np.testing.assert_allclose(found.images[:, 0, 0, 0], expected, atol=1)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA"])
def test_images_of_every_kind_become_rgb(tmp_path: Path, mode: str) -> None:
    found = given(pictures(tmp_path / "photos", mode=mode), RGB, Preprocessing(scale=1.0))
    assert found.images.shape == (N, 3, 8, 10)


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "bmp", "webp", "tif", "ppm"])
def test_images_of_every_format(tmp_path: Path, suffix: str) -> None:
    folder = pictures(tmp_path / "photos", suffix=suffix)
    found = given(folder, RGB, Preprocessing(scale=1.0))
    np.testing.assert_allclose(found.images[:, 1], 100, atol=12)


def test_images_are_resized_only_if_it_is_said(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "photos", (16, 15))
    said = refused(folder, RGB, PIXELS)
    assert "000.png can't be used" in said
    assert "it has 16x15 pixels (height × width); 8x10 are needed\ngive --resize 8x10" in said
    assert given(folder, RGB, replace(PIXELS, resize=(8, 10))).images.shape == (N, 3, 8, 10)
    said = refused(folder, RGB, replace(PIXELS, resize=(10, 8)))
    assert "images of 10x8 don't fit\nthe model takes (n, 3, 8, 10)" in said


def test_resizing_does_not_alias(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "photos")
    stripes = np.zeros((64, 80), np.uint8)
    stripes[:, ::2] = 255
    for number in range(N):
        pillow.fromarray(stripes).save(folder / f"{number:03}.png")
    found = given(folder, GREY, Preprocessing(scale=1.0, resize=(8, 10)))
    np.testing.assert_allclose(found.images[..., 1:-1], 127, atol=3)


def test_where_the_size_is_open_images_must_be_alike(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "photos", (9, 9))
    assert given(folder, ANY_SIZE, PIXELS).images.shape == (N, 3, 9, 9)
    pillow.new("RGB", (7, 5)).save(folder / "wide.png")
    assert "it has 5x7 pixels (height × width); 9x9 are needed" in refused(folder, ANY_SIZE, PIXELS)
    found = given(folder, ANY_SIZE, replace(PIXELS, resize=(4, 6)))
    assert found.images.shape == (N + 1, 3, 4, 6)


def test_of_too_many_images_only_some_are_opened(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "photos", count=2 * N)
    for number in range(1, 2 * N, 2):
        (folder / f"{number:03}.png").write_bytes(b"")
    found = given(folder, RGB, Preprocessing(scale=1.0), N)
    assert np.array_equal(found.images[:, 0, 0, 0], np.arange(0, 2 * N, 2))


def test_pixels_need_a_statement(tmp_path: Path) -> None:
    said = refused(pictures(tmp_path / "photos"))
    assert "how the model takes pixels is not stated" in said
    assert "--mean 0 --std 1 for pixels from 0 to 1" in said


@pytest.mark.parametrize(
    ("preprocessing", "said"),
    [
        (Preprocessing(mean=(0.5, 0.5)), "--mean: 2 numbers\nthe model's images have 3 channels"),
        (Preprocessing(std=(1.0, 0.0, 1.0)), "--std: not positive"),
        (Preprocessing(std=(float("nan"),)), "--std: NaN or infinite"),
        (Preprocessing(scale=0.0), "--scale: not positive"),
        (Preprocessing(scale=1.0, resize=(0, 8)), "images of 0x8 don't fit"),
    ],
)
def test_statements_that_make_no_sense(
    tmp_path: Path, preprocessing: Preprocessing, said: str
) -> None:
    assert said in refused(pictures(tmp_path / "photos"), RGB, preprocessing)


def test_where_channels_are_may_have_to_be_said(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "photos")
    open_ = view("n", None, None, None)
    assert "--layout" in refused(folder, open_, Preprocessing(scale=1.0))
    assert "--layout" in refused(folder, open_, PIXELS)
    with pytest.raises(UsageError, match="can't be told"):
        load(folder, open_, PIXELS)
    found = given(folder, open_, replace(PIXELS, layout="nhwc"))
    assert found.images.shape == (N, 8, 10, 3)
    both = view("n", 3, 8, 3)
    first = given(pictures(tmp_path / "narrow", (8, 3)), both, Preprocessing(scale=1.0))
    assert np.array_equal(first.images[:, 1], np.full((N, 8, 3), 100))
    last = Preprocessing(scale=1.0, layout="nhwc", resize=(3, 8))
    assert np.array_equal(given(folder, both, last).images[..., 1], np.full((N, 3, 8), 100))


def test_models_that_take_no_pictures(tmp_path: Path) -> None:
    said = refused(pictures(tmp_path / "photos"), view("n", 8, 8, 10), Preprocessing(scale=1.0))
    assert "images have one channel or three" in said


def broken_png(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def huge_png(path: Path) -> None:
    """A picture of 10,000 × 10,000 pixels in a hundred bytes: between Pillow's two limits."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )


def deep_png(path: Path) -> None:
    pillow.fromarray(np.full((8, 10), 40_000, np.uint16)).save(path)


def postscript(path: Path) -> None:
    buffer = io.BytesIO()
    pillow.new("RGB", (10, 8)).save(buffer, "EPS")
    path.write_bytes(buffer.getvalue())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (broken_png, "it can't be decoded"),
        (huge_png, "it has more than 89,478,485 pixels"),
        (deep_png, "its pixels have more than 8 bits"),
        (postscript, "it is no image, whatever its name says"),
        (lambda path: path.write_text("a cat"), "it is no image, whatever its name says"),
    ],
)
@pytest.mark.parametrize("name", ["000.png", "020.png"])
def test_an_image_of_no_use_is_named(
    tmp_path: Path, name: str, spoil: Callable[[Path], None], said: str
) -> None:
    folder = pictures(tmp_path / "photos", (64, 64))
    spoil(folder / name)
    told = refused(folder, ANY_SIZE, PIXELS)
    assert f"{name} can't be used\n{said}" in told


def test_without_pillow_arrays_still_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pictures(tmp_path / "photos")
    monkeypatch.setitem(sys.modules, "PIL", None)
    said = refused(folder, RGB, PIXELS)
    assert "Pillow is not installed\ninstall the extra `images` of onnx-graphlint" in said
    given(saved(tmp_path / "calib.npy", samples()))
    with pytest.raises(UsageError):
        image_folder.require_pillow()


# The model's input


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (view("n", 3, 8, 10, more=True), "it has 2 inputs; one is needed, an image"),
        (view("n", 3, 8, 10, dtype=TensorProto.UINT8), "its input 'image' is uint8"),
        (view("n", 3, 8, 10, dtype=TensorProto.INT64), "its input 'image' is no float tensor"),
        (view("n", 128), "its input 'image' has 2 dimensions; an image has 4"),
    ],
)
def test_a_model_without_an_image_input(tmp_path: Path, model: GraphView, reason: str) -> None:
    found = image_input(model)
    assert isinstance(found, str)
    assert found.startswith(reason)
    assert reason in refused(saved(tmp_path / "calib.npy", samples()), model)
    assert looks_like_image(model) is None
    assert made_up(model, Preprocessing(), 2, 0) is None


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (RGB, (3, 8, 10)),
        (GREY, (1, 8, 10)),
        (CHANNELS_LAST, (3, 8, 10)),
        (ANY_SIZE, None),
        (view("n", 4, 8, 10), None),
        (view("n", 3, 0, 10), None),
    ],
)
def test_what_looks_like_an_image(model: GraphView, shape: tuple[int, int, int] | None) -> None:
    assert looks_like_image(model) == shape


def test_images_made_up_are_as_the_model_takes_them() -> None:
    found = made_up(RGB, Preprocessing(), 40, 1)
    last = made_up(CHANNELS_LAST, Preprocessing(), 40, 1)
    assert found is not None
    assert last is not None
    assert found.made_up
    assert found.source == "40 generated images"
    assert found.images.shape == (40, 3, 8, 10)
    assert np.array_equal(last.images, found.images.transpose(0, 2, 3, 1))


def test_images_made_up_are_bounded_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "MAX_BYTES", 4 * 3 * 8 * 10 * 33)
    found = made_up(RGB, UNSTATED, 40, 1)
    assert found is not None
    assert found.source == "33 generated images"


@pytest.mark.parametrize("scale", [None, 1.0, 1 / 127.5])
def test_images_made_up_are_normalised_as_is_stated(scale: float | None) -> None:
    plain = made_up(RGB, Preprocessing(mean=(0.0,)), 40, 1)
    stated = made_up(RGB, replace(PIXELS, scale=scale), 40, 1)
    assert plain is not None
    assert stated is not None
    assert 0 <= plain.images.min() < plain.images.max() <= 1
    pixels = plain.images * 255
    for channel in range(3):
        assert PIXELS.mean is not None
        assert PIXELS.std is not None
        scaled = pixels[:, channel] * (scale or 1 / 255)
        expected = (scaled - PIXELS.mean[channel]) / PIXELS.std[channel]
        np.testing.assert_allclose(stated.images[:, channel], expected, rtol=1e-3, atol=1e-3)


def test_a_size_must_be_one() -> None:
    with pytest.raises(UsageError, match="--resize: no size"):
        Preprocessing(scale=1.0, resize=(8, 0)).check(3)
