"""Examples for element-wise traffic: what is absorbed, and what stays."""

from __future__ import annotations

from graphlint.rule import Example

GOOD = (
    Example(
        "absorbed behind a convolution: BatchNormalization, scale, bias and activation",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x, float[8,8,1,1] w, float[8] a, float[8] b, float[8] m, float[8] v)
            => (float[1,8,14,14] y)
        <float[1,8,1,1] scale = {1, 1, 1, 1, 1, 1, 1, 1},
         float[8,1,1] bias = {1, 1, 1, 1, 1, 1, 1, 1}> {
            c = Conv(x, w)
            n = BatchNormalization(c, a, b, m, v)
            s = Mul(n, scale)
            t = Add(s, bias)
            y = Relu(t)
        }
        """,
    ),
    Example(
        "a bias and an activation behind MatMul",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,196,64] x, float[64,64] w) => (float[1,196,64] y)
        <int64[1] width = {64}> {
            bias = ConstantOfShape(width)
            m = MatMul(x, w)
            b = Add(bias, m)
            y = Tanh(b)
        }
        """,
    ),
    Example(
        "an activation behind a Concat",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x, float[8,8,3,3] w) => (float[1,16,7,7] y) {
            p = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [2, 2]> (x)
            c = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (x, w)
            j = Concat <axis = 1> (p, c)
            y = Relu(j)
        }
        """,
    ),
    Example(
        "ShuffleNet V2's join: Concat, channel shuffle, Split",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x, float[4,4,1,1] w)
            => (float[1,4,14,14] p, float[1,4,14,14] q)
        <int64[5] apart = {1, 2, 4, 14, 14}, int64[4] together = {1, 8, 14, 14}> {
            a, b = Split <axis = 1> (x)
            c = Conv(b, w)
            r = Relu(c)
            j = Concat <axis = 1> (a, r)
            s = Reshape(j, apart)
            t = Transpose <perm = [0, 2, 1, 3, 4]> (s)
            u = Reshape(t, together)
            p, q = Split <axis = 1> (u)
        }
        """,
    ),
    Example(
        "shape arithmetic: half of the channels, computed",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x) => (float[1,4,14,14] y)
        <int64 one = {1}, int64 two = {2}, int64[1] axis = {1}, int64[1] start = {0}> {
            shape = Shape(x)
            channels = Gather(shape, one)
            more = Add(channels, one)
            half = Div(more, two)
            end = Unsqueeze(half, start)
            y = Slice(x, start, end, axis)
        }
        """,
    ),
    Example(
        "an activation between QuantizeLinear and DequantizeLinear",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x, float[8,8,1,1] w) => (float[1,8,14,14] y)
        <float s = {0.5}, uint8 z = {0}> {
            c = Conv(x, w)
            q = QuantizeLinear(c, s, z)
            d = DequantizeLinear(q, s, z)
            y = Relu(d)
        }
        """,
    ),
    Example(
        "one operator for an activation",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x, float[8,8,1,1] w) => (float[1,8,14,14] y) {
            c = Conv(x, w)
            y = HardSwish(c)
        }
        """,
    ),
)
BAD = (
    Example(
        "a residual sum; its activation is absorbed",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x, float[8,8,1,1] w) => (float[1,8,14,14] y) {
            c = Conv(x, w)
            a = Add(x, c)
            y = Relu(a)
        }
        """,
    ),
    Example(
        "squeeze and excitation scales the whole tensor",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x, float[8,8,1,1] w) => (float[1,8,14,14] y) {
            p = GlobalAveragePool(x)
            c = Conv(p, w)
            s = Sigmoid(c)
            y = Mul(x, s)
        }
        """,
    ),
    Example(
        "BatchNormalization behind a Concat, with its activation",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x, float[8,8,1,1] w, float[16] a, float[16] b, float[16] m,
             float[16] v) => (float[1,16,14,14] y) {
            c = Conv(x, w)
            j = Concat <axis = 1> (x, c)
            n = BatchNormalization(j, a, b, m, v)
            y = Relu(n)
        }
        """,
    ),
    Example(
        "an activation whose input is read elsewhere",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x, float[8,8,1,1] w)
            => (float[1,8,14,14] y, float[1,8,14,14] c) {
            c = Conv(x, w)
            y = Relu(c)
        }
        """,
    ),
    Example(
        "x·sigmoid(x)",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x, float[8,8,1,1] w) => (float[1,8,14,14] y) {
            c = Conv(x, w)
            s = Sigmoid(c)
            y = Mul(c, s)
        }
        """,
    ),
    Example(
        "x·clip(x + 3)/6",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x, float[8,8,1,1] w) => (float[1,8,14,14] y)
        <float three = {3}, float zero = {0}, float six = {6}> {
            c = Conv(x, w)
            a = Add(c, three)
            r = Clip(a, zero, six)
            m = Mul(c, r)
            y = Div(m, six)
        }
        """,
    ),
    Example(
        "a depthwise convolution, as information",
        """
        <ir_version: 8, opset_import: ["" : 17]>
        net (float[1,8,14,14] x, float[8,1,3,3] w) => (float[1,8,14,14] y) {
            y = Conv <group = 8, pads = [1, 1, 1, 1]> (x, w)
        }
        """,
    ),
)
