"""What is foretold of a network: sums of layers, each by the law that the device follows."""

import pytest
from law import LAUNCH, PER_BYTE, PER_MULTIPLY_ADD, RUN, costed, device, foretold, seconds

from graphlint.devices.prediction import predict
from graphlint.devices.profile import LayerTime
from graphlint.devices.speeds import Speeds


def conv(side: int = 28, c1: int = 32, c2: int = 32, behind: str = "y = Conv(x, w)") -> str:
    """A pointwise convolution with a constant weight, and what stands behind it."""
    weight = ", ".join(["0.5"] * (c1 * c2))
    square = ", ".join(["0.5"] * (c2 * c2))
    return f"""
    net (float[1,{c1},{side},{side}] x) => (float[1,{c2},{side},{side}] y)
    <float[{c2},{c1},1,1] w = {{{weight}}}, float[{c2},{c2},1,1] v = {{{square}}}>
    {{ {behind} }}
    """


def conv_seconds(side: int, c1: int, c2: int) -> float:
    positions = side * side
    return seconds(positions * c1 * c2, 4 * (positions * (c1 + c2) + c1 * c2))


def test_layers_add_up_by_the_law() -> None:
    told = foretold(conv(behind="a = Conv(x, w) b = Relu(a) y = Conv(b, v)"), device())
    relu = seconds(0, 8 * 28 * 28 * 32)
    assert told.seconds == pytest.approx(RUN + 2 * conv_seconds(28, 32, 32) + relu)
    assert told.seconds == pytest.approx(
        told.run_seconds + sum(node.seconds or 0.0 for node in told.nodes)
    )
    assert told.unknown == 0


@pytest.mark.parametrize(("level", "fused"), [("disable", 0), ("basic", 0), ("extended", 1)])
def test_an_activation_joins_its_convolution_from_extended_on(level: str, fused: int) -> None:
    told = foretold(conv(behind="a = Conv(x, w) y = Relu(a)"), device(level))
    both = conv_seconds(28, 32, 32) + (1 - fused) * seconds(0, 8 * 28 * 28 * 32)
    assert sum(node.seconds or 0.0 for node in told.nodes) == pytest.approx(both)


def test_what_another_reads_is_not_fused() -> None:
    told = foretold(conv(behind="a = Conv(x, w) r = Relu(a) y = Add(a, r)"), device("extended"))
    assert told.schedule.leaders == {0: 0, 1: 1, 2: 2}


def test_a_sum_joins_its_convolution_at_all_alone() -> None:
    text = conv(behind="a = Conv(x, w) b = Conv(a, v) y = Add(b, a)")
    assert foretold(text, device("extended", 16)).schedule.leaders[2] == 2
    assert foretold(text, device("all", 16)).schedule.leaders[2] == 1


def test_more_positions_take_longer() -> None:
    for profile in (device(), device("all", 16)):
        times = [foretold(conv(side), profile).seconds for side in (7, 14, 15, 28, 56)]
        assert times == sorted(set(times))


def test_order_and_names_do_not_matter() -> None:
    one = foretold(conv(behind="a = Conv(x, w) b = Relu(x) c = Conv(b, v) y = Add(a, c)"), device())
    two = foretold(conv(behind="q = Relu(x) r = Conv(q, v) s = Conv(x, w) y = Add(s, r)"), device())
    assert one.seconds == pytest.approx(two.seconds)


def test_channels_are_filled_up_to_whole_blocks() -> None:
    profile = device("all", 16)

    def own(channels: int) -> float:
        told = foretold(conv(28, channels, channels), profile)
        reorders = sum(each.seconds for each in told.reorderings)
        return sum(node.seconds or 0.0 for node in told.nodes) - reorders

    narrow = 28 * 28 * 60 * 60 * (64 / 60) ** 2
    moved = 4 * (2 * 28 * 28 * 60 + 60 * 60) * 64 / 60
    assert own(60) == pytest.approx(LAUNCH + PER_MULTIPLY_ADD * narrow + PER_BYTE * moved)
    assert own(64) == pytest.approx(conv_seconds(28, 64, 64))


def test_values_are_reordered_where_they_leave_the_blocks() -> None:
    profile = device("all", 16)
    inside = foretold(conv(behind="a = Conv(x, w) y = Conv(a, v)"), profile)
    assert [each.value for each in inside.reorderings] == ["x", "y"]
    left = foretold(conv(behind="a = Conv(x, w) b = Abs(a) y = Conv(b, v)"), profile)
    assert [each.value for each in left.reorderings] == ["x", "a", "b", "y"]
    assert left.reorderings[1].seconds == pytest.approx(seconds(0, 8 * 28 * 28 * 32))


def test_widths_that_are_no_multiple_of_four_are_not_blocked() -> None:
    told = foretold(conv(28, 62, 62), device("all", 16))
    assert (told.nodes[0].kind, told.reorderings) == ("pointwise", ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("net (float[1,3,8,8] x) => (float y) { a = Det(x) y = Abs(a) }", "Det"),
        ("net (float16[1,3,8,8] x) => (float16[1,3,8,8] y) { y = Abs(x) }", "float32"),
        ("net (float[N,3,8,8] x) => (float[N,3,8,8] y) { y = Tanh(x) }", "transcendental"),
    ],
)
def test_what_is_unknown_has_no_time_and_a_reason(text: str, reason: str) -> None:
    told = foretold(text, device())
    assert told.nodes[0].seconds is None
    assert reason in told.nodes[0].reason
    assert told.unknown == sum(node.seconds is None for node in told.nodes) > 0


def test_a_kind_without_measured_layers_is_unknown() -> None:
    told = foretold(conv(), device(without=["pointwise"]))
    assert (told.seconds, told.unknown) == (RUN, 1)
    assert told.nodes[0].reason == "no pointwise layer was measured"


def test_a_body_is_unknown_and_shape_arithmetic_is_free() -> None:
    told = foretold(
        """net (float[1,4,8,8] x, bool c) => (float[N,M] y) {
            s = Shape <end = 1> (x)
            minus = Constant <value_ints = [-1]> ()
            t = Concat <axis = 0> (s, minus)
            z = Reshape(x, t)
            y = If (c) <
                then_branch = a () => (float[N,M] p) { p = Abs(z) },
                else_branch = b () => (float[N,M] q) { q = Neg(z) }>
        }""",
        device(),
    )
    by_op = dict(zip("Shape Constant Concat Reshape".split(), told.nodes, strict=False))
    assert [by_op[op].seconds for op in ("Shape", "Constant", "Concat")] == [0.0, 0.0, 0.0]
    assert by_op["Reshape"].seconds == LAUNCH
    assert all(node.seconds is None for node in told.nodes[4:])


def test_the_error_is_what_leaving_out_says() -> None:
    lawful = device()
    assert Speeds(lawful).scatter("pointwise") == pytest.approx(0.0, abs=1e-9)
    first, *others = lawful.layers
    off = [LayerTime(first.layer, 2 * first.seconds, 0.01), *others]
    unsteady = type(lawful)(
        **{name: getattr(lawful, name) for name in lawful.__slots__} | {"layers": tuple(off)}
    )
    assert Speeds(unsteady).scatter("pointwise") > 0.2
    assert predict(*costed(conv()), unsteady).plus_minus > 0
