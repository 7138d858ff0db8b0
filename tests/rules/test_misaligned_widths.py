"""A1: which widths are no whole blocks, which are the nearest, and what filling up adds."""

from dataclasses import replace

import pytest

from graphlint_rules import A1
from tests.devices.law import device
from tests.rules.linting import context_of, operators, sites


def convolution(c1: int, c2: int, groups: int = 1, positions: int = 4) -> str:
    """A 1×1 convolution alone."""
    return f"""
        net (float[1,{c1},{positions},1] x, float[{c2},{c1 // groups},1,1] w)
            => (float[1,{c2},{positions},1] y) {{ y = Conv <group = {groups}> (x, w) }}
    """


# Which are found


@pytest.mark.parametrize(
    ("c1", "c2", "groups", "block", "found"),
    [
        (32, 48, 1, 16, False),
        (32, 49, 1, 16, True),
        (33, 48, 1, 16, True),
        (17, 16, 1, 16, True),
        (15, 16, 1, 16, False),  # an input narrower than a block has kernels of its own
        (15, 17, 1, 16, False),
        (16, 15, 1, 16, True),  # an output has not
        (16, 16, 1, 16, False),
        (32, 32, 2, 16, False),
        (16, 32, 2, 16, True),  # 8 channels a group
        (32, 16, 2, 16, True),
        (48, 48, 48, 16, False),  # of a depthwise convolution all channels count
        (40, 40, 40, 16, True),
        (8, 8, 8, 16, True),
        (16, 32, 16, 16, False),
        (6, 6, 1, 2, False),
        (7, 6, 1, 2, True),
        (7, 5, 1, 1, False),  # blocks of one channel are always whole
    ],
)
def test_what_is_misaligned(c1: int, c2: int, groups: int, block: int, found: bool) -> None:
    assert bool(sites(A1, convolution(c1, c2, groups), block=block, min_waste=0.0)) is found


def test_without_a_block_nothing_is_said() -> None:
    assert sites(A1, convolution(33, 48), block=0, min_waste=0.0) == []


def test_the_block_is_the_devices_unless_it_is_given() -> None:
    context = context_of(convolution(24, 24), A1)
    on_device = replace(context, device=device(block=16))
    given = replace(on_device, options={**context.options, "block": 8})
    assert list(A1.check(context)) == []
    assert len(list(A1.check(on_device))) == 1
    assert list(A1.check(given)) == []


@pytest.mark.parametrize(("part", "found"), [(0.25, 1), (0.2501, 0)])
def test_the_least_part_that_is_told_is_reached(part: float, found: int) -> None:
    """Blocks of 5: 5→4 does the work of 5→5, a quarter more."""
    assert len(sites(A1, convolution(5, 4), block=5, min_waste=part)) == found


@pytest.mark.parametrize(
    ("c1", "c2", "groups", "part"),
    [
        (24, 32, 1, 8 / 24),
        (32, 24, 1, 8 / 24),
        (24, 24, 1, (32 * 32 - 24 * 24) / (24 * 24)),
        (24, 24, 24, 8 / 24),
        (24, 48, 24, 8 / 24),
        (48, 48, 2, (32 * 32 - 24 * 24) / (24 * 24)),
    ],
)
def test_the_waste_is_what_filling_up_adds(c1: int, c2: int, groups: int, part: float) -> None:
    model = convolution(c1, c2, groups, positions=100)
    assert len(sites(A1, model, block=16, min_waste=part - 0.001)) == 1
    assert sites(A1, model, block=16, min_waste=part + 0.001) == []


def test_the_waste_of_all_sites_counts_against_the_whole_model() -> None:
    """Of 40·32 + 32·32 + 32·40 multiply-adds a position the two misaligned layers waste 8·32."""
    model = """
        net (float[1,40,10,1] x, float[32,40,1,1] u, float[32,32,1,1] v, float[40,32,1,1] w)
            => (float[1,40,10,1] y) {
            a = Conv(x, u)
            b = Conv(a, v)
            y = Conv(b, w)
        }
    """
    part = 2 * 8 * 32 / (40 * 32 + 32 * 32 + 32 * 40)
    found = sites(A1, model, block=16, min_waste=part - 0.001)
    assert [site.nodes[0].outputs for site in found] == [("a",), ("y",)]
    assert sites(A1, model, block=16, min_waste=part + 0.001) == []


def test_a_picture_s_channels_are_no_site_beside_one() -> None:
    model = """
        net (float[1,3,10,10] x, float[60,3,1,1] v, float[60,60,1,1] w) => (float[1,60,10,10] y) {
            a = Conv(x, v)
            y = Conv(a, w)
        }
    """
    assert [site.nodes[0].outputs for site in sites(A1, model, block=16)] == [("y",)]


# What is said


@pytest.mark.parametrize(
    ("c1", "c2", "groups", "told"),
    [
        (
            60,
            68,
            1,
            "60→68, 4×1: widths of no whole blocks of 16 channels; the nearest are 64→64 "
            "(+0 % multiply-adds).",
        ),
        (
            240,
            60,
            3,
            "240→60, groups 3, 4×1: widths, a group, of no whole blocks of 16 channels; the "
            "nearest are 240→48, groups 3 (-20 % multiply-adds).",
        ),
        (
            24,
            48,
            24,
            "24→48, groups 24, 4×1: widths of no whole blocks of 16 channels; the nearest are "
            "32→64, groups 32 (+33 % multiply-adds).",
        ),
        (  # ShuffleNet V1 with 8 groups: 12 channels of a group are less than a block
            96,
            384,
            8,
            "96→384, groups 8, 4×1: widths, a group, of no whole blocks of 16 channels; the "
            "nearest are 128→384, groups 8 (+33 % multiply-adds).",
        ),
    ],
)
def test_the_nearest_widths_are_told(c1: int, c2: int, groups: int, told: str) -> None:
    [site] = sites(A1, convolution(c1, c2, groups), block=16, min_waste=0.0)
    assert site.message == told
    assert site.excess_bytes is None


@pytest.mark.parametrize(
    ("width", "nearest"), [(1, 16), (17, 16), (23, 16), (24, 32), (25, 32), (39, 32), (40, 48)]
)
def test_from_half_of_the_way_a_width_is_rounded_up(width: int, nearest: int) -> None:
    [site] = sites(A1, convolution(32, width), block=16, min_waste=0.0)
    assert f"the nearest are 32→{nearest} (" in site.message


def test_unrolled_groups_are_one_site() -> None:
    model = """
        net (float[1,48,4,4] x, float[8,24,1,1] v, float[8,24,1,1] w) => (float[1,16,4,4] y) {
            a, b = Split <axis = 1> (x)
            c = Conv(a, v)
            d = Conv(b, w)
            y = Concat <axis = 1> (c, d)
        }
    """
    [site] = sites(A1, model, block=16)
    assert operators(site) == ["Conv", "Conv", "Concat"]
    assert site.message == (
        "48→16, groups 2, 4×4: widths, a group, of no whole blocks of 16 channels; the nearest "
        "are 64→32, groups 2 (+167 % multiply-adds)."
    )
    part = (32 * 16 - 24 * 8) / (24 * 8)
    assert sites(A1, model, block=16, min_waste=part - 0.001)
    assert sites(A1, model, block=16, min_waste=part + 0.001) == []
