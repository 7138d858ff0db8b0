"""What `paper.py` measured, in tables: Markdown lines from the raw figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from statistics import correlation, mean, median
from typing import Any

from benchmarks.paper_networks import NETWORKS, REFERENCE, Network, Printed

__all__ = [
    "ARM",
    "CLASSES",
    "GPU",
    "KINDS",
    "against",
    "by_class",
    "categories",
    "classes",
    "concordance",
    "correlations",
    "differences",
    "judges",
    "kendall",
    "milliseconds",
    "repeats",
    "shares",
    "spearman",
    "speed",
    "table_8",
    "within",
]

Result = Mapping[str, Any]
"""What stands in `results/paper.json`."""

Judge = Callable[[Network], float]
"""How fast a network should be, by somebody."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "convolution": ("convolution",),
    "depthwise convolution": ("depthwise convolution",),
    "element-wise": ("element-wise", "normalisation", "reduction"),
    "data movement": ("data movement", "view"),
    "pooling": ("pooling",),
    "fully connected": ("matmul",),
}
"""The categories of figure 2, of graphlint's own."""

CLASSES: Mapping[str, tuple[int, int]] = {
    "40 M": (0, 100),
    "140 M": (100, 200),
    "300 M": (200, 400),
    "500 M and more": (400, 1000),
}
"""The paper's four classes of complexity, in millions of multiply-adds: from, to."""


def printed() -> list[tuple[Network, Printed]]:
    """The networks that the paper measured, with their rows."""
    return [(network, network.printed) for network in NETWORKS if network.printed is not None]


def milliseconds(result: Result, level: str, name: str, race: int = 0) -> float:
    """One run of a network."""
    seconds: float = result["levels"][level]["races"][race]["models"][name]["seconds"]
    return 1e3 * seconds


def speed(result: Result, level: str, name: str, race: int = 0) -> tuple[float, float, float]:
    """How many times as fast as the reference, with its interval."""
    value, low, high = result["levels"][level]["races"][race]["models"][name]["speed"]
    return value, low, high


def shares(result: Result, level: str, name: str, profile: int = 0) -> dict[str, float]:
    """Milliseconds of a run by kind of work."""
    measured = result["levels"][level]["profiles"][name][profile]["categories"]
    assert set(measured) <= {each for parts in KINDS.values() for each in parts}, measured
    return {
        kind: 1e3 * sum(measured.get(part, 0.0) for part in parts) for kind, parts in KINDS.items()
    }


def table_8(result: Result, level: str) -> Iterator[str]:
    """The paper's table 8 beside this machine."""
    yield (
        "| network | FLOPs, as printed | multiply-adds, exact | parameters | ms | images/s | "
        "speed against V2 1× (95 %) | paper's GPU, batches/s | paper's ARM, images/s |"
    )
    yield "|---|---:|---:|---:|---:|---:|---|---:|---:|"
    for network in NETWORKS:
        counts, paper = result["networks"][network.name], network.printed
        took = milliseconds(result, level, network.name)
        cells = [
            network.name,
            f"{paper.millions} M" if paper else "",
            f"{counts['multiply_adds']:,}",
            f"{counts['parameters']:,}",
            f"{took:.2f}",
            f"{1e3 / took:.0f}",
            "{:.2f} ({:.2f}–{:.2f})".format(*speed(result, level, network.name)),
            f"{paper.gpu}" if paper else "",
            f"{paper.arm}" if paper else "",
        ]
        yield f"| {' | '.join(cells)} |"


def categories(result: Result, level: str) -> Iterator[str]:
    """Figure 2 as a table: where the time of a run goes."""
    yield f"| network | ms | {' | '.join(KINDS)} |"
    yield f"|---|---:|{'---:|' * len(KINDS)}"
    for name in result["levels"][level]["profiles"]:
        parts = shares(result, level, name)
        total = sum(parts.values())
        cells = [name, f"{total:.2f}", *(f"{part / total:.1%}" for part in parts.values())]
        yield f"| {' | '.join(cells)} |"


def classes(result: Result, levels: Sequence[str]) -> Iterator[str]:
    """How unequal the speeds of networks of one class are."""
    heads = [f"fastest at `{level}` | slowest | times as fast" for level in levels]
    yield f"| class | networks | most over least multiply-adds | {' | '.join(heads)} |"
    yield f"|---|---:|---:|{'---|---|---:|' * len(levels)}"
    for title, members in by_class().items():
        counts = [result["networks"][each.name]["multiply_adds"] for each in members]
        cells = [title, f"{len(members)}", f"{max(counts) / min(counts):.2f}"]
        for level in levels:
            took = {each.name: milliseconds(result, level, each.name) for each in members}
            quick, slow = min(took, key=took.__getitem__), max(took, key=took.__getitem__)
            cells += [quick, slow, f"{took[slow] / took[quick]:.2f}"]
        yield f"| {' | '.join(cells)} |"


def by_class() -> dict[str, list[Network]]:
    """The networks of table 8 by their class of complexity."""
    return {
        title: [each for each, paper in printed() if least <= paper.millions < most]
        for title, (least, most) in CLASSES.items()
    }


def against(result: Result, levels: Sequence[str]) -> Iterator[str]:
    """How many times as fast ShuffleNet V2 is as the others of its class.

    Both speeds were told against one reference: the interval is the widest that theirs allow.
    """
    heads = " | ".join(f"here at `{level}` (95 %)" for level in levels)
    yield f"| V2 | against | paper's GPU | paper's ARM | {heads} |"
    yield f"|---|---|---:|---:|{'---|' * len(levels)}"
    for members in by_class().values():
        ours, *others = members
        for other in others:
            cells = [
                ours.name,
                other.name,
                f"{_gpu(ours) / _gpu(other):.2f}",
                f"{_arm(ours) / _arm(other):.2f}",
                *(_ratio(result, level, ours.name, other.name) for level in levels),
            ]
            yield f"| {' | '.join(cells)} |"


def _ratio(result: Result, level: str, ours: str, other: str) -> str:
    value, low, high = speed(result, level, ours)
    their_value, their_low, their_high = speed(result, level, other)
    figures = value / their_value, low / their_high, high / their_low
    return "{:.2f} ({:.2f}–{:.2f})".format(*figures)


GPU, ARM = "the paper's GPU", "the paper's ARM"


def judges(result: Result, level: str) -> dict[str, Judge]:
    """Who tells which network is the faster: measurements, and what can be counted beforehand."""
    return {
        GPU: _gpu,
        ARM: _arm,
        f"this CPU at `{level}`": lambda network: 1 / milliseconds(result, level, network.name),
        "multiply-adds alone": lambda network: -result["networks"][network.name]["multiply_adds"],
        "memory access alone": lambda network: (
            -result["networks"][network.name]["memory_access_bytes"]
        ),
    }


def correlations(result: Result, level: str) -> Iterator[str]:
    """How well orders agree: over all networks of table 8, and within classes of complexity."""
    everybody = judges(result, level)
    measured, judging = list(everybody)[:3], list(everybody)[2:]
    heads = [f"with {name}: ρ, τ" for name in measured]
    heads += [f"pairs of a class in the order of {name}" for name in measured]
    yield f"| order by | {' | '.join(heads)} |"
    yield f"|---|{'---:|' * len(heads)}"
    for name in judging:
        cells = [name]
        for tell in (_agreement, _pairs_in_order):
            cells += [
                tell(everybody[name], everybody[truth]) if truth != name else ""
                for truth in measured
            ]
        yield f"| {' | '.join(cells)} |"


def _pairs_in_order(judge: Judge, truth: Judge) -> str:
    right, pairs = within(judge, truth)
    return f"{right} of {pairs}"


def _gpu(network: Network) -> float:
    return network.printed.gpu if network.printed else 0.0


def _arm(network: Network) -> float:
    return network.printed.arm if network.printed else 0.0


def _agreement(judge: Judge, truth: Judge) -> str:
    pairs = [(judge(network), truth(network)) for network, _ in printed()]
    return f"{spearman(pairs):.2f}, {kendall(pairs):.2f}"


def within(judge: Judge, truth: Judge) -> tuple[int, int]:
    """Of the pairs of networks in one class, how many the judge puts in order, of how many."""
    agreed = total = 0
    for members in by_class().values():
        pairs = [(judge(network), truth(network)) for network in members]
        right, wrong = concordance(pairs)
        agreed, total = agreed + right, total + right + wrong
    return agreed, total


Pairs = Sequence[tuple[float, float]]


def concordance(pairs: Pairs) -> tuple[int, int]:
    """How many pairs of pairs have one order on both sides, and how many two; ties are left out."""
    products = [(a - c) * (b - d) for (a, b), (c, d) in combinations(pairs, 2)]
    return sum(each > 0 for each in products), sum(each < 0 for each in products)


def kendall(pairs: Pairs) -> float:
    """Kendall's τ-b."""
    concordant, discordant = concordance(pairs)
    untied = [
        sum(left[side] != right[side] for left, right in combinations(pairs, 2)) for side in (0, 1)
    ]
    return (concordant - discordant) / float((untied[0] * untied[1]) ** 0.5)


def spearman(pairs: Pairs) -> float:
    """Spearman's ρ; ties have their mean rank."""
    left, right = zip(*pairs, strict=True)
    return correlation(_ranks(left), _ranks(right))


def _ranks(figures: Sequence[float]) -> list[float]:
    ordered = sorted(figures)
    return [mean(place for place, other in enumerate(ordered) if other == each) for each in figures]


def differences(result: Result, level: str) -> list[float]:
    """How far apart the two races' speeds against the reference are, as parts, by network."""
    return [
        abs(speed(result, level, each.name, 1)[0] / speed(result, level, each.name)[0] - 1)
        for each in NETWORKS
        if each.name != REFERENCE
    ]


def repeats(result: Result, level: str) -> Iterator[str]:
    """How well the figures repeat, and how busy the machine was."""
    races = result["levels"][level]["races"]
    apart = differences(result, level)
    pairs = [
        (milliseconds(result, level, each.name, 0), milliseconds(result, level, each.name, 1))
        for each in NETWORKS
    ]
    order = kendall(pairs)
    shifts = [
        abs(again[kind] / sum(again.values()) - part / sum(first.values()))
        for name in result["levels"][level]["profiles"]
        for first, again in [[shares(result, level, name, number) for number in (0, 1)]]
        for kind, part in first.items()
    ]
    yield (
        f"At `{level}`: two races of {races[0]['rounds']} and {races[1]['rounds']} rounds "
        f"({' and '.join(race['clock'] for race in races)} time; a run took "
        f"{races[0]['busy_factor']:.2f} and {races[1]['busy_factor']:.2f} times its CPU time). "
        f"Speeds against V2 1× differ by {median(apart):.1%} in the median and {max(apart):.1%} at "
        f"most; Kendall's τ between the two is {order:.3f}. Shares of a category differ by "
        f"{100 * median(shifts):.1f} points in the median and {100 * max(shifts):.1f} at most "
        "between two profiles."
    )
