"""Measured latency, brought back to the nodes that a person wrote; see `docs/measuring.md`.

    measure.measure(request.MeasureRequest("model.onnx")) → ModelTimes or NotMeasured

    compare.compare([request.MeasureRequest("a.onnx"), request.MeasureRequest("b.onnx")])
        → Comparison
    ceilings.measure_ceilings("cpu", threads=1, seconds=1.0) → Ceilings or NotMeasured

Importing these imports no runtime: that happens in the child process that measures.
"""
