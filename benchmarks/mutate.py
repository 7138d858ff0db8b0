"""Mutation testing: how many small faults, put into the code one at a time, the tests notice.

A mutant is a module with one operator, constant, condition or return value altered. It is run in a
forked process that has no module of graphlint yet: the altered module is what its import gives, so
that nothing of the original is left. The area's own tests run in that process, up to the first that
fails. Before the mutants, the tests have to pass without any, and fail with a module that raises.

    python benchmarks/mutate.py --sample 150 --output benchmarks/results/mutation.json [AREA …]

Faults that only show in a process of its own (a command's child) are not seen. POSIX only.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.process_tree import circumstances  # noqa: E402

PASSED = 0
TIMEOUT_FACTOR = 4


@dataclass(frozen=True)
class Area:
    """Modules, and the tests that are to notice what is wrong with them, the quickest first."""

    modules: str
    tests: tuple[str, ...]


AREAS = {
    "costs": Area(
        "graphlint/costs/*.py",
        (
            "tests/costs/test_element_operations.py",
            "tests/costs/test_operands.py",
            "tests/costs/test_runtime_products.py",
            "tests/costs/test_contrib_attention.py",
            "tests/costs/test_partial_reads.py",
            "tests/costs/test_onnx_attention.py",
            "tests/costs/test_multiply_adds.py",
            "tests/costs/test_input_roles.py",
            "tests/test_totals.py",
            "tests/costs/test_memory_access.py",
            "tests/costs/test_runtime_roles.py",
            "tests/costs/test_unknown.py",
            "tests/costs/test_table.py",
            "tests/costs/test_properties.py",
        ),
    ),
    "regions": Area(
        "graphlint/regions.py",
        (
            "tests/regions/test_regions_told.py",
            "tests/regions/test_regions_inside.py",
            "tests/regions/test_regions.py",
        ),
    ),
    "rules": Area(
        "rules/graphlint_rules/*.py",
        (
            "tests/rules/test_examples.py",
            "tests/rules/test_budget_rules.py",
            "tests/rules/test_pack.py",
            "tests/rules/test_misaligned_widths.py",
            "tests/rules/test_layer_spellings.py",
            "tests/rules/test_rounds_and_weights.py",
            "tests/rules/test_unrolled_groups.py",
            "tests/rules/test_elementwise.py",
            "tests/rules/test_elementwise_told.py",
            "tests/rules/test_spelt_forms.py",
            "tests/rules/test_fragments.py",
            "tests/rules/test_building_blocks.py",
            "tests/rules/test_channel_width_and_groups.py",
            "tests/rules/test_alternatives.py",
            "tests/rules/test_alternative_models.py",
        ),
    ),
    "matcher": Area(
        "rules/graphlint_rules/rewrites/v1/*.py",
        (
            "tests/rewrites/test_v1_activations.py",
            "tests/rewrites/test_v1_windows.py",
            "tests/rewrites/test_v1_conv_layers.py",
            "tests/rewrites/test_v1_heads.py",
            "tests/rewrites/test_v1_near_misses.py",
            "tests/rewrites/test_v1_padding.py",
            "tests/rewrites/test_v1_networks.py",
            "tests/rewrites/test_v1_matcher.py::test_fixtures_raise_no_alarm",
            "tests/rewrites/test_v1_matcher.py::test_a_stage_may_begin_without_a_shuffle",
            "tests/rewrites/test_v1_matcher.py::test_finds_every_form",
        ),
    ),
}


@dataclass(frozen=True)
class Mutant:
    """One alteration: the `number`-th of those that the module at `path` can have."""

    path: str
    number: int
    line: int
    what: str


@dataclass
class Score:
    """What the tests made of the mutants of one area; `possible` is how many there are."""

    area: str
    possible: int
    tried: int = 0
    killed: int = 0
    timed_out: int = 0
    tests_seconds: float = 0.0
    seconds: float = 0.0
    survivors: list[Mutant] = field(default_factory=list)


# Alterations

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}

Change = tuple[str, Callable[[], object]]


def _changes(node: ast.AST) -> Iterator[Change]:
    """What can be altered at a node itself: a description, and what does it in place."""
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                new = _COMPARISONS[type(op)]
                what = f"{type(op).__name__} → {new.__name__}"
                yield what, partial(ops.__setitem__, place, new())
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _ARITHMETIC:
            other = _ARITHMETIC[type(op)]
            what = f"{type(op).__name__} → {other.__name__}"
            yield what, partial(setattr, node, "op", other())
        case ast.BoolOp(op=ast.And()):
            yield "and → or", partial(setattr, node, "op", ast.Or())
        case ast.BoolOp(op=ast.Or()):
            yield "or → and", partial(setattr, node, "op", ast.And())
        case ast.Constant(value=bool() as truth):
            yield f"{truth} → {not truth}", partial(setattr, node, "value", not truth)
        case ast.Constant(value=int() as number):
            for near in (number + 1, number - 1):
                yield f"{number} → {near}", partial(setattr, node, "value", near)
        case ast.UnaryOp(op=ast.Not()):
            yield "not removed", partial(setattr, node, "op", _Nothing())
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield "return None", partial(setattr, node, "value", ast.Constant(None))
        case _:
            return


class _Nothing(ast.UAdd):
    """Marks a `not` that is to go."""


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _altered(node: ast.AST) -> Iterator[tuple[int, Change]]:
    """All alterations below a node in the order of the source; annotations are left alone."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                for change in _changes(child):
                    yield getattr(child, "lineno", 0), change
                yield from _altered(child)


class _Negations(ast.NodeTransformer):
    """Takes the marked `not`s out."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return node.operand if isinstance(node.op, _Nothing) else node


def mutants(path: Path) -> list[Mutant]:
    """Every mutant of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = str(path.relative_to(ROOT))
    return [
        Mutant(name, number, line, what) for number, (line, (what, _)) in enumerate(_altered(tree))
    ]


def compiled(mutant: Mutant) -> CodeType:
    """The code of the altered module."""
    path = ROOT / mutant.path
    tree = ast.parse(path.read_text(encoding="utf-8"))
    changes = list(_altered(tree))
    changes[mutant.number][1][1]()
    whole = ast.fix_missing_locations(_Negations().visit(copy.deepcopy(tree)))
    return compile(whole, str(path), "exec", dont_inherit=True)


# Running


def run(tests: Sequence[str], path: str, code: CodeType | None, seconds: float) -> int | None:
    """The exit code of the tests with the module replaced; None where they took too long."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setpgid(0, 0)
        _test(tests, str(ROOT / path), code, int(seconds) + 1)
    os.close(writer)
    # The pipe closes when the child ends: its own time on the processor is limited by the system.
    ended, _, _ = select.select([reader], [], [], seconds * 10)
    if not ended:
        os.kill(child, signal.SIGKILL)
    os.close(reader)
    _, status = os.waitpid(child, 0)
    if not ended or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return None
    return os.waitstatus_to_exitcode(status)


def _test(tests: Sequence[str], path: str, code: CodeType | None, seconds: int) -> None:
    """In the child: never returns."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds + int(time.process_time()), -1))
    silent = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(silent, descriptor)
    if code is not None:
        original = SourceFileLoader.get_code

        def get_code(self: SourceFileLoader, name: str) -> CodeType | None:
            return code if self.path == path else original(self, name)

        SourceFileLoader.get_code = get_code  # type: ignore[method-assign, assignment]
    import pytest

    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
    os._exit(int(pytest.main([*options, *(str(ROOT / test) for test in tests)])))


def everything(name: str) -> list[Mutant]:
    """Every mutant of an area."""
    paths = sorted(ROOT.glob(AREAS[name].modules))
    return [mutant for path in paths for mutant in mutants(path)]


def survivors(record: Path, name: str) -> list[Mutant]:
    """The mutants of an area that a record has as not noticed."""
    areas = json.loads(record.read_text())["areas"]
    return [Mutant(**one) for area in areas if area["area"] == name for one in area["survivors"]]


def score(name: str, chosen: Sequence[Mutant], possible: int, seconds: float) -> Score:
    """Try the chosen mutants of an area one after the other, as many as there is time for."""
    area = AREAS[name]
    result = Score(name, possible)
    first = str(sorted(ROOT.glob(area.modules))[-1].relative_to(ROOT))
    start = time.monotonic()
    if run(area.tests, first, None, 600) != PASSED:
        raise SystemExit(f"{name}: the tests fail without any mutant")
    result.tests_seconds = round(time.monotonic() - start, 1)
    if run(area.tests, first, compile("raise RuntimeError", first, "exec"), 600) == PASSED:
        raise SystemExit(f"{name}: the tests pass with a module that raises")
    for mutant in chosen:
        if time.monotonic() - start > seconds:
            break
        limit = 10 + TIMEOUT_FACTOR * result.tests_seconds
        code = run(area.tests, mutant.path, compiled(mutant), limit)
        result.tried += 1
        result.killed += code not in (PASSED, None)
        result.timed_out += code is None
        if code == PASSED:
            result.survivors.append(mutant)
            print(f"survived: {mutant.path}:{mutant.line} {mutant.what}", flush=True)
    result.survivors.sort(key=lambda one: (one.path, one.number))
    result.seconds = round(time.monotonic() - start)
    return result


def main() -> None:
    """Try the areas, print and write their scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("areas", nargs="*", help=f"of {', '.join(AREAS)}")
    parser.add_argument("--sample", type=int, default=150, help="mutants of each area")
    parser.add_argument("--seconds", type=float, default=3600, help="for each area, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", type=Path, help="a record: try only its survivors")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    _warm()
    scores = []
    for name in options.areas or AREAS:
        possible = everything(name)
        if options.again is not None:
            chosen = survivors(options.again, name)
        else:
            chosen = random.Random(options.seed).sample(
                possible, min(options.sample, len(possible))
            )
        found = score(name, chosen, len(possible), options.seconds)
        noticed = found.killed + found.timed_out
        print(f"{name}: {noticed} of {found.tried} ({found.possible} possible)", flush=True)
        scores.append(asdict(found))
        if options.output is not None:
            document = {**circumstances("onnx", "pytest"), "seed": options.seed, "areas": scores}
            options.output.write_text(json.dumps(document, indent=1) + "\n")


def _warm() -> None:
    """Load what is not ours and takes long: the forked processes then have it."""
    import hypothesis  # noqa: F401
    import networkx  # noqa: F401
    import onnx.reference
    import onnx.shape_inference  # noqa: F401
    import onnx_graphsurgeon  # noqa: F401
    import pytest  # noqa: F401

    assert not any(name.partition(".")[0].startswith("graphlint") for name in sys.modules)


if __name__ == "__main__":
    main()
