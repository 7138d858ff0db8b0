"""Channels that are added so that widths are multiples of what a device computes with.

An added channel is written by filters of zeros and read by weights of zeros: the function stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from graphlint.rewrites import Subject
from graphlint_rules.rewrites.shuffles.orders import Requests
from graphlint_rules.rewrites.shuffles.parts import Part
from graphlint_rules.rewrites.shuffles.routing import Channel, channel_count

# They make finite numbers of the zeros in an added channel, and need nothing but their parameters.
_HARMLESS = frozenset(
    {
        *("Add", "AveragePool", "BatchNormalization", "Clip", "Conv", "GlobalAveragePool"),
        *("HardSigmoid", "HardSwish", "LeakyRelu", "MaxPool", "Mul", "PRelu", "Relu", "Sigmoid"),
    }
)


def widened(
    subject: Subject,
    requests: Requests,
    parts: Sequence[Part],
    beyond: Sequence[Part],
    multiple: int,
) -> Requests:
    """The requests with added channels, and with the other classes that their convolutions touch.

    The channels added to a class are numbered from its width on. `parts` are all nodes that read or
    write values of the requests' classes, `beyond` those that have to do with the other classes.
    """
    widths = _widths(subject, requests, parts)
    fixed = {*requests.pinned, *_rigid(subject, requests, [*parts, *beyond])}
    fixed.update(root for root, width in widths.items() if width <= multiple)
    fixed.update(root for root, keys in _by_class(requests).items() if len(keys) > 1)
    while True:
        lender = _Lender(requests, widths, fixed, multiple)
        broke = lender.lend()
        if not broke:
            return lender.widened
        fixed |= broke


def _widths(subject: Subject, requests: Requests, parts: Sequence[Part]) -> Mapping[str, int]:
    """The width of every class that is requested or that a convolution reads or writes."""
    widths = dict(requests.widths)
    for each in parts:
        for key in each.free if each.node.op == "Conv" else ():
            width = channel_count(subject, key)
            if width is not None:
                widths.setdefault(requests.classes.find(key), width)
    return widths


def _rigid(subject: Subject, requests: Requests, parts: Sequence[Part]) -> Iterable[str]:
    """Classes that something reads or writes that does not bear more channels."""
    for each in parts:
        numbers = (subject.numbers(each.node.inputs[p.position]) for p in each.parameters)
        if each.node.op not in _HARMLESS or each.fixed or any(found is None for found in numbers):
            yield from map(requests.classes.find, (*each.tied, *each.free, *each.fixed))


def _by_class(requests: Requests) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in requests.channels:
        found.setdefault(requests.classes.find(key), []).append(key)
    return found


class _Lender:
    """Gives every class that is put together added channels of one of its sources."""

    def __init__(
        self, requests: Requests, widths: Mapping[str, int], fixed: set[str], multiple: int
    ) -> None:
        self._requests = requests
        self._widths = widths
        self._added = {
            root: 0 if root in fixed else -width % multiple for root, width in widths.items()
        }
        self._spare = {
            root: [widths[root] + number for number in range(count)]
            for root, count in self._added.items()
        }
        self._channels = dict(requests.channels)

    def lend(self) -> set[str]:
        """Let each class borrow; those that could not although others borrowed from them."""
        broke = set()
        for root, (key, *_) in _by_class(self._requests).items():
            count = self._added[root]
            lent = self._borrowed(key, count) if count else []
            if len(lent) == count:
                self._channels[key] = (*self._channels[key], *lent)
                continue
            if len(self._spare[root]) < count:
                broke.add(root)
            self._added[root], self._spare[root] = 0, []
        return broke

    @property
    def widened(self) -> Requests:
        """The requests with what was lent."""
        wide = {
            root: width + self._added[root]
            for root, width in self._widths.items()
            if self._added[root] or root in self._requests.widths
        }
        return replace(self._requests, channels=self._channels, widths=wide)

    def _borrowed(self, key: str, count: int) -> list[Channel]:
        """Added channels of that source which most of a request's channels come from, if it can."""
        for channel in reversed(_one_of_each(self._requests, self._requests.channels[key])):
            spare = self._spare[self._requests.classes.find(channel.source)]
            if len(spare) >= count:
                lent = [Channel(channel.source, number) for number in spare[:count]]
                del spare[:count]
                return lent
        return []


def _one_of_each(requests: Requests, channels: Iterable[Channel]) -> list[Channel]:
    """A channel of each source, those first of which there are least."""
    numbers: dict[str, list[Channel]] = {}
    for channel in channels:
        numbers.setdefault(requests.classes.find(channel.source), []).append(channel)
    return [found[0] for found in sorted(numbers.values(), key=len)]
