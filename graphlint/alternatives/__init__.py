"""What if: alternatives of findings, built and measured against what they would replace."""
