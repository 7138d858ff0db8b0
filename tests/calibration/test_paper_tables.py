"""The paper's tables as graphs: its figures, equal multiply-adds, columns by size."""

from __future__ import annotations

from statistics import fmean

import onnx
import pytest
from onnx import shape_inference

from graphlint.bindings import Bindings
from graphlint.calibration.experiment import Measured
from graphlint.calibration.tables import TABLES, Column, Table, cells, chosen, experiments
from graphlint.costs.totals import node_costs
from graphlint.graph_builder import build
from graphlint.model import load
from graphlint.registry import handles
from graphlint.shapes import infer
from tests.conftest import Save

COLUMNS = [(table, column) for table in TABLES for column in table.columns]
IDS = [f"{table.number} {column.name}" for table, column in COLUMNS]
SIDE = 8  # multiply-adds are proportional to the positions


def multiply_adds(proto: onnx.ModelProto, save: Save) -> int:
    model = load(str(save(proto)))
    view, _ = infer(build(model), Bindings(), model.payload)
    return sum(cost.multiply_adds for cost in node_costs(view, handles()).nodes)


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=IDS)
def test_rows_of_a_column_have_equal_multiply_adds(
    table: Table, column: Column, save: Save
) -> None:
    counts = [
        multiply_adds(network.build(), save) for network in table.experiment(column, SIDE).networks
    ]
    # The paper's widths are rounded: 9×108 for 32×32.
    tolerance = {1: 0.06, 2: 0.04}.get(table.number, 0.0)
    assert counts == pytest.approx([counts[0]] * len(counts), rel=tolerance)


def test_multiply_adds_are_those_of_the_widths(save: Save) -> None:
    expected = {"GPU ×1": 10 * 2 * 128 * 128, "ARM ×4": 10 * 2 * 128 * 128}
    for name, per_position in expected.items():
        column = next(c for c in TABLES[0].columns if c.name == name)
        first = TABLES[0].experiment(column, SIDE).networks[0].build()
        assert multiply_adds(first, save) == SIDE * SIDE * per_position


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=IDS)
def test_networks_are_valid_and_as_large_out_as_in(table: Table, column: Column) -> None:
    if "×4" in column.name:
        return  # as ×1 in all but the channels
    for network in table.experiment(column, SIDE).networks:
        model = network.build()
        onnx.checker.check_model(model, full_check=True)
        inferred = shape_inference.infer_shapes(model, strict_mode=True)
        (given,), (made,) = inferred.graph.input, inferred.graph.output
        assert made.type == given.type


def test_fragments_of_table_3_share_the_multiply_adds_in_whole_blocks(save: Save) -> None:
    table = TABLES[2]
    for column in table.columns:
        for network in table.experiment(column, 1).networks:
            shapes = [tuple(w.dims) for w in network.build().graph.initializer if len(w.dims) == 4]
            products = {shape[0] * shape[1] for shape in shapes}
            assert len(products) == 1  # every fragment has as many
            assert all(side % 16 == 0 for shape in shapes for side in shape[:2])


def test_fragments_are_counted_as_the_rows_say() -> None:
    table = TABLES[2]
    networks = table.experiment(table.columns[0], 1).networks
    convolutions = [
        sum(node.op_type == "Conv" for node in each.build().graph.node) // 10 for each in networks
    ]
    assert convolutions == [1, 2, 4, 2, 4]


def test_table_4_takes_out_what_its_rows_say() -> None:
    table = TABLES[3]
    networks = table.experiment(table.columns[0], 1).networks
    operators = [[node.op_type for node in each.build().graph.node] for each in networks]
    counts = [(ops.count("Relu") // 10, ops.count("Add") // 10) for ops in operators]
    assert counts == [(3, 1), (3, 0), (0, 1), (0, 0)]


def test_the_paper_s_figures_are_in_its_order() -> None:
    """The first row is the quickest of Tables 1 to 3, and the slowest of Table 4."""
    for table, column in COLUMNS:
        first, *others = column.speeds
        assert len(column.speeds) == len(column.widths) == len(table.rows)
        slower = all(speed <= first for speed in others)
        assert slower if table.claim == "slower" else all(speed >= first for speed in others)
    assert fmean(TABLES[0].columns[0].speeds) == 1100  # Table 1, GPU ×1


def test_columns_of_the_same_networks_are_one_experiment() -> None:
    assert TABLES[1].key(TABLES[1].columns[0]) == TABLES[1].key(TABLES[1].columns[4])
    keys = [experiment.key for experiment in experiments(TABLES, SIDE)]
    assert len(keys) == len(set(keys)) == 17
    measured = {(key, row): Measured(0.5, 0.1) for key in keys for row in _rows()}
    assert len(cells(TABLES, measured)) == sum(len(t.rows) * len(t.columns) for t in TABLES)


def _rows() -> list[str]:
    return [row.name for table in TABLES for row in table.rows]


def test_what_is_not_measured_is_no_cell() -> None:
    key = TABLES[3].key(TABLES[3].columns[0])
    found = cells(TABLES, {(key, "ReLU, shortcut"): Measured(0.5, 0.1)})
    assert [(cell.table, cell.row, cell.column) for cell in found] == [
        (4, "ReLU, shortcut", "GPU ×1"),
        (4, "ReLU, shortcut", "ARM ×1"),
    ]


def test_sizes_say_which_columns() -> None:
    def names(size: str, provider: str) -> list[set[str]]:
        return [{c.name for c in t.columns} for t in chosen(size, provider)]  # type: ignore[arg-type]

    arm = {"ARM ×1", "ARM ×2", "ARM ×4"}
    everything = arm | {"GPU ×1", "GPU ×2", "GPU ×4"}
    assert names("full", "cpu") == [everything] * 4
    assert names("standard", "cuda") == [everything] * 4
    smaller = everything - {"GPU ×4"}
    assert names("standard", "cpu") == [smaller, smaller, smaller, everything]
    on_cpu = names("quick", "cpu")
    assert on_cpu[0] == arm
    assert all(arm <= columns for columns in on_cpu)
    assert all(everything - arm <= columns for columns in names("quick", "cuda"))
