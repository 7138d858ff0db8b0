"""Sessions of ONNX Runtime; nothing else in graphlint imports it.

It is imported when the first session is asked for, with its telemetry switched off: it would
otherwise write a device id and a database of events into the user's cache folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from graphlint.errors import GraphlintError

LEVELS = ("disable", "basic", "extended", "all")
"""Levels of graph optimisation, as the command line spells them."""

PROVIDERS: Mapping[str, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "dml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "dnnl": "DnnlExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
    "qnn": "QNNExecutionProvider",
    "webgpu": "WebGpuExecutionProvider",
}
"""ONNX Runtime's names of execution providers, by the command line's."""

DEVICE_PROVIDERS = frozenset({"cuda", "tensorrt"})
"""Providers whose kernels run on after they are launched."""

_NEEDS_CUDA = frozenset({"cuda", "tensorrt"})
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")
_ERRORS_ONLY = 4  # ONNX Runtime's severity "fatal": it must not write between the frames


class LatencyError(GraphlintError):
    """A model that can't be measured as asked. `is_usage`: because of an option."""

    is_usage = False


class LatencyUsageError(LatencyError):
    """A provider that is not there, or input data that does not fit."""

    is_usage = True


@dataclass(frozen=True, slots=True)
class Setup:
    """How sessions are made: a provider's short name, threads within an operator, and a level."""

    provider: str = "cpu"
    threads: int = 1
    optimization: str = "all"


def is_installed() -> bool:
    """Whether ONNX Runtime can be imported, without importing it."""
    from importlib.util import find_spec

    return find_spec("onnxruntime") is not None


def version() -> str:
    """ONNX Runtime's version."""
    return str(_runtime().__version__)


@cache
def _runtime() -> ModuleType:
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        runtime = import_module("onnxruntime")
    except ImportError as error:
        raise LatencyError(
            "no runtime is installed",
            cause=str(error),
            hint="install the extra `gpu` (or `cpu`) of onnx-graphlint to measure latency",
        ) from error
    runtime.set_default_logger_severity(_ERRORS_ONLY)
    return runtime


def available_providers() -> tuple[str, ...]:
    """Short names of the providers that the installed runtime was built with."""
    have = _runtime().get_available_providers()
    return tuple(short for short, name in PROVIDERS.items() if name in have)


def resolve_provider(name: str) -> str:
    """ONNX Runtime's name of a provider.

    Raises:
        LatencyUsageError: there is no such provider, or the installed runtime lacks it.
    """
    full = PROVIDERS.get(name.lower())
    if full is None:
        raise LatencyUsageError(
            f"--provider {name}: no such execution provider",
            cause=f"graphlint knows {', '.join(PROVIDERS)}",
            hint="see `graphlint version` for what is installed",
        )
    if full not in _runtime().get_available_providers():
        raise LatencyUsageError(
            f"--provider {name}: not in the installed runtime",
            cause=f"it has {', '.join(available_providers())}",
            hint="install the extra `cuda` of onnx-graphlint"
            if name in _NEEDS_CUDA
            else "install a build of ONNX Runtime that has it",
        )
    return full


def open_session(
    model: Path,
    setup: Setup,
    *,
    save_optimised: Path | None = None,
    profile: Path | None = None,
) -> Any:
    """A fresh session on the model at a path.

    `save_optimised` is where the optimised model goes, its larger weights in a file beside it (so
    that models over 2 GB can be saved); `profile` is the prefix of the profile's path.

    Raises:
        LatencyError: the runtime refuses the model, or the provider is not the one asked for.
    """
    runtime = _runtime()
    provider = resolve_provider(setup.provider)
    if setup.provider in _NEEDS_CUDA and hasattr(runtime, "preload_dlls"):
        runtime.preload_dlls()
    options = runtime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.graph_optimization_level = _level(setup.optimization)
    options.intra_op_num_threads = setup.threads
    options.inter_op_num_threads = 1
    if save_optimised is not None:
        options.optimized_model_filepath = str(save_optimised)
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name",
            f"{save_optimised.name}.weights",
        )
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    names = [provider] if setup.provider == "cpu" else [provider, PROVIDERS["cpu"]]
    try:
        session = runtime.InferenceSession(str(model), options, providers=names)
    except Exception as error:  # pybind's exceptions have no common base of their own
        raise LatencyError(
            "the runtime refused the model",
            cause=first_line(error),
            hint="run it with onnxruntime alone to see more",
        ) from error
    _check_provider(setup.provider, provider, session.get_providers())
    return session


def bound_run(session: Any, feed: Mapping[str, Any], provider: str) -> Callable[[], object]:
    """One run from end to end; on a device without copies from and to the host.

    A run there returns before the device is done: it ends when the outputs are synchronised.
    """
    if provider not in DEVICE_PROVIDERS:
        return partial(session.run, None, feed)
    runtime = _runtime()
    binding = session.io_binding()
    for name, array in feed.items():
        binding.bind_ortvalue_input(name, runtime.OrtValue.ortvalue_from_numpy(array, "cuda", 0))
    for output in session.get_outputs():
        binding.bind_output(output.name, "cuda", 0)

    def run() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return run


def _check_provider(asked: str, full: str, got: Sequence[str]) -> None:
    """Refuse a session that fell back to another provider in silence."""
    if got[:1] == [full]:
        return
    raise LatencyUsageError(
        f"--provider {asked}: the runtime fell back to {', '.join(got) or 'nothing'}",
        cause=f"{full} could not be loaded: its libraries or its device are missing",
        hint="install the extra `cuda` of onnx-graphlint, and check the driver with nvidia-smi"
        if asked in _NEEDS_CUDA
        else "check that the provider's libraries are installed",
    )


def _level(optimization: str) -> Any:
    levels = _runtime().GraphOptimizationLevel
    names = dict(
        zip(
            LEVELS,
            ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"),
            strict=True,
        )
    )
    if optimization not in names:
        raise LatencyUsageError(
            f"--optimization {optimization}: no such level",
            cause=f"the levels are {', '.join(LEVELS)}",
            hint="leave it out for `all`, as sessions run by default",
        )
    return getattr(levels, names[optimization])


def first_line(error: BaseException) -> str:
    """What the runtime says, without its error codes' prefix and without more than one line."""
    text = _PREFIX.sub("", str(error).strip()) or type(error).__name__
    line = text.splitlines()[0]
    return line if len(line) <= 300 else line[:299] + "…"
