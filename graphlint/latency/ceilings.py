"""What a device can do at best, measured by small probes in a process of their own."""

from __future__ import annotations

from graphlint.latency.children import (
    DEFAULT_LIMITS,
    HINT,
    NO_RUNTIME,
    Child,
    Limits,
    scratch_folder,
)
from graphlint.latency.request import ProbeRequest
from graphlint.latency.session import is_installed
from graphlint.times import Ceilings, NotMeasured


def measure_ceilings(
    provider: str, threads: int, seconds: float, limits: Limits = DEFAULT_LIMITS
) -> Ceilings | NotMeasured:
    """Bandwidth and multiply-adds per second, each from probes of about `seconds`."""
    if not is_installed():
        return NO_RUNTIME
    with scratch_folder() as folder, Child(limits, {}) as child:
        answer = child.ask(ProbeRequest(provider, threads, seconds, folder))
    if isinstance(answer, (Ceilings, NotMeasured)):
        return answer
    return NotMeasured("the measuring process gave no ceilings", HINT)
