"""What changed between two models: nodes by their structure, costs, findings, latency."""
