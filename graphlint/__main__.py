"""`python -m graphlint`, and the `graphlint` command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line."""
    try:
        from graphlint.cli import app
    except ImportError as error:
        _tell_broken_installation(error)
        sys.exit(2)
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(2)


def _tell_broken_installation(error: ImportError) -> None:
    from importlib.metadata import PackageNotFoundError, distribution

    print("error: graphlint is not installed completely", file=sys.stderr)
    print(f"cause: {error}", file=sys.stderr)
    try:
        distribution("graphlint")
        hint = (
            "another package called `graphlint` is installed, and its files and those of "
            "onnx-graphlint overwrite each other: uninstall both, then install onnx-graphlint"
        )
    except PackageNotFoundError:
        hint = "install onnx-graphlint again, with its dependencies"
    print(f"hint:  {hint}", file=sys.stderr)


if __name__ == "__main__":
    main()
