"""Rewriting: from a model and a `graphlint.rewrites.Rewrite` to a verified, saved model."""
