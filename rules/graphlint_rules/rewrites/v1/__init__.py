"""ShuffleNet V1: its units and networks, found in whatever spelling."""
