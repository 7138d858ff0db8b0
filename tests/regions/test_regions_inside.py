"""What lies strictly inside a region: values that fork there, and joins that are fragments."""

from pathlib import Path

from graphlint import shapes
from graphlint.graph_builder import build
from graphlint.model import Model
from graphlint.regions import Region, find_regions
from tests.rules.linting import parsed


def regions_of(text: str) -> dict[str, Region]:
    """The regions of a model, by their forks."""
    view, _ = shapes.infer(build(Model("model", Path("model"), parsed(text), 1, 1)))
    return {region.fork: region for region in find_regions(view)}


def test_a_branch_that_forks_on_its_way_is_one_branch() -> None:
    """The first value with several readers lies inside the region of a Split."""
    found = regions_of(
        """
        net (float[1,4,8,8] x, float[2,2,1,1] v, float[2,2,1,1] w) => (float[1,6,8,8] y) {
            a, b = Split <axis = 1> (x)
            r = Relu(a)
            c = Conv(r, v)
            d = Conv(r, w)
            y = Concat <axis = 1> (c, d, b)
        }
        """
    )
    outer = found["x"]
    assert [node.op for node in outer.nodes] == ["Relu", "Conv", "Conv"]
    assert [len(branch) for branch in outer.branches] == [3, 0]
    assert (outer.fragments, outer.own_fragments, outer.critical_path) == (2, 0, 1)
    inner = found["r"]
    assert [len(branch) for branch in inner.branches] == [1, 1]
    assert (inner.fragments, inner.critical_path) == (2, 1)


def test_a_join_that_is_a_fragment_is_not_between() -> None:
    found = regions_of(
        """
        net (float[1,4,8,8] x, float[4,4,1,1] v, float[4,4,1,1] w, float[4] bias)
            => (float[1,4,8,8] z) {
            a = Conv(x, v)
            b = Conv(a, v)
            y = com.microsoft.FusedConv(b, w, bias, x)
            z = Conv(y, w)
        }
        """
    )
    region = found["x"]
    assert region.join.op == "FusedConv"
    assert (region.fragments, region.critical_path) == (2, 2)
