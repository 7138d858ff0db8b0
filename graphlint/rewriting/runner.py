"""Running the model that is rewritten, any of its values as outputs: the `Teacher` of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlint.graph import GraphView, TensorType
from graphlint.latency.session import LatencyError, Setup, first_line, open_session

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto

    Array = np.ndarray[Any, Any]


class Runner:
    """Runs a model whose external data lie in `folder`, where its variants are written.

    Every set of wanted values is a session of its own, made when it is first asked for.
    """

    def __init__(self, proto: ModelProto, view: GraphView, folder: Path) -> None:
        self._proto = proto
        self._view = view
        self._folder = folder
        self._sessions: dict[tuple[str, ...], Any] = {}
        self.inputs = view.inputs
        self.outputs = view.outputs

    def run(self, feeds: Mapping[str, Array], keys: Sequence[str]) -> list[Array]:
        """The values of `keys`, of the main graph, for one batch of inputs.

        Raises:
            LatencyError: the runtime refuses the model, or a run fails.
        """
        wanted = tuple(dict.fromkeys(keys))
        session = self._session(wanted)
        try:
            values = dict(zip(wanted, session.run(list(wanted), dict(feeds)), strict=True))
        except Exception as error:  # pybind's exceptions have no common base of their own
            raise LatencyError(
                "the runtime failed to run the model", cause=first_line(error)
            ) from error
        return [values[key] for key in keys]

    def _session(self, keys: tuple[str, ...]) -> Any:
        if keys not in self._sessions:
            path = self._folder / f"tapped-{len(self._sessions)}.onnx"
            path.write_bytes(self._tapped(keys).SerializeToString())
            self._sessions[keys] = open_session(path, Setup())
            path.unlink()
        return self._sessions[keys]

    def _tapped(self, keys: Sequence[str]) -> ModelProto:
        from onnx import helper

        proto = type(self._proto)()
        proto.CopyFrom(self._proto)
        present = {output.name for output in proto.graph.output}
        for key in keys:
            type_ = self._view.type(key)
            if key not in present and isinstance(type_, TensorType):
                proto.graph.output.append(helper.make_tensor_value_info(key, type_.dtype, None))
        return proto
