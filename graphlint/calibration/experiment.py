"""What a calibration measures: networks, in groups that run in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, slots=True)
class Network:
    """A network to measure; `key` is unique in its experiment, and the same in every version."""

    key: str
    build: Callable[[], ModelProto]


@dataclass(frozen=True, slots=True)
class Experiment:
    """Networks that run in turn, so that a slow moment of the machine is slow for all of them.

    `key` is unique and the same in every version: an interrupted calibration is resumed by it.
    """

    key: str
    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a network, from end to end: the median over the sessions, and their spread."""

    seconds: float
    spread: float
