"""The command line without a process of its own: what is asked of it many times."""

import io
import os
import subprocess
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from graphlint.cli import app


def graphlint(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in the folder `cwd`, as in a hook; its output as text."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    given = list(map(str, arguments))
    hook = patch.dict(os.environ, {"PRE_COMMIT": "1", "COLUMNS": "100"})
    with chdir(cwd), hook, redirect_stdout(out), redirect_stderr(err):
        code = app(given, standalone_mode=False)
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
    return subprocess.CompletedProcess(given, code or 0, *texts)
