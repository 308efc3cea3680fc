"""Which tokens verified copies account for, and which runs hold others."""

from __future__ import annotations

from typing import Any

from dedup.kernels import kernel
from dedup.kernels.align import COPY, FIRST, KIND, RIGHT_FIRST, RIGHT_STOP, STOP
from dedup.kernels.tokenise import BOILERPLATE


@kernel
def see(
    lefts: Any, rights: Any, runs: Any, run_offsets: Any, passages: Any, passage_offsets: Any, starts: Any,
    marks: Any,
) -> None:  # fmt: skip
    """Set `marks` uint8 of the tokens that lie in runs within copies.

    `lefts`, `rights`: the pairs' text numbers; `runs` and `passages` as `seed` and `assemble` give them;
    `starts` int64 (texts,): where a text's marks begin, -1 if it has none. Threads may share the marks.
    """
    for p in range(lefts.size):
        left, right = starts[lefts[p]], starts[rights[p]]
        if left < 0 and right < 0:
            continue
        for q in range(passage_offsets[p], passage_offsets[p + 1]):
            if passages[q, KIND] != COPY:
                continue
            for r in range(run_offsets[p], run_offsets[p + 1]):
                shift = runs[r, 1] - runs[r, 0]
                begin = max(runs[r, 0], passages[q, FIRST], passages[q, RIGHT_FIRST] - shift)
                end = min(runs[r, 0] + runs[r, 2], passages[q, STOP], passages[q, RIGHT_STOP] - shift)
                if left >= 0:
                    for t in range(left + begin, left + end):
                        marks[t] = 1
                if right >= 0:
                    for t in range(right + shift + begin, right + shift + end):
                        marks[t] = 1


@kernel
def news(
    flags: Any, offsets: Any, lefts: Any, rights: Any, runs: Any, run_offsets: Any, least: int, starts: Any,
    marks: Any, out: Any,
) -> None:  # fmt: skip
    """Fill `out` bool (pairs,): has a run of `least` tokens a token without mark on either side?

    `flags` and `offsets` as in `Tokens`; the rest as for `see`. Boilerplate is no news.
    """
    for p in range(lefts.size):
        out[p] = False
        left, right = starts[lefts[p]], starts[rights[p]]
        for r in range(run_offsets[p], run_offsets[p + 1]):
            if runs[r, 2] < least:
                continue
            for t in range(runs[r, 2]):
                one, other = runs[r, 0] + t, runs[r, 1] + t
                if marks[left + one] & marks[right + other] == 0:
                    own = flags[offsets[lefts[p]] + one] | flags[offsets[rights[p]] + other]
                    out[p] |= own & BOILERPLATE == 0
