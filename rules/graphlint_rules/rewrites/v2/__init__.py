"""From V1 to ShuffleNet V2: plans, nodes and weights of the new units."""
