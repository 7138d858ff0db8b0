"""The paper's Tables 1 to 4 as networks: equal multiply-adds, unequal speed.

Ma, Zhang, Zheng, Sun, "ShuffleNet V2", section 2. Every network is ten blocks on a 56×56 input,
batch 1, without batch normalisation; `×1`, `×2` and `×4` multiply its channels. The paper's columns
are of a GPU (batches a second) and of an ARM processor (images a second), in widths of their own.

1. Two 1×1 convolutions, c1→c2 and c2→c1.
2. A pointwise group convolution, c→c. 180 channels can't have 8 groups: 184 stand there.
3. One to four 1×1 convolutions. The paper's text gives no wiring. Here each of n fragments has
   exactly 1/n of the multiply-adds of the one, and every width is a multiple of 16: two in series
   are c→c/2 and c/2→c, four in series c/2→c/2, n in parallel c→c/n each, concatenated.
4. ResNet's bottleneck, c→c/4, 3×3, c/4→c, with and without ReLU and shortcut. That c is the
   block's input and output is what the speeds of the paper's columns agree with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Literal

from graphlint.calibration.experiment import Experiment, Measured, Network
from graphlint.calibration.network import Chain
from graphlint.devices.profile import Cell
from graphlint.latency.session import DEVICE_PROVIDERS

if TYPE_CHECKING:
    from onnx import ModelProto

SIDE = 56
BLOCKS = 10

Size = Literal["quick", "standard", "full"]
"""How much is measured; see `columns`."""

Widths = tuple[int, ...]
Block = Callable[[Chain, str, Widths], str]
"""Appends a block behind a value; the name of what it gives."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: the paper's name for it, its block, and what divides its widths within."""

    name: str
    block: Block
    parts: int = 1

    def channels(self, widths: Widths) -> tuple[int, ...]:
        """The numbers of channels that its convolutions read and write at once."""
        return (*widths, *(width // self.parts for width in widths))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its widths and the paper's speeds, row by row.

    A block's input has the first of its widths; where there is a second, it lies within.
    """

    name: str
    widths: tuple[Widths, ...]
    speeds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One of the paper's tables. All rows of a column have the multiply-adds of its first.

    `claim` says what the guideline expects of the other rows against the first.
    """

    number: int
    guideline: str
    title: str
    claim: Literal["slower", "faster"]
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]

    def key(self, column: Column) -> str:
        """The key of the experiment that a column is: the same where its networks are."""
        return f"table{self.number}:" + "-".join(str(widths[0]) for widths in column.widths)

    def experiment(self, column: Column, side: int = SIDE) -> Experiment:
        """A column's networks, by the names of the rows."""
        return Experiment(
            self.key(column),
            tuple(
                Network(row.name, partial(network, row.block, widths, side))
                for row, widths in zip(self.rows, column.widths, strict=True)
            ),
        )


def network(block: Block, widths: Widths, side: int = SIDE, blocks: int = BLOCKS) -> ModelProto:
    """A network of so many blocks, each behind the other."""
    made = Chain()
    value = made.input(widths[0], side)
    for _ in range(blocks):
        value = block(made, value, widths)
    return made.model(value)


def _back_and_forth(made: Chain, value: str, widths: Widths) -> str:
    first, second = widths
    return made.conv(made.conv(value, second), first)


def _grouped(groups: int) -> Block:
    return lambda made, value, widths: made.conv(value, widths[0], groups=groups)


def _two_in_series(made: Chain, value: str, widths: Widths) -> str:
    return made.conv(made.conv(value, widths[0] // 2), widths[0])


def _four_in_series(made: Chain, value: str, widths: Widths) -> str:
    for _ in range(4):
        value = made.conv(value, widths[0])
    return value


def _in_parallel(fragments: int) -> Block:
    return lambda made, value, widths: made.concat(
        [made.conv(value, widths[0] // fragments) for _ in range(fragments)]
    )


def _bottleneck(relu: bool, shortcut: bool) -> Block:
    def block(made: Chain, value: str, widths: Widths) -> str:
        activated = made.relu if relu else _unchanged
        inner = activated(made.conv(value, widths[0] // 4))
        inner = activated(made.conv(inner, widths[0] // 4, kernel=3))
        outer = made.conv(inner, widths[0])
        return activated(made.add(value, outer) if shortcut else outer)

    return block


def _unchanged(value: str) -> str:
    return value


def _columns(
    family: str,
    widths: Sequence[Widths],
    speeds: Sequence[tuple[float, ...]],
    factors: Sequence[int] = (1, 2, 4),
) -> tuple[Column, ...]:
    """The columns of one device: the widths of ×1, and the speeds at each factor."""
    return tuple(
        Column(
            f"{family} ×{factor}",
            tuple(tuple(width * factor for width in row) for row in widths),
            column,
        )
        for factor, column in zip(factors, speeds, strict=True)
    )


def _of_four(width: int) -> tuple[Widths, ...]:
    return ((width,),) * 4


def _of_fragments(width: int) -> tuple[Widths, ...]:
    """Table 3's rows; four in series are half as wide."""
    return ((width,), (width,), (width // 2,), (width,), (width,))


TABLES: tuple[Table, ...] = (
    Table(
        1,
        "G1",
        "equal channel widths: two 1×1 convolutions, c1→c2→c1",
        "slower",
        tuple(Row(name, _back_and_forth) for name in ("1:1", "1:2", "1:6", "1:12")),
        (
            *_columns(
                "GPU",
                ((128, 128), (90, 180), (52, 312), (36, 432)),
                ((1480, 1296, 876, 748), (723, 586, 489, 392), (232, 206, 189, 163)),
            ),
            *_columns(
                "ARM",
                ((32, 32), (22, 44), (13, 78), (9, 108)),
                ((76.2, 72.9, 69.1, 57.6), (21.7, 20.5, 17.9, 15.1), (5.3, 5.1, 4.6, 4.4)),
            ),
        ),
    ),
    Table(
        2,
        "G2",
        "group convolution: a pointwise convolution, c→c",
        "slower",
        tuple(Row(f"g={groups}", _grouped(groups), groups) for groups in (1, 2, 4, 8)),
        (
            *_columns(
                "GPU",
                ((128,), (180,), (256,), (360,)),
                ((2451, 1725, 1026, 634), (1289, 873, 644, 445), (437, 341, 338, 230)),
            ),
            Column("ARM ×1", ((64,), (90,), (128,), (184,)), (40.0, 35.0, 32.9, 27.8)),
            *_columns(
                "ARM",
                ((64,), (90,), (128,), (180,)),
                ((10.2, 9.5, 8.7, 7.5), (2.3, 2.2, 2.1, 1.8)),
                factors=(2, 4),
            ),
        ),
    ),
    Table(
        3,
        "G3",
        "fragments: 1×1 convolutions in a block",
        "slower",
        (
            Row("1-fragment", _grouped(1)),
            Row("2-series", _two_in_series, 2),
            Row("4-series", _four_in_series),
            Row("2-parallel", _in_parallel(2), 2),
            Row("4-parallel", _in_parallel(4), 4),
        ),
        (
            *_columns(
                "GPU",
                _of_fragments(128),
                (
                    (2446, 1790, 752, 1537, 691),
                    (1274, 909, 745, 803, 572),
                    (434, 336, 349, 320, 292),
                ),
            ),
            *_columns(
                "ARM",
                _of_fragments(64),
                (
                    (40.2, 38.6, 38.4, 33.4, 35.0),
                    (10.1, 10.1, 10.1, 9.1, 8.4),
                    (2.3, 2.2, 2.3, 2.2, 2.1),
                ),
            ),
        ),
    ),
    Table(
        4,
        "G4",
        "element-wise operations: ResNet's bottleneck",
        "faster",
        tuple(
            Row(name, _bottleneck(relu, shortcut), 4)
            for name, relu, shortcut in (
                ("ReLU, shortcut", True, True),
                ("ReLU, no shortcut", True, False),
                ("no ReLU, shortcut", False, True),
                ("no ReLU, no shortcut", False, False),
            )
        ),
        (
            *_columns(
                "GPU",
                _of_four(32),
                ((2427, 2647, 2672, 2842), (2066, 2256, 2121, 2376), (1436, 1735, 1458, 1782)),
            ),
            *_columns(
                "ARM",
                _of_four(32),
                ((56.7, 61.9, 57.3, 66.3), (16.9, 18.8, 18.2, 20.2), (5.0, 5.2, 5.1, 5.4)),
            ),
        ),
    ),
)


def chosen(size: Size, provider: str, tables: Iterable[Table] = TABLES) -> tuple[Table, ...]:
    """The tables with the columns that are measured at a size.

    `quick`: on a processor the columns of ARM, on a device of its own those of the GPU, and the
    others that have the same networks. `standard`: all, on a processor without the largest networks
    (`GPU ×4` of Tables 1 to 3). `full`: all.
    """
    on_device = provider in DEVICE_PROVIDERS
    family = "GPU" if on_device else "ARM"

    def wanted(table: Table, column: Column, keys: frozenset[str]) -> bool:
        if size == "quick":
            return table.key(column) in keys
        return size == "full" or on_device or column.name != "GPU ×4" or table.number == 4

    kept = []
    for table in tables:
        keys = frozenset(table.key(c) for c in table.columns if c.name.startswith(family))
        columns = tuple(c for c in table.columns if wanted(table, c, keys))
        kept.append(replace(table, columns=columns))
    return tuple(kept)


def experiments(tables: Iterable[Table], side: int = SIDE) -> tuple[Experiment, ...]:
    """One experiment for all columns that have the same networks, the smallest networks first."""
    found = {
        table.key(column): (column, table.experiment(column, side))
        for table in tables
        for column in table.columns
    }
    by_width = sorted(found.values(), key=lambda pair: max(chain(*pair[0].widths)))
    return tuple(experiment for _, experiment in by_width)


def cells(
    tables: Iterable[Table], measured: Mapping[tuple[str, str], Measured]
) -> tuple[Cell, ...]:
    """The cells of all columns that were measured."""
    return tuple(
        Cell(table.number, row.name, column.name, time.seconds, time.spread)
        for table in tables
        for column in table.columns
        for row in table.rows
        if (time := measured.get((table.key(column), row.name))) is not None
    )
