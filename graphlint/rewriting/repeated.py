"""Changes of a protobuf's repeated fields that can be taken back, without copying what stays.

Assigning to such a field copies every message, weights and all; sorting it moves pointers only. So
what goes is sorted to the end and cut off, and what comes is appended and sorted to its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

Undo = Callable[[], None]


def change(field: Any, drop: Collection[int], new: Sequence[Any], slots: Sequence[int]) -> Undo:
    """Take the messages at `drop` out of a repeated field and put copies of `new` in.

    `new[i]` comes to stand before the message that is at `slots[i]` now, those of the same slot in
    their order. Costs time linear in the field's length. The function that is returned takes it
    back, to the byte, while the field is otherwise as `change` left it.
    """
    if not drop and not new:
        return _nothing
    count = len(field)
    going = sorted(drop)
    gone = [field[position] for position in going]
    is_gone = set(going)
    end = 2 * count + 2
    keys = [end if position in is_gone else 2 * position + 1 for position in range(count)]
    keys += [2 * slot for slot in slots]
    field.extend(new)
    order = _sort(field, keys)
    del field[count + len(new) - len(gone) :]

    def undo() -> None:
        kept = [position if position < count else end for position in order]
        back = kept[: len(field)] + going
        field.extend(gone)
        _sort(field, back)
        del field[count:]

    return undo


def _sort(field: Any, keys: Sequence[int]) -> list[int]:
    """Sort the field by keys, one for each position; return the positions in their new order."""
    following = iter(keys)
    field.sort(key=lambda _: next(following))
    return sorted(range(len(keys)), key=keys.__getitem__)


def _nothing() -> None:
    pass
