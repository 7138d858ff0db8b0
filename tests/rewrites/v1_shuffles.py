"""Every way to write a channel shuffle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tests.rewrites.v1_builder import Builder


def _target(b: Builder, x: str, dims: Sequence[int | str]) -> str:
    """A Reshape target; names of dimensions are read from the shape of `x`."""
    if all(isinstance(dim, int) for dim in dims):
        return b.ints(*(int(dim) for dim in dims))
    shape = b.op("Shape", x)
    places = {"n": 0, "h": 2, "w": 3}
    parts = [
        b.ints(dim)
        if isinstance(dim, int)
        else b.unsqueeze(b.op("Gather", shape, b.initializer(np.array(places[dim])), axis=0), 0)
        for dim in dims
    ]
    return b.op("Concat", *parts, axis=0)


def _through(
    b: Builder, x: str, apart: Sequence[int | str], perm: Sequence[int], joined: Sequence[int | str]
) -> str:
    y = b.op("Reshape", x, _target(b, x, apart))
    y = b.op("Transpose", y, perm=list(perm))
    return b.op("Reshape", y, _target(b, x, joined))


def _five(b: Builder, x: str, c: int, g: int, n: int, s: int) -> str:
    return _through(b, x, (n, g, c // g, s, s), (0, 2, 1, 3, 4), (n, c, s, s))


def _inverse(b: Builder, x: str, c: int, g: int, n: int, s: int) -> str:
    return _five(b, x, c, c // g, n, s)


def _flat(b: Builder, x: str, c: int, g: int, n: int, s: int) -> str:
    return _through(b, x, (n, g, c // g, s * s), (0, 2, 1, 3), (n, c, s, s))


def _open_ends(b: Builder, x: str, c: int, g: int, n: int, s: int) -> str:
    return _through(b, x, (0, g, -1, s, s), (0, 2, 1, 3, 4), (0, -1, s, s))


def _three(b: Builder, x: str, c: int, g: int, n: int, s: int) -> str:
    return _through(b, x, (g, c // g, s * s), (1, 0, 2), (1, c, s, s))


def _computed(b: Builder, x: str, c: int, g: int, n: int, s: int) -> str:
    apart = ("n", g, c // g, "h", "w")
    return _through(b, x, apart, (0, 2, 1, 3, 4), ("n", c, "h", "w"))


def _last(b: Builder, x: str, c: int, g: int, n: int, s: int) -> str:
    y = b.op("Transpose", x, perm=[0, 2, 3, 1])
    y = _through(b, y, (n, s, s, g, c // g), (0, 1, 2, 4, 3), (n, s, s, c))
    return b.op("Transpose", y, perm=[0, 3, 1, 2])


def _gather(b: Builder, x: str, c: int, g: int, n: int, s: int) -> str:
    order = np.arange(c, dtype=np.int64).reshape(g, -1).T.ravel()
    return b.op("Gather", x, b.constant(order), axis=1)


def _stacked(b: Builder, parts: Sequence[str], c: int, n: int, s: int) -> str:
    stack = b.op("Concat", *(b.unsqueeze(part, 2) for part in parts), axis=2)
    return b.op("Reshape", stack, b.ints(n, c, s, s))


def _split(b: Builder, x: str, c: int, g: int, n: int, s: int) -> str:
    return _stacked(b, b.split(x, g, c), c, n, s)


def _slices(b: Builder, x: str, c: int, g: int, n: int, s: int) -> str:
    step = c // g
    return _stacked(b, [b.slice(x, at * step, (at + 1) * step) for at in range(g)], c, n, s)


def _custom(b: Builder, x: str, c: int, g: int, n: int, s: int) -> str:
    return b.op("ChannelShuffle", x, group=g)


def _reversed(b: Builder, x: str, c: int, g: int, n: int, s: int) -> str:
    """No group shuffle."""
    return b.op("Gather", x, b.ints(*range(c)[::-1]), axis=1)


SHUFFLES: Mapping[str, Callable[[Builder, str, int, int, int, int], str]] = {
    "five": _five,
    "inverse": _inverse,
    "flat": _flat,
    "open ends": _open_ends,
    "three": _three,
    "computed": _computed,
    "last": _last,
    "gather": _gather,
    "split": _split,
    "slices": _slices,
    "custom": _custom,
    "reversed": _reversed,
}
