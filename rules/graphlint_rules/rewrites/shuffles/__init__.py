"""Channel shuffles: recognised by their permutation, and folded into weights."""
