"""Every operator has a decision, and the table says nothing twice."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import onnx.defs
import pytest

import graphlint.costs
from graphlint.costs import HANDLES, Category, table

SCHEMAS = sorted({(s.domain, s.name) for s in onnx.defs.get_all_schemas_with_history()})


@pytest.mark.parametrize(("domain", "name"), SCHEMAS, ids=lambda part: part or "onnx")
def test_every_operator_of_onnx_has_a_decision(domain: str, name: str) -> None:
    assert (domain, name) in HANDLES


def test_no_operator_stands_in_two_families() -> None:
    names = Counter(
        (domain, name)
        for domain, families in table._DOMAINS.items()
        for family in families
        for name in family
    )
    assert [entry for entry, times in names.items() if times > 1] == []


def test_no_family_writes_an_operator_twice() -> None:
    for path in sorted(Path(graphlint.costs.__file__).parent.glob("*.py")):
        for assigned in ast.parse(path.read_text(encoding="utf-8")).body:
            written = [
                name
                for call in ast.walk(assigned)
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "operators"
                for argument in call.args[:1]
                if isinstance(argument, ast.Constant)
                for name in str(argument.value).split()
            ]
            assert len(written) == len(set(written)), path


@pytest.mark.parametrize(
    ("domain", "name", "category"),
    [
        ("", "Conv", Category.CONVOLUTION),
        ("", "QLinearMatMul", Category.MATMUL),
        ("", "LSTM", Category.RECURRENT),
        ("", "Relu", Category.ELEMENTWISE),
        ("", "BatchNormalization", Category.NORMALISATION),
        ("", "MaxPool", Category.POOLING),
        ("", "ReduceSum", Category.REDUCTION),
        ("", "Concat", Category.MOVEMENT),
        ("", "QuantizeLinear", Category.QUANTISATION),
        ("", "Reshape", Category.VIEW),
        ("", "If", Category.CONTROL),
        ("com.microsoft", "FusedConv", Category.CONVOLUTION),
        ("com.microsoft", "MultiHeadAttention", Category.MATMUL),
        ("com.microsoft.nchwc", "ReorderInput", Category.MOVEMENT),
    ],
)
def test_category(domain: str, name: str, category: Category) -> None:
    assert HANDLES[domain, name].category is category


def test_importing_costs_brings_neither_onnx_nor_numpy() -> None:
    script = (
        "import sys, graphlint.costs; print(sorted({'onnx', 'numpy', 'networkx'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
