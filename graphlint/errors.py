"""What can go wrong, as one small tree.

::

    GraphlintError            every error that graphlint raises on purpose
    ├── UsageError            an option, a path or a selector that makes no sense
    │   └── ConfigError       a configuration file that can't be used
    ├── ModelError            a file that is no usable ONNX model
    ├── ShapeError            an input shape or dimension that does not fit the model
    ├── PluginError           a rule pack that can't be loaded
    ├── WorkerError           the process that read a model crashed, hung or ran out of memory
    └── RewriteError          a rewritten model that did not pass a check

Every error says what is wrong (`message`), why (`cause`) and what to do (`hint`).
This module imports nothing heavy: the command line needs it before anything else.
"""

from __future__ import annotations


class GraphlintError(Exception):
    """An error meant for the user: what is wrong, why, and what to do about it.

    `message` names the thing that failed; `cause` and `hint` are one sentence each, or empty.
    """

    def __init__(self, message: str, *, cause: str = "", hint: str = "") -> None:
        super().__init__(message, cause, hint)
        self.message = message
        self.cause = cause
        self.hint = hint

    def __str__(self) -> str:
        return self.message if not self.cause else f"{self.message}: {self.cause}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.cause, self.hint)


def _rebuild(kind: type[GraphlintError], message: str, cause: str, hint: str) -> GraphlintError:
    return kind(message, cause=cause, hint=hint)


class UsageError(GraphlintError):
    """An option, a path or a selector that makes no sense."""


class ConfigError(UsageError):
    """A configuration file that can't be used."""


class ModelError(GraphlintError):
    """A file that is no usable ONNX model."""


class ShapeError(GraphlintError):
    """An input shape or dimension that does not fit the model."""


class PluginError(GraphlintError):
    """A rule pack or cost handle that can't be loaded."""


class WorkerError(GraphlintError):
    """The process that read a model crashed, hung or ran out of memory."""


class RewriteError(GraphlintError):
    """A rewritten model that did not pass a check: nothing is written."""
