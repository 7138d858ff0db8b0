"""What-if in a child process with limits: models are untrusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from graphlint.alternatives.request import WhatIfRequest
from graphlint.alternatives.results import WhatIfReport
from graphlint.latency.children import scratch_folder
from graphlint.rewriting.isolated import JobChild
from graphlint.rewriting.request import Progress


def what_if(
    request: WhatIfRequest, progress: Callable[[Progress], None] = lambda progress: None
) -> WhatIfReport:
    """What the alternatives of a model's findings would save, measured.

    Raises:
        WorkerError: the child crashed, hung or took too much memory.
        GraphlintError: the model can't be read, or the settings name no rule.
    """
    with scratch_folder() as folder, JobChild("graphlint.alternatives.child", "not tried") as child:
        answer = child.ask(replace(request, folder=folder), progress)
    assert isinstance(answer, WhatIfReport)
    return answer
