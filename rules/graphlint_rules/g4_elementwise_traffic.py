"""## What it does

Looks for element-wise operators that stay operators of their own:

- Add, Sum, Mul and the like of two or more activations: residual sums, gates, attention;
- constant scales and biases, BatchNormalization and activations that no producer absorbs;
- activations that are spelt in several nodes: x·sigmoid(x), x·clip(x + 3)/6, GELU by Erf.

Each site is charged with all that it reads and writes; a spelt-out activation with what its nodes
move beyond the one operator that could stand there.

A convolution, Gemm or MatMul absorbs the BatchNormalization, constant scales and biases and the
activation that follow it, if nobody else reads its result, and so does a chain of these. A join
(Concat, or an operator on several activations) absorbs an activation. What follows a
BatchNormalization that stays, its activation too, belongs to its site and adds nothing. Concat,
channel shuffle and Split, with which ShuffleNet V2 joins its units, are not element-wise
arithmetic and no finding.

Depthwise convolutions (as many groups as input channels, whatever the multiplier) move much for few
multiply-adds as well, and the paper counts them here. They are one finding of severity `info`,
whose excess is summed apart.

## Why it costs

An element-wise operator does next to no arithmetic, but reads and writes whole tensors:

    excess = elements read + elements written, each times its bytes

A sum of two tensors of hw·c elements moves 3·hw·c; the 1×1 convolution beside it moves
hw·(c1 + c2) + c1·c2. In the paper's table 4, leaving out ReLU and shortcut makes ResNet units 1.1
to 1.2 times faster, on a GPU and on an ARM CPU alike.

## Example

ShuffleNet V1's residual Add on 240×28×28 moves 2.15 MiB, more than the unit's two 1×1 convolutions
together (1.83 MiB).

## What to do instead

- Residual sums: a design choice; ShuffleNet V2's unit splits its input and concatenates instead.
- BatchNormalization behind a Concat or in front of the activation: a design choice; behind a
  convolution that nobody else reads it folds into the weights at export.
- Spelt-out activations: export with an opset that has the operator (HardSwish 14, Mish 18, Gelu 20,
  Swish 24), or take HardSwish or ReLU instead of x·sigmoid(x).
- An activation whose input is read elsewhere too: move it behind the convolution.

## Options

- `depthwise` (true): report depthwise convolutions, as information.

## References

- Ma, Zhang, Zheng, Sun: ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design.
  ECCV 2018, arXiv:1807.11164, section 2, guideline G4 and table 4.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphlint.findings import Severity
from graphlint.graph import Node
from graphlint.rule import Alternative, Context, Option, Rule, Site
from graphlint.units import format_bytes
from graphlint_rules.absorption import Kind, Remainder, fused_sums, remainders
from graphlint_rules.alternatives import without
from graphlint_rules.convolution_sites import convolutions, read_convolution, tensor
from graphlint_rules.data_flow import activations, carrier, data_readers, runs
from graphlint_rules.elementwise_examples import BAD, GOOD
from graphlint_rules.figures import by, spell_layer
from graphlint_rules.operators import POINTWISE, SUMS
from graphlint_rules.spelt_activations import SpeltActivation, spelt_activations

_SUM_HELP = (
    "a design choice: ShuffleNet V2's unit splits its input and concatenates instead of adding"
)
_GATE_HELP = (
    "a design choice: a gate reads and writes the whole tensor for one operation per element; keep "
    "it to where it pays"
)
_NORMALISATION_HELP = (
    "no convolution in front can absorb it: a BatchNormalization right behind a convolution that "
    "nobody else reads folds into its weights at export"
)
_SCALE_HELP = (
    "no operator in front can absorb it: fold the constant into the weights of a neighbour before "
    "the export"
)
_ACTIVATION_HELP = (
    "no operator in front can absorb it: put the activation right behind a convolution whose "
    "result nobody else reads"
)
_DEPTHWISE_HELP = (
    "nothing to mend: depthwise convolutions are cheap in multiply-adds, not in memory access"
)


def check(context: Context) -> Iterator[Site]:
    """A site for each element-wise operator that stays, and for each depthwise convolution."""
    spelt = spelt_activations(context)
    for match in spelt:
        yield from _spelt_site(context, match)
    for remainder in remainders(context, spelt):
        yield from _remainder_site(context, remainder)
    yield from _fused_sum_sites(context)
    if context.options["depthwise"]:
        yield from _depthwise_sites(context)


def _remainder_site(context: Context, remainder: Remainder) -> Iterator[Site]:
    first = remainder.nodes[0]
    moved = context.cost(first).memory_access_bytes
    if not moved:
        return
    once = format_bytes(moved // context.executions(first))
    shape = by((context.view.shape(first.outputs[0]) or ())[1:])
    titles = {
        Kind.JOIN: f"{first.op} of activations",
        Kind.BATCH_NORMALISATION: "BatchNormalization that stays",
        Kind.SCALE: f"{first.op} with a constant that stays",
        Kind.ACTIVATION: f"{first.op} that stays",
    }
    helps = {
        Kind.JOIN: _SUM_HELP if first.op in SUMS else _GATE_HELP,
        Kind.BATCH_NORMALISATION: _NORMALISATION_HELP,
        Kind.SCALE: _SCALE_HELP,
        Kind.ACTIVATION: _ACTIVATION_HELP,
    }
    yield Site(
        nodes=tuple(remainder.nodes),
        message=f"{titles[remainder.kind]}, {shape}: moves {once}.",
        help=helps[remainder.kind],
        excess_bytes=moved,
    )


def _spelt_site(context: Context, match: SpeltActivation) -> Iterator[Site]:
    last = match.nodes[-1]
    result = tensor(context, last.outputs[0])
    functions = [node for node in match.nodes if node.op in POINTWISE]
    if result is None or not all(runs(context, node) for node in functions):
        return
    executions = context.executions(last)
    moved = sum(context.cost(node).memory_access_bytes for node in functions) // executions
    # In a quantised model the source is stored in fewer bits than the functions read.
    fused = 2 * result.size
    yield Site(
        nodes=match.nodes,
        message=(
            f"{match.form.spelling} in {len(functions)} nodes, {by(result.shape[1:])}: moves "
            f"{format_bytes(moved)}; one operator {format_bytes(fused)}."
        ),
        help=f"{match.form.operator} does the same in one operator, which can be fused",
        excess_bytes=(moved - fused) * executions,
    )


def _fused_sum_sites(context: Context) -> Iterator[Site]:
    """A residual sum that ONNX Runtime has fused into a convolution still reads its operand."""
    for node, key in fused_sums(context):
        added = tensor(context, key)
        if added is None:
            continue
        yield Site(
            nodes=(node,),
            message=f"Fused sum, {by(added.shape[1:])}: reads {format_bytes(added.size)} more.",
            help=_SUM_HELP,
            excess_bytes=added.size * context.executions(node),
        )


def _depthwise_sites(context: Context) -> Iterator[Site]:
    for layer in convolutions(context):
        if layer.is_depthwise:
            yield Site(
                nodes=layer.nodes,
                message=(
                    f"Depthwise convolution, {spell_layer(layer)}: moves "
                    f"{format_bytes(layer.moved)}."
                ),
                help=_DEPTHWISE_HELP,
                excess_bytes=layer.moved * layer.executions,
                severity=Severity.INFO,
            )


def alternative(context: Context, site: Site) -> Alternative | None:
    """The operator left out, or absorbed; of a join, without the operand that is read elsewhere.

    None where work would be left out with it, for a depthwise convolution, and for an activation
    that is spelt in several nodes.
    """
    first = site.nodes[0]
    read = activations(context, first)
    if read_convolution(context, first) or _is_spelt_out(context, site.nodes):
        return None
    kept = _kept(context, read) if len(read) > 1 else carrier(context, first)
    return None if kept is None else without(context, site.nodes, kept)


def _is_spelt_out(context: Context, nodes: tuple[Node, ...]) -> bool:
    return any(match.nodes == nodes for match in spelt_activations(context))


def _kept(context: Context, read: tuple[str, ...]) -> str | None:
    """The operand to keep of two: the later one, where the other is computed all the same."""
    if len(read) != 2:
        return None
    earlier, later = sorted(read, key=lambda key: _made_at(context, key))
    needed = len(data_readers(context, earlier)) > 1 or context.view.producer(earlier) is None
    return later if needed else None


def _made_at(context: Context, key: str) -> int:
    producer = context.view.producer(key)
    return -1 if producer is None else producer.index


RULE = Rule(
    code="G4",
    name="elementwise-traffic",
    summary="Element-wise operators that nothing absorbs read and write whole tensors.",
    check=check,
    page=__doc__,
    good=GOOD,
    bad=BAD,
    alternative=alternative,
    options=(Option("depthwise", True, "report depthwise convolutions, as information"),),
)
