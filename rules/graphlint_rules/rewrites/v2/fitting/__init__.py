"""Carrying weights over from a ShuffleNet V1 network, without labels, in numpy."""

from graphlint_rules.rewrites.v2.fitting.fit import fit

__all__ = ["fit"]
