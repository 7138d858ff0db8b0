"""Settings of ONNX Runtime's own operators, by the names that its schemas give them."""

from functools import cache
from typing import Any

import pytest

from graphlint.costs import HANDLES

pytest.importorskip("onnxruntime", reason="the schemas are those of the runtime")

SETTINGS = """
    Attention past_sequence_length
    BiasDropout ratio training_mode
    BitmaskBiasDropout ratio training_mode
    BitmaskDropout ratio training_mode
    ConvTransposeWithDynamicPads Pads
    CropAndResize crop_size
    DecoderAttention static_kv use_past has_layer_state has_key_padding_mask
    DecoderMaskedMultiHeadAttention past_sequence_length beam_width
    DecoderMaskedSelfAttention past_sequence_length beam_width
    DequantizeBFP shape strides
    DynamicQuantizeLSTM sequence_lens
    EmbedLayerNormalization input_ids segment_ids position_ids
    ExpandDims axis
    GatherBlockQuantized indices
    GatherND indices
    GroupQueryAttention seqlens_k total_sequence_length position_ids query_seqlens
    MatMulFpQ4 B_shape
    MaxUnpool output_shape
    MultiHeadAttention past_sequence_length
    PackedAttention token_offset cumulative_sequence_length
    PackedMultiHeadAttention token_offset cumulative_sequence_length
    Pad pads value
    QEmbedLayerNormalization input_ids segment_ids
    Range start limit delta
    RelativePositionBias query_length key_length
    Resize roi scales sizes
    RestorePadding token_offset
    RotaryEmbedding position_ids
    TorchEmbedding indices padding_idx scale_grad_by_freq
    Trilu k
"""
KNOWN = {line.split()[0]: set(line.split()[1:]) for line in SETTINGS.strip().splitlines()}
DOMAINS = ("com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc")


@cache
def schemas() -> dict[tuple[str, str], list[str]]:
    """The names of the inputs of every operator of the runtime, in its newest version."""
    from onnxruntime.capi import _pybind_state

    listed: list[Any] = _pybind_state.get_all_operator_schema()
    newest = sorted(listed, key=lambda schema: int(schema.since_version))
    return {(one.domain, one.name): [given.name for given in one.inputs] for one in newest}


@pytest.mark.parametrize("domain", DOMAINS)
def test_settings_are_those_of_the_runtime_s_schemas(domain: str) -> None:
    compared = 0
    for (home, op), handle in HANDLES.items():
        if home == domain and (names := schemas().get((home, op))) is not None:
            found = {names[place] for place in handle.control if place < len(names)}
            assert found == KNOWN.get(op, set()) & set(names), op
            compared += 1
    assert compared
