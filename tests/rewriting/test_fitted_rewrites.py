"""Rewrites that carry weights over, as a user runs them: float16, repeatable, without data."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

from graphlint.config import Settings
from graphlint.rewriting.preprocessing import Preprocessing
from graphlint.rewriting.request import RewriteRequest
from graphlint.rewriting.run import rewrite

TRAINED = Path(__file__).parents[2] / "fixtures" / "trained"
DIGITS = TRAINED / "digits_v1.onnx"
ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def digits(part: str, count: int) -> np.ndarray:
    with np.load(TRAINED / f"digits_{part}.npz") as data:
        images: np.ndarray = (data["images"][:count] / 16).astype(np.float32)
    return images


def answers(path: Path, images: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {"images": images})[0].argmax(axis=1)
    return found


def in_float16(model: ModelProto) -> ModelProto:
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    for tensor in model.graph.initializer:
        if tensor.data_type == single:
            numbers = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(numbers, tensor.name))
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        if value.type.tensor_type.elem_type == single:
            value.type.tensor_type.elem_type = half
    return model


def test_a_float16_model_is_fitted_in_float32_and_written_in_float16(tmp_path: Path) -> None:
    source, out = tmp_path / "half.onnx", tmp_path / "out.onnx"
    onnx.save(in_float16(onnx.load(DIGITS)), source)
    np.save(tmp_path / "calib.npy", digits("calibration", 400))
    request = RewriteRequest(
        str(source), Settings(), out=out, plan="keep", calib=tmp_path / "calib.npy", steps=40,
        folder=tmp_path,
    )  # fmt: skip
    report = rewrite(request)
    assert report.weights == f"fitted and distilled on 400 images from {tmp_path / 'calib.npy'}"
    kinds = {tensor.data_type for tensor in onnx.load(out).graph.initializer}
    assert kinds <= {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT64}
    test = digits("test", 400).astype(np.float16)
    assert (answers(out, test) == answers(source, test)).mean() > 0.9


def test_without_data_all_answers_are_taught(tmp_path: Path) -> None:
    out = tmp_path / "out.onnx"
    pixels = Preprocessing(mean=(0.0,), std=(1.0,))
    request = RewriteRequest(
        str(DIGITS), Settings(), out=out, plan="keep", steps=60, preprocessing=pixels,
        folder=tmp_path,
    )  # fmt: skip
    report = rewrite(request)
    assert report.agreement is not None
    assert report.agreement.made_up
    assert any(note.startswith("NO DATA") for note in report.notes)
    assert any("10 of its 10 answers occur" in note for note in report.notes)
    test = digits("test", 400)
    assert (answers(out, test) == answers(DIGITS, test)).mean() > 0.85


def digest(folder: Path, name: str, threads: int) -> str:
    out = folder / name
    command = [sys.executable, "-m", "graphlint", "rewrite", str(DIGITS), "-o", str(out)]
    command += ["--plan", "keep", "--steps", "3", "--seed", "5", "--no-latency"]
    command += ["--calib", str(folder / "calib.npy"), "--time-budget", "1000"]
    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    subprocess.run(command, check=True, env={**os.environ, **limits}, capture_output=True)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def test_the_same_seed_data_plan_and_steps_give_the_same_file(tmp_path: Path) -> None:
    np.save(tmp_path / "calib.npy", digits("calibration", 64))
    assert digest(tmp_path, "a.onnx", 1) == digest(tmp_path, "b.onnx", 1)
