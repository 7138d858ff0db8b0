"""What changes around the units when they get new widths: the stem, and the classifier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from graphlint.graph import Node
from graphlint.rewrites import Edit, Subject
from graphlint.rewriting.scratch import blank, edit_of
from graphlint_rules.rewrites.v1.heads import ChannelTarget, Head
from graphlint_rules.rewrites.v1.networks import Stem
from graphlint_rules.rewrites.v2.network import ClassifierWeights, V2Network, V2Weights
from graphlint_rules.rewrites.v2.nodes import Layers
from graphlint_rules.rewrites.v2.units import ConvWeights
from graphlint_rules.rewrites.v2.weights import drawn

STEM, CLASSIFIER = "stem", "classifier"


def seeded_surroundings(
    network: V2Network, weights: V2Weights, generator: np.random.Generator
) -> V2Weights:
    """The weights with those of stem, last convolution and classifier, where they are new."""
    if network.network is None:
        return weights
    stem, head = network.network.stem, network.network.head
    last = network.units[-1].width_out
    if network.stem_width is not None and stem is not None:
        kernel = stem.window.kernel
        weights = replace(
            weights, stem=drawn(generator, network.stem_width, stem.conv.width_in, kernel)
        )
    if network.final_width is not None:
        weights = replace(weights, final=drawn(generator, network.final_width, last))
    if network.recut:
        channels, classes = network.final_width or last, head.weight.shape[0]
        rows = drawn(generator, classes, channels).weight[:, :, 0, 0]
        weights = replace(weights, classifier=ClassifierWeights(rows, head.bias))
    return weights


def surrounding_edits(subject: Subject, network: V2Network, weights: V2Weights) -> Iterator[Edit]:
    """The edits of the stem and of the head, where they have new weights."""
    if network.network is None:
        return
    stem, head = network.network.stem, network.network.head
    if weights.stem is not None and stem is not None:
        yield _stem(subject, network, stem, weights.stem)
    if weights.classifier is not None:
        yield _classifier(subject, network, head, weights.classifier)
        channels = weights.classifier.weight.shape[1]
        for target in head.targets:
            if target.target[target.position] != channels:
                yield _reshape(subject, network, target, channels)


def _stem(subject: Subject, network: V2Network, stem: Stem, weights: ConvWeights) -> Edit:
    nodes = stem.nodes
    graph = blank(subject, nodes)
    layers = Layers(subject, graph, stem.result, STEM, network.style)
    x = layers.conv("conv", layers.value(stem.source), weights, stem.window)
    slope = stem.activation.slope
    x = layers.activation("conv", x, stem.activation, None if slope is None else slope.mean())
    layers.finish(x, stem.result)
    return edit_of(graph, nodes, STEM)


def _classifier(
    subject: Subject, network: V2Network, head: Head, weights: ClassifierWeights
) -> Edit:
    nodes: tuple[Node, ...] = head.classifier_nodes
    graph = blank(subject, nodes)
    layers = Layers(subject, graph, head.output, CLASSIFIER, network.style)
    rank = len(subject.view.shape(head.features) or ())
    x = layers.classifier(layers.value(head.features), weights.weight, weights.bias, rank)
    layers.finish(x, head.output)
    return edit_of(graph, nodes, CLASSIFIER)


def _reshape(subject: Subject, network: V2Network, target: ChannelTarget, channels: int) -> Edit:
    nodes = (target.node,)
    graph = blank(subject, nodes)
    output = target.node.outputs[0]
    layers = Layers(subject, graph, output, CLASSIFIER, network.style)
    sizes = list(target.target)
    sizes[target.position] = channels
    x = layers.reshape(layers.value(target.node.input(0)), sizes, dict(target.node.attributes))
    layers.finish(x, output)
    return edit_of(graph, nodes, CLASSIFIER)
