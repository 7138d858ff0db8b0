"""What a student learns from the teacher: its answers, or the values of its units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphlint_rules.rewrites.v2.fitting.arrays import Array, Indices, flat
from graphlint_rules.rewrites.v2.fitting.parameters import Layer
from graphlint_rules.rewrites.v2.fitting.placement import Order
from graphlint_rules.rewrites.v2.fitting.student import Chain, Student
from graphlint_rules.rewrites.v2.fitting.teaching import Source

TEMPERATURE = 2.0


@dataclass(frozen=True)
class Answers:
    """To answer as the teacher does: distillation.

    The student reads the teacher's value `reads`, with the teacher's channel order[j] at place j,
    and is to put out the value `outputs`.
    """

    student: Student
    source: Source
    reads: str
    order: Order
    outputs: str
    batch: int

    @property
    def layers(self) -> Sequence[Layer]:
        """The units that are not exact, and the head."""
        return self.student.layers

    def images(self, members: Indices) -> Array:
        """The images with these numbers."""
        return self.source.of(members)

    def learn(self, images: Array) -> None:
        """Note the gradients of the divergence from the teacher's answers."""
        x, outputs = self._given(images)
        found = self.student.forward(x)
        self.student.backward(divergence_gradient(found, outputs, TEMPERATURE))

    def prepare(self, images: Array) -> None:
        """Normalise the layers by a batch of images."""
        x, _ = self._given(images)
        self.student.forward(x)
        self.student.chain.normalise()
        self.student.head.normalise()

    def grade(self, members: Indices) -> float:
        """The share of images on which both give the same answer."""
        return self.same(members) / max(1, len(members))

    def same(self, members: Indices) -> int:
        """On how many images both give the same answer."""
        total = 0
        for start in range(0, len(members), self.batch):
            x, outputs = self._given(self.images(members[start : start + self.batch]))
            answers = self.student.forward(x).argmax(axis=0)
            total += int((answers == outputs.argmax(axis=0)).sum())
        return total

    def _given(self, images: Array) -> tuple[Array, Array]:
        """The student's input and the teacher's outputs, images last."""
        x, outputs = self.source.run(images, [self.reads, self.outputs])
        return x[self.order], flat(outputs)


@dataclass(frozen=True)
class Values:
    """To put out of every unit what the teacher's unit does: for units whose network is unknown.

    `orders` are those of the chain's input and of every unit's output.
    """

    chain: Chain
    source: Source
    orders: Sequence[Order]
    batch: int

    @property
    def layers(self) -> Sequence[Layer]:
        """The units that are not exact."""
        return self.chain.layers

    def images(self, members: Indices) -> Array:
        """The images with these numbers."""
        return self.source.of(members)

    def learn(self, images: Array) -> None:
        """Note the gradients of the mean of all units' normalised squared errors."""
        x, *wanted = self._given(images)
        gradients = []
        for y, target in zip(self.chain.forward(x), wanted, strict=True):
            variance = np.square(target - target.mean(axis=(1, 2, 3), keepdims=True)).mean()
            scale = 2 / (max(variance, 1e-12) * y.size * len(wanted))
            gradients.append((y - target) * np.float32(scale))
        self.chain.backward(gradients)

    def prepare(self, images: Array) -> None:
        """Normalise the layers by a batch of images."""
        self.chain.forward(self._given(images)[0])
        self.chain.normalise()

    def grade(self, members: Indices) -> float:
        """Minus the mean of the units' normalised mean squared errors."""
        return -float(np.mean(self.errors(members)))

    def errors(self, members: Indices) -> Array:
        """The normalised mean squared error of each unit, fed by the student's units before it."""
        errors, totals = np.zeros((2, len(self.chain.units)))
        for start in range(0, len(members), self.batch):
            x, *wanted = self._given(self.images(members[start : start + self.batch]))
            for place, (y, target) in enumerate(zip(self.chain.forward(x), wanted, strict=True)):
                errors[place] += np.square(y - target).sum(dtype=np.float64)
                centre = target.mean(axis=(1, 2, 3), keepdims=True)
                totals[place] += np.square(target - centre).sum(dtype=np.float64)
        shares: Array = errors / np.maximum(totals, 1e-12)
        return shares

    def _given(self, images: Array) -> list[Array]:
        """The chain's input and what each unit is to put out, in the student's orders."""
        units = [unit.plan.unit for unit in self.chain.units]
        values = self.source.run(images, [units[0].input, *(unit.output for unit in units)])
        return [value[order] for value, order in zip(values, self.orders, strict=True)]


def softened(outputs: Array, temperature: float) -> Array:
    """Softmax over classes, (classes, batch)."""
    scaled = outputs / np.float32(temperature)
    powers = np.exp(scaled - scaled.max(axis=0))
    shares: Array = powers / powers.sum(axis=0)
    return shares


def divergence_gradient(student: Array, teacher: Array, temperature: float) -> Array:
    """The gradient by the student's outputs of KL(teacher ‖ student), the batch's mean, times T².

    Hinton et al., "Distilling the knowledge in a neural network", arXiv 1503.02531.
    """
    difference = softened(student, temperature) - softened(teacher, temperature)
    scaled: Array = difference * np.float32(temperature / student.shape[1])
    return scaled
