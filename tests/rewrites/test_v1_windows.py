"""Windows of convolutions and poolings, and the zeros around them, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphlint.graph import TensorType
from graphlint_rules.rewrites.v1.pooling import read_pool
from graphlint_rules.rewrites.v1.units import Pool, SpatialShape
from graphlint_rules.rewrites.v1.windows import follows_size, kernel_of, window, zero_padding
from tests.rewrites.subjects import made_by, written

PLAIN = ((1, 1), (1, 1), (0, 0, 0, 0))

# The size of the image, the kernel, what the Conv says: its strides, dilations and pads.
WINDOWS: dict[str, tuple[str, tuple[int, int], str, tuple[object, ...]]] = {
    "nothing said": ("6,7", (3, 3), "", PLAIN),
    "all said": (
        "6,7",
        (3, 2),
        "kernel_shape = [3, 2], strides = [2, 1], dilations = [1, 3], pads = [1, 2, 3, 4]",
        ((2, 1), (1, 3), (1, 2, 3, 4)),
    ),
    "said to be said": (
        "6,7",
        (3, 3),
        "auto_pad = 'NOTSET', pads = [0, 0, 0, 1]",
        (*PLAIN[:2], (0, 0, 0, 1)),
    ),
    "an old way to say nothing": ("6,7", (3, 3), "auto_pad = ''", PLAIN),
    "valid": ("6,7", (3, 3), "auto_pad = 'VALID'", PLAIN),
    # Three rows at 0, 2, 4 reach to 7, one more than there are; four columns at 0 to 6 reach to 9.
    "more behind": (
        "6,7",
        (3, 3),
        "auto_pad = 'SAME_UPPER', strides = [2, 2]",
        ((2, 2), (1, 1), (0, 1, 1, 1)),
    ),
    "more in front": (
        "6,7",
        (3, 3),
        "auto_pad = 'SAME_LOWER', strides = [2, 2]",
        ((2, 2), (1, 1), (1, 1, 0, 1)),
    ),
    "an even kernel": ("6,7", (2, 4), "auto_pad = 'SAME_UPPER'", (*PLAIN[:2], (0, 1, 1, 2))),
    "an even kernel, in front": (
        "6,7",
        (2, 4),
        "auto_pad = 'SAME_LOWER'",
        (*PLAIN[:2], (1, 2, 0, 1)),
    ),
    "dilated": (
        "6,7",
        (3, 2),
        "auto_pad = 'SAME_UPPER', dilations = [2, 3]",
        ((1, 1), (2, 3), (2, 1, 2, 2)),
    ),
    "a stride beyond the kernel": (
        "6,7",
        (1, 1),
        "auto_pad = 'SAME_UPPER', strides = [3, 3]",
        ((3, 3), (1, 1), (0, 0, 0, 0)),
    ),
}
ODD = {
    "another kernel": "kernel_shape = [3, 2]",
    "one stride": "strides = [1]",
    "three strides": "strides = [1, 1, 1]",
    "no step": "strides = [1, 0]",
    "backwards": "strides = [-1, 1]",
    "one dilation": "dilations = [1]",
    "no dilation": "dilations = [0, 1]",
    "two pads": "pads = [1, 1]",
    "a crop": "pads = [0, 0, -1, 0]",
    "an unknown way": "auto_pad = 'SAME'",
}


@pytest.mark.parametrize("name", WINDOWS)
def test_the_window_of_a_convolution(name: str) -> None:
    size, kernel, said, (strides, dilations, pads) = WINDOWS[name]
    attributes = f"<{said}>".replace("'", '"') if said else ""
    weight = f"float[4,4,{kernel[0]},{kernel[1]}] w"
    subject = written(
        f"m (float[1,4,{size}] x, {weight}) => (y) {{ y = Conv {attributes} (x, w) }}"
    )
    assert window(subject, made_by(subject), kernel) == SpatialShape(
        kernel, strides, dilations, pads
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ODD)
def test_a_window_that_is_none(name: str) -> None:
    attributes = f"<{ODD[name]}>".replace("'", '"')
    subject = written(
        f"m (float[1,4,6,7] x, float[4,4,3,3] w) => (y) {{ y = Conv {attributes} (x, w) }}"
    )
    assert window(subject, made_by(subject), (3, 3)) is None


def test_pads_that_follow_an_unknown_size() -> None:
    head = "m (float[1,4,h,7] x, float[4,4,3,3] w) => (y)"
    subject = written(f'{head} {{ y = Conv <auto_pad = "SAME_UPPER"> (x, w) }}')
    assert window(subject, made_by(subject), (3, 3)) is None


@pytest.mark.parametrize(
    ("said", "follows"),
    [
        ("auto_pad = 'SAME_UPPER', strides = [2, 1]", True),
        ("auto_pad = 'SAME_LOWER', strides = [1, 2]", True),
        ("auto_pad = 'SAME_UPPER', strides = [1, 1]", False),
        ("auto_pad = 'SAME_UPPER'", False),
        ("auto_pad = 'VALID', strides = [2, 2]", False),
        ("strides = [2, 2], pads = [1, 1, 1, 1]", False),
    ],
)
def test_pads_follow_an_open_size_where_windows_are_strided(said: str, follows: bool) -> None:
    text = f"m (float[1,4,6,6] x, float[4,4,3,3] w) => (y) {{ y = Conv <{said}> (x, w) }}"
    subject = written(text.replace("'", '"'))
    assert not follows_size(subject, made_by(subject))
    subject = replace(subject, open_values=frozenset({"x"}))
    assert follows_size(subject, made_by(subject)) is follows


@pytest.mark.parametrize(
    ("kernel", "read"), [("[3, 2]", (3, 2)), ("[3]", None), ("[3, 3, 3]", None), ("[0, 3]", None)]
)
def test_the_kernel_of_a_pooling(kernel: str, read: tuple[int, int] | None) -> None:
    subject = written(
        f"m (float[1,4,6,6] x) => (y) {{ y = AveragePool <kernel_shape = {kernel}> (x) }}"
    )
    assert kernel_of(made_by(subject)) == read


STORED = """<int64[8] p = {0, 0, 1, 2, 0, 0, 3, 4}, int64[8] batch = {1, 0, 1, 2, 0, 0, 3, 4},
    int64[8] channel = {0, 1, 1, 2, 0, 0, 3, 4}, int64[8] batch_end = {0, 0, 1, 2, 1, 0, 3, 4},
    int64[8] channel_end = {0, 0, 1, 2, 0, 1, 3, 4}, int64[8] top = {0, 0, -1, 2, 0, 0, 3, 4},
    int64[8] right = {0, 0, 1, 2, 0, 0, 3, -4}, int64[4] short = {1, 2, 3, 4}, float zero = {0},
    float half = {0.5}, int64[4] axes = {0, 1, 2, 3}>"""
ZEROS = {
    "by an input": ("y = Pad (x, p)", 17),
    "with the number": ("y = Pad (x, p, zero)", 17),
    "by an attribute": ("y = Pad <pads = [0, 0, 1, 2, 0, 0, 3, 4]> (x)", 9),
    "by an attribute, with the number": (
        "y = Pad <pads = [0, 0, 1, 2, 0, 0, 3, 4], value = 0.0> (x)",
        9,
    ),
    "said to be constant": ("y = Pad <mode = 'constant'> (x, p)", 17),
}
NO_ZEROS = {
    "another number": ("y = Pad (x, p, half)", 17),
    "another number by an attribute": (
        "y = Pad <pads = [0, 0, 1, 2, 0, 0, 3, 4], value = 0.5> (x)",
        9,
    ),
    "a number that is fed": ("y = Pad (x, p, fed)", 17),
    "two numbers": ("y = Pad (x, p, short)", 17),
    "what stands at the edge": ("y = Pad <mode = 'edge'> (x, p)", 17),
    "more images": ("y = Pad (x, batch)", 17),
    "more images behind": ("y = Pad (x, batch_end)", 17),
    "more channels": ("y = Pad (x, channel)", 17),
    "more channels behind": ("y = Pad (x, channel_end)", 17),
    "cropped above": ("y = Pad (x, top)", 17),
    "cropped on the right": ("y = Pad (x, right)", 17),
    "pads that are fed": ("y = Pad (x, pads)", 17),
    "too few": ("y = Pad (x, short)", 17),
    "of some axes": ("y = Pad (x, p, zero, axes)", 18),
    "no Pad": ("y = Relu (x)", 17),
}


@pytest.mark.parametrize("name", ZEROS)
def test_zeros_around_an_image(name: str) -> None:
    text, opset = ZEROS[name]
    head = f"m (float[1,4,6,6] x, float fed, int64[8] pads) => (y) {STORED}"
    subject = written(f"{head} {{ {text} }}".replace("'", '"'), opset)
    assert zero_padding(subject, made_by(subject)) == (1, 2, 3, 4)


@pytest.mark.parametrize("name", NO_ZEROS)
def test_what_else_a_pad_does(name: str) -> None:
    text, opset = NO_ZEROS[name]
    head = f"m (float[1,4,6,6] x, float fed, int64[8] pads) => (y) {STORED}"
    subject = written(f"{head} {{ {text} }}".replace("'", '"'), opset)
    assert zero_padding(subject, made_by(subject)) is None


# Average pooling of a unit's input, 6 × 7.

POOLS: dict[str, tuple[str, tuple[int, int, int, int], bool, int]] = {
    "none around": ("kernel_shape = [3, 3], strides = [2, 2]", (0, 0, 0, 0), False, 1),
    "zeros that do not count": (
        "kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]",
        (1, 1, 1, 1),
        False,
        1,
    ),
    "zeros that count": (
        "kernel_shape = [3, 3], strides = [2, 2], pads = [1, 0, 1, 0], count_include_pad = 1",
        (1, 0, 1, 0),
        True,
        1,
    ),
    "the same size": (
        "kernel_shape = [3, 3], strides = [2, 2], auto_pad = 'SAME_LOWER'",
        (1, 1, 0, 1),
        False,
        1,
    ),
    # Rounded up there are three rows, at 0, 2 and 4: one reaches beyond the sixth.
    "rounded up": (
        "kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1",
        (0, 0, 1, 0),
        False,
        1,
    ),
    "rounded up behind zeros": (
        "kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 0, 0], ceil_mode = 1",
        (1, 1, 0, 1),
        False,
        1,
    ),
    "rounded up to no more": (
        "kernel_shape = [2, 3], strides = [2, 2], ceil_mode = 1, count_include_pad = 1",
        (0, 0, 0, 0),
        True,
        1,
    ),
}


@pytest.mark.parametrize("name", POOLS)
def test_the_pooling_of_a_unit(name: str) -> None:
    said, pads, counts, nodes = POOLS[name]
    text = f"m (float[1,4,6,7] x) => (y) {{ y = AveragePool <{said}> (x) }}"
    subject = written(text.replace("'", '"'), opset=19)
    pool = read_pool(subject, "y", "x")
    assert isinstance(pool, Pool), pool
    assert (pool.window.pads, pool.counts_padding, len(pool.nodes)) == (pads, counts, nodes)
    assert (pool.window.strides, pool.window.dilations) == ((2, 2), (1, 1))


def test_windows_that_reach_no_further_than_the_image() -> None:
    """Of windows that stand apart, the last may end before the image does."""
    said = "kernel_shape = [1, 2], strides = [2, 3], ceil_mode = 1"
    subject = written(f"m (float[1,4,6,6] x) => (y) {{ y = AveragePool <{said}> (x) }}")
    types = {**subject.view.types, "y": TensorType(1, (1, 4, 3, 2))}
    subject = replace(subject, view=replace(subject.view, types=types))
    pool = read_pool(subject, "y", "x")
    assert isinstance(pool, Pool), pool
    assert pool.window.pads == (0, 0, 0, 0)


PADDED = "<int64[8] p = {0, 0, 1, 0, 0, 0, 2, 1}> { z = Pad (x, p) y = AveragePool"


@pytest.mark.parametrize(
    ("said", "pads"),
    [
        ("kernel_shape = [3, 3]", (1, 0, 2, 1)),
        ("kernel_shape = [3, 3], count_include_pad = 1", (1, 0, 2, 1)),
        ("kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1", (2, 1, 3, 2)),
    ],
)
def test_zeros_before_a_pooling_count(said: str, pads: tuple[int, ...]) -> None:
    subject = written(f"m (float[1,4,6,7] x) => (y) {PADDED} <{said}> (z) }}")
    pool = read_pool(subject, "y", "x")
    assert isinstance(pool, Pool), pool
    assert (pool.window.pads, pool.counts_padding) == (pads, True)
    assert [node.op for node in pool.nodes] == ["Pad", "AveragePool"]


ROUNDED_UP = "kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1"
NO_POOLS = {
    "a MaxPool": ("y = MaxPool <kernel_shape = [3, 3]> (x)", "made by MaxPool"),
    "of something else": (
        "y = AveragePool <kernel_shape = [3, 3]> (other)",
        "pools other, which is not",
    ),
    "odd settings": (
        "y = AveragePool <kernel_shape = [3, 3], pads: int = 1> (x)",
        "has settings that are none",
    ),
    "one size": ("y = AveragePool <kernel_shape = [3]> (x)", "is dilated, odd or depends"),
    "one stride": (
        "y = AveragePool <kernel_shape = [3, 3], strides = [2]> (x)",
        "is dilated, odd or depends",
    ),
    "dilated": ("y = AveragePool <kernel_shape = [3, 3], dilations = [2, 1]> (x)", "is dilated"),
    "some zeros that count": (
        "z = Pad (x, p) y = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (z)",
        "counts some of its padding, but not all",
    ),
    "rounded up, and zeros count": (
        f"y = AveragePool <{ROUNDED_UP}, count_include_pad = 1> (x)",
        "rounds its output's size up",
    ),
    "zeros before, and rounded up": (
        f"z = Pad (x, p) y = AveragePool <{ROUNDED_UP}> (z)",
        "rounds its output's size up",
    ),
}


@pytest.mark.parametrize("name", NO_POOLS)
def test_why_a_pooling_is_none_of_a_unit(name: str) -> None:
    text, reason = NO_POOLS[name]
    head = (
        "m (float[1,4,6,7] x, float[1,4,6,7] other) => (y) <int64[8] p = {0, 0, 1, 1, 0, 0, 1, 1}>"
    )
    subject = written(f"{head} {{ {text} }}", opset=19)
    pool = read_pool(subject, "y", "x")
    assert isinstance(pool, str)
    assert reason in pool


def test_an_input_of_the_model_is_no_pooling() -> None:
    subject = written("m (float[1,4,6,7] x, float[1,4,3,3] y) => (z) { z = Relu (y) }")
    assert "an input of the model, not by average pooling" in str(read_pool(subject, "y", "x"))
