"""The house's two laws: imports go downwards, and rule packs see only the public contracts."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / "graphlint"
PACK = ROOT / "rules" / "graphlint_rules"

# From the ground up: a module may import from its own layer or those below it.
LAYERS = [
    set("errors problem findings times units wire atomic patterns regular_file".split()),
    {"graph", "external_data", "node_order"},
    {"model", "attributes"},
    {"graph_builder", "bindings", "contrib_shapes"},
    {"shapes"},
    {"costs"},
    {"regions", "structure"},
    {"devices"},
    {"rule"},
    {"rewrites"},
    {"registry", "results", "fingerprints"},
    {"config"},
    {"request", "rule_settings"},
    {"suppressions"},
    {"pricing", "linting", "baseline", "baseline_file", "run_notes"},
    {"engine"},
    {"isolation", "worker"},
    {"latency"},
    {"timing", "calibration"},
    {"rewriting", "diffing"},
    {"alternatives"},
    {"report"},
    {"checking", "terminal", "annotate"},
    {"cli_options"},
    {"cli_rewrite", "cli_what_if", "cli_profile", "cli_diff", "cli_output", "cli_calibrate"},
    {"api", "cli"},
    {"__init__", "__main__"},
]
PUBLIC_CONTRACTS = frozenset("rule graph costs regions findings units rewrites rewriting".split())


def imported(path: Path) -> Iterator[str]:
    """Rooms of graphlint that the file imports, typing-only imports left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            module = node.module.split(".")
            if module == ["graphlint"]:
                yield from (alias.name for alias in node.names)
            elif module[0] == "graphlint":
                yield module[1]
        elif isinstance(node, ast.Import):
            yield from (
                alias.name.split(".")[1]
                for alias in node.names
                if alias.name.startswith("graphlint.")
            )


def room_of(path: Path) -> str:
    relative = path.relative_to(ENGINE)
    return relative.parts[0].removesuffix(".py")


def test_every_room_has_a_layer() -> None:
    rooms = {room_of(path) for path in ENGINE.rglob("*.py")}
    assert rooms == set().union(*LAYERS)


@pytest.mark.parametrize(
    "path", sorted(ENGINE.rglob("*.py")), ids=lambda path: str(path.relative_to(ENGINE))
)
def test_imports_go_downwards(path: Path) -> None:
    height = next(i for i, layer in enumerate(LAYERS) if room_of(path) in layer)
    above = set().union(*LAYERS[height + 1 :])
    assert set(imported(path)) & above == set()


@pytest.mark.parametrize("path", sorted(PACK.rglob("*.py")), ids=lambda path: path.name)
def test_the_rule_pack_imports_only_public_contracts(path: Path) -> None:
    assert set(imported(path)) <= PUBLIC_CONTRACTS


@pytest.mark.parametrize("path", sorted(ENGINE.rglob("*.py")), ids=lambda path: path.name)
def test_the_engine_knows_no_rule(path: Path) -> None:
    assert "graphlint_rules" not in path.read_text(encoding="utf-8")
