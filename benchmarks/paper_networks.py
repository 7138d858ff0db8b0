"""The networks of the paper's table 8, with what it says of them, and MobileNet V3 beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from onnx import ModelProto

from fixtures.inception import xception
from fixtures.mobilenet import mobilenet_v1, mobilenet_v2, mobilenet_v3
from fixtures.nasnet import nasnet_a, pnasnet_5
from fixtures.shufflenet import shufflenet_v1, shufflenet_v2

__all__ = ["FIGURE_2", "NETWORKS", "REFERENCE", "Network", "Printed"]


@dataclass(frozen=True, slots=True)
class Printed:
    """A row of table 8: millions of multiply-adds, top-1 error in %, and its two speeds.

    `gpu` is in batches of 8 a second on a GTX 1080Ti, `arm` in images a second on a Snapdragon 810.
    """

    millions: int
    error: float
    gpu: int
    arm: float


@dataclass(frozen=True, slots=True)
class Network:
    """A network at 224², batch 1; `printed` is None for one that is younger than the paper."""

    family: str
    variant: str
    build: Callable[..., ModelProto]
    printed: Printed | None

    @property
    def name(self) -> str:
        """Family and variant."""
        return f"{self.family} {self.variant}".strip()


def _scaled(
    family: str,
    build: Callable[..., ModelProto],
    rows: dict[str, tuple[float, Printed]],
) -> Iterator[Network]:
    for variant, (scale, printed) in rows.items():
        yield Network(family, variant, partial(build, scale=scale, size=224), printed)


NETWORKS: tuple[Network, ...] = (
    *_scaled(
        "ShuffleNet V2",
        shufflenet_v2,
        {
            "0.5×": (0.5, Printed(41, 39.7, 417, 57.0)),
            "1×": (1.0, Printed(146, 30.6, 341, 24.4)),
            "1.5×": (1.5, Printed(299, 27.4, 255, 11.8)),
            "2×": (2.0, Printed(591, 25.1, 217, 6.7)),
        },
    ),
    *_scaled(
        "ShuffleNet V1",
        partial(shufflenet_v1, 3),
        {
            "0.5×": (0.5, Printed(38, 43.2, 347, 56.8)),
            "1×": (1.0, Printed(140, 32.6, 213, 21.8)),
            "1.5×": (1.5, Printed(292, 28.5, 164, 10.3)),
            "2×": (2.0, Printed(524, 26.3, 133, 6.4)),
        },
    ),
    *_scaled(
        "MobileNet V1",
        mobilenet_v1,
        {
            "0.25": (0.25, Printed(41, 49.4, 502, 36.4)),
            "0.5": (0.5, Printed(149, 36.3, 382, 16.5)),
            "0.75": (0.75, Printed(325, 31.6, 314, 10.6)),
            "1.0": (1.0, Printed(569, 29.4, 247, 6.5)),
        },
    ),
    *_scaled(
        "MobileNet V2",
        mobilenet_v2,
        {
            "0.6": (0.6, Printed(141, 33.3, 249, 14.9)),
            "1.0": (1.0, Printed(300, 28.0, 180, 8.9)),
            "1.4": (1.4, Printed(585, 25.3, 137, 5.4)),
        },
    ),
    # The paper gives no widths: these factors of the original's come nearest to its multiply-adds.
    *_scaled(
        "Xception",
        xception,
        {
            "0.5×": (0.085, Printed(40, 44.9, 384, 52.9)),
            "1×": (0.172, Printed(145, 34.1, 278, 19.5)),
            "1.5×": (0.25, Printed(305, 29.4, 219, 10.5)),
            "2×": (0.333, Printed(525, 27.6, 174, 6.7)),
        },
    ),
    Network("NASNet-A", "4@1056", nasnet_a, Printed(564, 26.0, 130, 4.6)),
    Network("PNASNet-5", "", pnasnet_5, Printed(588, 25.8, 115, 4.1)),
    Network("MobileNet V3", "small", partial(mobilenet_v3, "small"), None),
    Network("MobileNet V3", "large", partial(mobilenet_v3, "large"), None),
)

REFERENCE = "ShuffleNet V2 1×"
"""What the others' speed is told against."""

FIGURE_2 = (
    "ShuffleNet V2 1×",
    "ShuffleNet V1 1×",
    "MobileNet V1 0.5",
    "Xception 1×",
    "MobileNet V2 0.6",
    "MobileNet V3 large",
    "NASNet-A 4@1056",
    "PNASNet-5",
)
"""Those whose time is told by category: a family's nearest to 140 million multiply-adds."""
