"""The names of the plans from V1 to V2."""

KEEP, KEEP_FLOPS, MATCH, MATCH_ALIGNED = "keep", "keep-flops", "match", "match-aligned"
PLANS = (MATCH_ALIGNED, KEEP_FLOPS, MATCH, KEEP)
"""The first that can be done is the best where nothing can be measured."""
