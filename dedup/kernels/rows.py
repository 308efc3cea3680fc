"""Room for results whose number is not known beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import kernel


@kernel
def with_room(rows: Any, filled: int, more: int) -> Any:
    """`rows` int32 (n, k) if it has room for `more` behind the `filled` ones, else a larger copy."""
    if filled + more <= rows.shape[0]:
        return rows
    larger = np.empty((2 * (filled + more), rows.shape[1]), np.int32)
    for row in range(filled):
        for column in range(rows.shape[1]):
            larger[row, column] = rows[row, column]
    return larger
