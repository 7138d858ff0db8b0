"""The paper's experiments, and single layers, run on a device: what a device profile is made of."""
