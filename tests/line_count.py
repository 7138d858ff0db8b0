"""Work counted in lines of Python: how it grows does not depend on the machine."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def lines(work: Callable[[], object]) -> int:
    """How many lines the work executes; every turn of a comprehension is one."""
    count = 0

    def event(frame: FrameType, kind: str, argument: object) -> Any:
        nonlocal count
        count += kind == "line"
        return event

    before = sys.gettrace()
    sys.settrace(event)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
