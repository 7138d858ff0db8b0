"""Children that crash, hang and eat memory, for real.

Python imports a module called `sitecustomize` when it starts. The one that `folder_for` writes lies
in wait in graphlint's child processes only, and misbehaves when a stage of a model begins.
"""

from pathlib import Path

_TRAP = """
import sys

if "{child}" in sys.orig_argv:
    import os
    import signal
    import time

    import graphlint.{module} as module

    original = module.{function}

    def misbehave(*arguments, **options):
        {deed}
        return original(*arguments, **options)

    module.{function} = misbehave
"""

DEEDS = {
    "crash": "os.kill(os.getpid(), signal.SIGSEGV)",
    "spin": "exec('while True: pass')",
    "exit": "os._exit(7)",
    "devour": "hoard = [bytearray(1 << 26) for _ in range(1 << 20)]",
}


def folder_for(
    parent: Path, deed: str, module: str, function: str, child: str = "graphlint.worker"
) -> Path:
    """A folder for PYTHONPATH whose children do `deed` when `function` of `module` is called."""
    folder = parent / f"trap-{deed}-{function}"
    folder.mkdir()
    text = _TRAP.format(child=child, module=module, function=function, deed=DEEDS[deed])
    (folder / "sitecustomize.py").write_text(text, encoding="utf-8")
    return folder
