"""The work of a rewrite grows with the units, not faster: counted, as in `test_growth`."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from onnx import ModelProto

from benchmarks import scale_models
from graphlint import registry
from graphlint.bindings import Bindings
from graphlint.config import Settings
from graphlint.rewriting.request import RewriteRequest
from graphlint.rewriting.results import RewriteReport
from graphlint.rewriting.run import rewrite
from graphlint.rewriting.splice import splice
from graphlint.rewriting.subject import read
from graphlint_rules.rewrites.v2.fitting.chains import chains
from tests.line_count import lines
from tests.models import shaped

NODES = 9
"""Of a unit."""
TIMES = 4
SLACK = 1.3


def rewritten(folder: Path, make: Callable[[int], ModelProto], name: str, units: int) -> int:
    """The lines of all stages of a rewrite, up to the model with its new nodes."""
    path = folder / "model.onnx"
    path.write_bytes(make(NODES * units).SerializeToString())
    source = read(str(path), Bindings())
    each = registry.rewrites()[name]
    stages = each.stages()
    options = {option.name: option.default for option in each.options} | {"block": 8}
    plan_name = "keep" if "keep" in each.plans else each.plans[0]

    def work() -> None:
        matches = stages.match(source.subject)
        if matches.matches:
            plan: Any = stages.plan(source.subject, matches, plan_name, options)
            weights = stages.start(source.subject, plan, 0)
            splice(source.proto, stages.edit(source.subject, plan, weights), "test")

    return lines(work)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (scale_models.v1_units, "shufflenet-v1-to-v2"),
        # The Adds tie all values to one order of channels: no shuffle's part may be all of them.
        (scale_models.ungrouped_units, "shuffle-elimination"),
    ],
)
def test_lines_of_a_rewrite_grow_with_the_units(
    make: Callable[[int], ModelProto], name: str, tmp_path: Path
) -> None:
    rewritten(tmp_path, make, name, 2)  # everything is imported
    small = rewritten(tmp_path, make, name, 15)
    assert rewritten(tmp_path, make, name, 15 * TIMES) < TIMES * SLACK * small


def test_lines_of_many_chains_grow_with_the_units() -> None:
    """Units that each stand alone are compared with what feeds them, not with one another."""

    def divided(units: int) -> int:
        view = shaped(scale_models.chain(2 * units))
        plans: list[Any] = [
            SimpleNamespace(
                unit=SimpleNamespace(nodes=(node,), input=node.inputs[0], output=node.outputs[0])
            )
            for node in view.nodes[::2]
        ]
        subject: Any = SimpleNamespace(view=view)
        assert chains(subject, plans) == [[place] for place in range(units)]
        return lines(lambda: chains(subject, plans))

    assert divided(50 * TIMES) < TIMES * SLACK * divided(50)


def test_lines_of_naming_units_grow_with_them(tmp_path: Path) -> None:
    """`--unit` for every unit: the matches are not looked through for each."""

    def planned(units: int, named: tuple[str, ...]) -> int:
        path = tmp_path / "model.onnx"
        path.write_bytes(scale_models.v1_units(NODES * units).SerializeToString())
        request = RewriteRequest(str(path), Settings(), plan="keep", plan_only=True, units=named)
        found: list[RewriteReport] = []
        count = lines(lambda: found.append(rewrite(request)))
        assert len(found[0].places) == units
        return count

    def more(units: int) -> int:
        """The lines that naming them takes."""
        named = tuple(f"unit{number}/add" for number in range(units))
        return planned(units, named) - planned(units, ())

    planned(2, ())  # everything is imported
    assert more(10 * TIMES) < TIMES * SLACK * more(10)
