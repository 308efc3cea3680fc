"""Runs and fragments to passages: trim, chain, join, and tell copy from quotation and phrase."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.rows import with_room
from dedup.kernels.tokenise import BOILERPLATE, NUMBER, QUOTED

COPY, QUOTATION, BOILER, TEMPLATE, PHRASE = range(5)  # kinds, in the order of schema.PASSAGE_KINDS
FIRST, STOP, RIGHT_FIRST, RIGHT_STOP, MATCHED, KIND = range(6)  # columns of a passage

TRIM = 4  # tokens in a run that ends a passage
CHAINED = 5  # tokens in a run that makes a chain
GAP = 30  # tokens between the runs of one chain
VERBATIM = 0.6  # share of a passage in runs from which on it is trimmed to them
BALANCE = 0.4  # shorter side over longer
COPY_TOKENS = 25  # in runs outside shared quotations, for a chain to be a copy
FRAGMENT_TOKENS = 30  # on each side of a reworked fragment
SURE_TOKENS = 36  # on each side of a fragment from which on it need not hold runs
SURE_MATCHED = 0.35  # share of a smaller one that must lie in runs
FIGURES, FIGURE_SHARE = 3, 0.1  # numbers on each side of a template, and their share of its tokens
SAME_FIGURES = 0.5  # share of numbers that stand alike from which on it is a copy
QUOTED_TOKENS = 5  # in a shared quotation worth telling
TOLD_SHARE = 0.2  # of the shorter text in runs, from which on short runs are told where there is nothing else


@inner
def _matched(found: Any, a: int, b: int, x: int, y: int, shortest: int, marks: Any) -> int:
    """Left tokens of the span a..b, x..y that lie in runs, of which `shortest` tokens lie in the span.

    `marks` uint8 is scratch, zero before and after.
    """
    count = 0
    for r in range(found.shape[0]):
        shift = found[r, 1] - found[r, 0]
        begin = max(found[r, 0], a, x - shift)
        end = min(found[r, 0] + found[r, 2], b, y - shift)
        if end - begin >= shortest:
            for t in range(begin, end):
                count += 1 - marks[t]
                marks[t] = 1
    for t in range(a, b):
        marks[t] = 0
    return count


@inner
def _trim(span: Any, found: Any, marks: Any) -> None:
    """Cut a span (int32, in place) down to the runs in it where these make up most of it."""
    a, b, x, y = span[0], span[1], span[2], span[3]
    covered = _matched(found, a, b, x, y, np.int64(TRIM), marks)
    if covered == 0 or covered < VERBATIM * min(b - a, y - x):
        return
    span[0], span[1], span[2], span[3] = b, a, y, x
    for r in range(found.shape[0]):
        shift = found[r, 1] - found[r, 0]
        begin = max(found[r, 0], a, x - shift)
        end = min(found[r, 0] + found[r, 2], b, y - shift)
        if end - begin >= TRIM:
            span[0], span[1] = min(span[0], begin), max(span[1], end)
            span[2], span[3] = min(span[2], begin + shift), max(span[3], end + shift)


@inner
def _idle(left_flag: int, right_flag: int) -> bool:
    """Is a token that both sides share no evidence of copying: quoted by both, or boilerplate of either?"""
    return bool((left_flag & right_flag & QUOTED) | ((left_flag | right_flag) & BOILERPLATE))


@inner
def _chained(
    left_flags: Any, right_flags: Any, found: Any, chain_of: Any, least: int, kind: int, out: Any, count: int
) -> int:
    """Write chains with enough tokens that are evidence to `out`, from row `count` on; the new count."""
    for c in range(found.shape[0]):
        if chain_of[c] != c:
            continue
        a, b, x, y = found[c, 0], found[c, 0], found[c, 1], found[c, 1]
        evidence, reached = 0, found[c, 0]
        for r in range(c, found.shape[0]):
            if chain_of[r] == c:
                end = found[r, 0] + found[r, 2]
                b = max(b, end)
                x = min(x, found[r, 1])
                y = max(y, found[r, 1] + found[r, 2])
                for t in range(max(found[r, 0], reached), end):
                    evidence += not _idle(left_flags[t], right_flags[t + found[r, 1] - found[r, 0]])
                reached = max(reached, end)
        if min(evidence, y - x) >= least:
            out[count, FIRST], out[count, STOP] = a, b
            out[count, RIGHT_FIRST], out[count, RIGHT_STOP] = x, y
            out[count, KIND] = kind
            count += 1
    return count


@inner
def _join(passages: Any, count: int) -> int:
    """Join passages that overlap on both sides, in place; the number that remains."""
    one = 0
    while one < count:
        two = one + 1
        while two < count:
            left = min(passages[one, 1], passages[two, 1]) > max(passages[one, 0], passages[two, 0])
            if left and min(passages[one, 3], passages[two, 3]) > max(passages[one, 2], passages[two, 2]):
                passages[one, 0] = min(passages[one, 0], passages[two, 0])
                passages[one, 1] = max(passages[one, 1], passages[two, 1])
                passages[one, 2] = min(passages[one, 2], passages[two, 2])
                passages[one, 3] = max(passages[one, 3], passages[two, 3])
                count -= 1
                for column in range(6):
                    passages[two, column] = passages[count, column]
                two = one + 1
            else:
                two += 1
        one += 1
    return count


@inner
def _remainder(
    left_flags: Any, right_flags: Any, found: Any, guarantee: int, out: Any, count: int
) -> int:  # fmt: skip
    """Write shared quotations and boilerplate, and long runs outside the `count` copies."""
    copies = count
    for r in range(found.shape[0]):
        first, length, shift = found[r, 0], found[r, 2], found[r, 1] - found[r, 0]
        if length < QUOTED_TOKENS:
            continue
        quoted, boiler = 0, 0
        for t in range(first, first + length):
            if (left_flags[t] | right_flags[t + shift]) & BOILERPLATE:
                boiler += 1
            elif left_flags[t] & right_flags[t + shift] & QUOTED:
                quoted += 1
        kind = PHRASE
        if 2 * boiler > length:
            kind = BOILER
        elif 2 * quoted > length:
            kind = QUOTATION
        elif length < guarantee:
            continue
        told = False
        for p in range(copies if kind == PHRASE else 0):
            if out[p, 0] <= first and first + length <= out[p, 1]:
                told |= out[p, 2] <= first + shift and first + length + shift <= out[p, 3]
        if not told:
            out[count, FIRST], out[count, STOP] = first, first + length
            out[count, RIGHT_FIRST], out[count, RIGHT_STOP] = first + shift, first + shift + length
            out[count, KIND] = kind
            count += 1
    return count


@inner
def _figure(slots: Any, figure: Any) -> int:
    """The slot of a table that holds a figure, or the free one where it would stand."""
    slot = np.int64((figure * np.uint32(0x9E3779B1)) >> np.uint32(8)) & (slots.size - 1)
    while slots[slot] >= 0 and slots[slot] != figure:
        slot = (slot + 1) & (slots.size - 1)
    return slot


@inner
def _is_template(
    left: Any, left_flags: Any, right: Any, right_flags: Any, a: int, b: int, x: int, y: int
) -> bool:
    """Have left tokens a..b and right tokens x..y many figures, but few of the same?"""
    ours, theirs = 0, 0
    for t in range(a, b):
        ours += left_flags[t] & NUMBER
    for u in range(x, y):
        theirs += right_flags[u] & NUMBER
    fewer = min(ours, theirs)
    if fewer < max(FIGURES, FIGURE_SHARE * min(b - a, y - x)):
        return False
    size = 16
    while size < 2 * theirs:
        size *= 2
    slots = np.full(size, -1)  # the figures on the right
    for u in range(x, y):
        if right_flags[u] & NUMBER:
            slots[_figure(slots, right[u])] = right[u]
    same = 0
    for t in range(a, b):
        if left_flags[t] & NUMBER:
            same += slots[_figure(slots, left[t])] == left[t]
    return bool(same < SAME_FIGURES * fewer)


@inner
def _match(
    passages: Any, count: int, found: Any, left: Any, left_flags: Any, right: Any, right_flags: Any,
    left_marks: Any, right_marks: Any, scratch: Any,
) -> None:  # fmt: skip
    """Count the tokens of runs inside each passage; tell templates; mark what is copied.

    In copies, tokens of runs are marked with bit 0 and all tokens with bit 1, boilerplate excepted. A copy
    whose words are the same but whose figures are not is a template. `scratch` as for `_matched`.
    """
    for p in range(count):
        a, b, x, y = passages[p, FIRST], passages[p, STOP], passages[p, RIGHT_FIRST], passages[p, RIGHT_STOP]
        passages[p, MATCHED] = min(_matched(found, a, b, x, y, np.int64(1), scratch), y - x)
        if passages[p, KIND] != COPY:
            continue
        if _is_template(left, left_flags, right, right_flags, a, b, x, y):
            passages[p, KIND] = TEMPLATE
            continue
        for r in range(found.shape[0]):
            shift = found[r, 1] - found[r, 0]
            for t in range(max(found[r, 0], a, x - shift), min(found[r, 0] + found[r, 2], b, y - shift)):
                left_marks[t] |= 1
                right_marks[t + shift] |= 1
        for t in range(a, b):
            left_marks[t] |= 2
        for t in range(x, y):
            right_marks[t] |= 2


@inner
def _marked(flags: Any, marks: Any) -> tuple[int, int]:
    """How many tokens `_match` marked as matched, and how many as covered, without boilerplate."""
    matched, covered = 0, 0
    for t in range(marks.size):
        if flags[t] & BOILERPLATE == 0:
            matched += marks[t] & 1
            covered += marks[t] >> 1
    return matched, covered


@kernel
def chains(found: Any, shortest: int, gap: int) -> Any:
    """Join runs (as `runs` gives them) that lie within `gap` tokens of each other on both sides.

    Runs shorter than `shortest` are left out. Order on the right does not matter, so that text moved within
    a passage stays one passage. Returns the chain number of each run, int32 (n,), -1 for those left out;
    numbers are those of the chains' first runs.
    """
    parents = np.full(found.shape[0], -1, np.int32)
    for run in range(found.shape[0]):
        if found[run, 2] >= shortest:
            parents[run] = run
    for run in range(found.shape[0]):
        if parents[run] < 0:
            continue
        for other in range(run + 1, found.shape[0]):
            if found[other, 0] - (found[run, 0] + found[run, 2]) > gap:
                break
            if parents[other] < 0:
                continue
            if (
                found[other, 1] - (found[run, 1] + found[run, 2]) <= gap
                and found[run, 1] - (found[other, 1] + found[other, 2]) <= gap
            ):
                one, two = run, other
                while parents[one] != one:
                    one = parents[one]
                while parents[two] != two:
                    two = parents[two]
                parents[max(one, two)] = min(one, two)
    for run in range(found.shape[0]):
        if parents[run] >= 0:
            parents[run] = parents[parents[run]]
    return parents


@kernel
def assemble(
    hashes: Any, flags: Any, offsets: Any, lefts: Any, rights: Any, runs: Any, run_offsets: Any,
    spans: Any, span_offsets: Any, guarantee: int, totals: Any, passage_offsets: Any,
) -> Any:  # fmt: skip
    """Passages of each pair from its runs and its fragments of similar sentences.

    `hashes`, `flags`, `offsets` as in `Tokens`; `lefts`, `rights`: the pairs' text numbers. Returns int32
    (n, 6), pair after pair: left first and stop, right first and stop (token places), matched tokens,
    kind. Fills `passage_offsets` int64 (pairs + 1), and `totals` int32 (pairs, 4), given as zeros, with the
    tokens of left and right that are matched within copies, and those that copies cover. Every run of at
    least `guarantee` tokens lies in a passage of some kind.
    """
    out = np.empty((2 * lefts.size + 16, 6), np.int32)
    filled = 0
    passage_offsets[0] = 0
    for p in range(lefts.size):
        a, b, x, y = offsets[lefts[p]], offsets[lefts[p] + 1], offsets[rights[p]], offsets[rights[p] + 1]
        left, left_flags, right, right_flags = hashes[a:b], flags[a:b], hashes[x:y], flags[x:y]
        found = runs[run_offsets[p] : run_offsets[p + 1]]
        shorter = min(left_flags.size, right_flags.size)
        out = with_room(out, filled + span_offsets[p + 1] - span_offsets[p] + 2 * found.shape[0])
        passages = out[filled:]
        scratch = np.zeros(left_flags.size, np.uint8)
        count = np.int64(0)  # a literal 0 would have `_chained` compiled twice
        for s in range(span_offsets[p], span_offsets[p + 1]):
            _trim(spans[s], found, scratch)
            one, other = spans[s, 1] - spans[s, 0], spans[s, 3] - spans[s, 2]
            if min(one, other) < max(min(FRAGMENT_TOKENS, shorter // 2), BALANCE * max(one, other)):
                continue
            matched = _matched(
                found, spans[s, 0], spans[s, 1], spans[s, 2], spans[s, 3], np.int64(1), scratch
            )
            if min(one, other) >= SURE_TOKENS or matched >= SURE_MATCHED * min(one, other):
                for column in range(4):
                    passages[count, column] = spans[s, column]
                passages[count, KIND] = COPY
                count += 1
        chain_of = chains(found, CHAINED, GAP)
        least = min(COPY_TOKENS, max(shorter // 2, CHAINED))
        kind = np.int64(COPY)
        count = _chained(left_flags, right_flags, found, chain_of, least, kind, passages, count)
        count = _join(passages, count)
        count = _remainder(left_flags, right_flags, found, guarantee, passages, count)
        if count == 0:
            kind = np.int64(PHRASE)
            least = max(guarantee, int(TOLD_SHARE * shorter))
            count = _chained(left_flags, right_flags, found, chain_of, least, kind, passages, count)
        left_marks, right_marks = np.zeros(left_flags.size, np.uint8), np.zeros(right_flags.size, np.uint8)
        _match(passages, count, found, left, left_flags, right, right_flags, left_marks, right_marks, scratch)
        totals[p, 0], totals[p, 2] = _marked(left_flags, left_marks)
        totals[p, 1], totals[p, 3] = _marked(right_flags, right_marks)
        filled += count
        passage_offsets[p + 1] = filled
    return out[:filled]
