"""Measured latency, brought back to the nodes that a person wrote; see `docs/measuring.md`.

    measure.measure(request.MeasureRequest("model.onnx")) → ModelTimes or NotMeasured

Importing `measure` imports no runtime: that happens in the child process that measures.
"""
