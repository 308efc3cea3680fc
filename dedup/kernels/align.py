"""Two articles' tokens to aligned passages: seed, chain, trim, and tell copy from quotation and phrase."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import kernel
from dedup.kernels.runs import chains, runs
from dedup.kernels.sentences import bags, fragments, number, sentences, similar_sentences, stems, weigh_bags
from dedup.kernels.tokenise import QUOTED

COPY, QUOTATION, PHRASE = 0, 1, 2  # places in schema.PASSAGE_KINDS of what one pair can tell
FIRST, STOP, RIGHT_FIRST, RIGHT_STOP, MATCHED, KIND = range(6)  # columns of a passage

_SEED = 3  # tokens in the shortest run that counts as matched
_TRIM = 4  # tokens in a run that ends a passage
_CHAINED = 5  # tokens in a run that makes a chain
_LONG = 64  # tokens in a run that no other run is looked for in
_FOLLOWED = 8  # places a run, or a sentence, is followed to
_GAP = 30  # tokens between the runs of one chain
_SENTENCE_GAP, _LEAST_GAP = 3, 2  # sentences between the seeds of one fragment
_SHORTEST, _LONGEST = 3, 40  # tokens in a sentence
_COSINE, _DICE, _NEAR_BEST = 0.3, 0.33, 0.8  # of two sentences
_FRAGMENT_COSINE = 0.4
_COMMONEST = 256  # sentences a term may stand in to make a seed
_VERBATIM = 0.6  # share of a passage in runs from which on it is trimmed to them
_BALANCE = 0.4  # shorter side over longer
_COPY_TOKENS = 25  # in runs outside shared quotations, for a chain to be a copy
_FRAGMENT_TOKENS = 30  # on each side of a reworked fragment
_QUOTED_TOKENS = 5  # in a shared quotation worth telling


@kernel
def _add(passages: Any, count: int, first: int, stop: int, right_first: int, right_stop: int, kind: int) -> Any:
    if count == passages.shape[0]:
        more = np.empty((2 * count + 8, 6), np.int32)
        more[:count] = passages
        passages = more
    passages[count, FIRST], passages[count, STOP] = first, stop
    passages[count, RIGHT_FIRST], passages[count, RIGHT_STOP] = right_first, right_stop
    passages[count, MATCHED], passages[count, KIND] = 0, kind
    return passages


@kernel
def _reworked(left: Any, left_flags: Any, right: Any, right_flags: Any, found: Any) -> Any:
    """Fragments of similar sentences, shared quotations left out of the comparison: int32 (n, 4) in tokens."""
    left_ids, right_ids, terms = number(stems(left, left_flags), stems(right, right_flags))
    for r in range(found.shape[0]):
        for t in range(found[r, 2]):
            if left_flags[found[r, 0] + t] & right_flags[found[r, 1] + t] & QUOTED:
                left_ids[found[r, 0] + t] = terms
                right_ids[found[r, 1] + t] = terms
    left_bounds = sentences(left_flags, _SHORTEST, _LONGEST)
    right_bounds = sentences(right_flags, _SHORTEST, _LONGEST)
    frequencies = np.zeros(terms + 1, np.int32)
    left_offsets, left_terms, left_counts = bags(left_ids, left_bounds, frequencies)
    right_offsets, right_terms, right_counts = bags(right_ids, right_bounds, frequencies)
    rarity = np.empty(terms + 1, np.float32)
    for t in range(terms):
        rarity[t] = np.log((left_bounds.size + right_bounds.size - 2) / max(frequencies[t], 1))
    rarity[terms] = 0  # shared quotations weigh nothing
    left_weights, right_weights = left_counts.copy(), right_counts.copy()
    for p in range(left_counts.size):
        left_weights[p] *= rarity[left_terms[p]]
    for p in range(right_counts.size):
        right_weights[p] *= rarity[right_terms[p]]
    weigh_bags(left_offsets, left_terms, left_counts, rarity)
    weigh_bags(right_offsets, right_terms, right_counts, rarity)
    seeds = similar_sentences(
        left_offsets, left_terms, left_counts, right_offsets, right_terms, right_counts,
        frequencies, _COMMONEST, _COSINE, _DICE, _NEAR_BEST, _FOLLOWED,
    )  # fmt: skip
    spans = fragments(
        seeds, _SENTENCE_GAP, _LEAST_GAP, _FRAGMENT_COSINE,
        left_offsets, left_terms, left_weights, right_offsets, right_terms, right_weights, terms + 1,
    )  # fmt: skip
    for s in range(spans.shape[0]):
        spans[s, 0], spans[s, 1] = left_bounds[spans[s, 0]], left_bounds[spans[s, 1] + 1]
        spans[s, 2], spans[s, 3] = right_bounds[spans[s, 2]], right_bounds[spans[s, 3] + 1]
    return spans


@kernel
def _trim(span: Any, found: Any) -> None:
    """Cut a span (int32 (4,), in place) down to the runs in it where these make up most of it."""
    first, stop, right_first, right_stop = span[1], span[0], span[3], span[2]
    covered, reached = 0, span[0]
    for r in range(found.shape[0]):
        shift = found[r, 1] - found[r, 0]
        begin = max(found[r, 0], span[0], span[2] - shift)
        end = min(found[r, 0] + found[r, 2], span[1], span[3] - shift)
        if end - begin >= _TRIM:
            first, stop = min(first, begin), max(stop, end)
            right_first, right_stop = min(right_first, begin + shift), max(right_stop, end + shift)
            covered += max(0, end - max(begin, reached))
            reached = max(reached, end)
    if covered > 0 and covered >= _VERBATIM * min(span[1] - span[0], span[3] - span[2]):
        span[0], span[1], span[2], span[3] = first, stop, right_first, right_stop


@kernel
def _copies(left: Any, left_flags: Any, right: Any, right_flags: Any, found: Any, chain_of: Any) -> Any:
    """Passages that count as copying: fragments of similar sentences and chains of runs, overlaps joined."""
    shorter = min(left.size, right.size)
    passages = np.empty((8, 6), np.int32)
    count = 0
    spans = _reworked(left, left_flags, right, right_flags, found)
    for s in range(spans.shape[0]):
        _trim(spans[s], found)
        lengths = spans[s, 1] - spans[s, 0], spans[s, 3] - spans[s, 2]
        if min(lengths) >= max(min(_FRAGMENT_TOKENS, shorter // 2), _BALANCE * max(lengths)):
            passages = _add(passages, count, spans[s, 0], spans[s, 1], spans[s, 2], spans[s, 3], COPY)
            count += 1
    for c in range(found.shape[0]):
        if chain_of[c] != c:
            continue
        first, stop, right_first, right_stop = left.size, 0, right.size, 0
        evidence, reached = 0, 0
        for r in range(c, found.shape[0]):
            if chain_of[r] == c:
                first, stop = min(first, found[r, 0]), max(stop, found[r, 0] + found[r, 2])
                right_first = min(right_first, found[r, 1])
                right_stop = max(right_stop, found[r, 1] + found[r, 2])
                for t in range(max(found[r, 0], reached), found[r, 0] + found[r, 2]):
                    both = left_flags[t] & right_flags[t + found[r, 1] - found[r, 0]]
                    evidence += 1 if both & QUOTED == 0 else 0
                reached = max(reached, found[r, 0] + found[r, 2])
        if min(evidence, right_stop - right_first) >= min(_COPY_TOKENS, max(shorter // 2, _CHAINED)):
            passages = _add(passages, count, first, stop, right_first, right_stop, COPY)
            count += 1
    return _joined(passages[:count])


@kernel
def _joined(passages: Any) -> Any:
    """Join passages that overlap on both sides."""
    count = passages.shape[0]
    one = 0
    while one < count:
        two = one + 1
        while two < count:
            a, b = passages[one], passages[two]
            if min(a[1], b[1]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[2], b[2]):
                a[0], a[1], a[2], a[3] = min(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), max(a[3], b[3])
                count -= 1
                passages[two] = passages[count]
                two = one + 1
            else:
                two += 1
        one += 1
    return passages[:count]


@kernel
def _within(passages: Any, count: int, first: int, stop: int, right_first: int, right_stop: int) -> bool:
    for p in range(count):
        if (
            passages[p, 0] <= first and stop <= passages[p, 1]
            and passages[p, 2] <= right_first and right_stop <= passages[p, 3]
        ):  # fmt: skip
            return True
    return False


@kernel
def align(left: Any, left_flags: Any, right: Any, right_flags: Any, guarantee: int) -> Any:
    """Passages that two token sequences share.

    `left`, `right`: uint32 token hashes; `left_flags`, `right_flags`: uint8. Returns int32 (n, 6): left first
    and stop, right first and stop (token places), matched tokens, kind; sorted by left then right place; and
    two booleans per token, whether it is matched in a passage that counts as copy.
    Verbatim copy is found by runs of equal tokens chained over gaps, reworked copy by similar sentences
    (Sanchez-Perez, Sidorov & Gelbukh 2014), with ends trimmed to shared runs where a passage is verbatim.
    Every run of at least `guarantee` tokens lies in a passage of some kind.
    """
    found = runs(left, right, _SEED, _FOLLOWED, _LONG)
    passages = _copies(left, left_flags, right, right_flags, found, chains(found, _CHAINED, _GAP))
    copies = passages.shape[0]
    count = copies
    for r in range(found.shape[0]):
        shift = found[r, 1] - found[r, 0]
        first, stop = found[r, 0], found[r, 0] + found[r, 2]
        if stop - first < _QUOTED_TOKENS or _within(passages, copies, first, stop, first + shift, stop + shift):
            continue
        quoted = 0
        for t in range(first, stop):
            quoted += 1 if left_flags[t] & right_flags[t + shift] & QUOTED else 0
        if 2 * quoted > stop - first or stop - first >= guarantee:
            kind = QUOTATION if 2 * quoted > stop - first else PHRASE
            passages = _add(passages, count, first, stop, first + shift, stop + shift, kind)
            count += 1
    passages = passages[:count]
    left_matched, right_matched = np.zeros(left.size, np.bool_), np.zeros(right.size, np.bool_)
    for p in range(count):
        _match(passages[p], found, left_matched, right_matched)
    order = np.argsort(passages[:, FIRST].astype(np.int64) << 32 | passages[:, RIGHT_FIRST])
    return passages[order], left_matched, right_matched


@kernel
def _match(passage: Any, found: Any, left_matched: Any, right_matched: Any) -> None:
    """Count the tokens of runs inside a passage, and mark them where the passage is a copy."""
    inside = np.zeros(passage[STOP] - passage[FIRST], np.bool_)
    for r in range(found.shape[0]):
        shift = found[r, 1] - found[r, 0]
        begin = max(found[r, 0], passage[FIRST], passage[RIGHT_FIRST] - shift)
        end = min(found[r, 0] + found[r, 2], passage[STOP], passage[RIGHT_STOP] - shift)
        for t in range(begin, end):
            inside[t - passage[FIRST]] = True
            if passage[KIND] == COPY:
                left_matched[t] = True
                right_matched[t + shift] = True
    matched = 0
    for t in range(inside.size):
        matched += 1 if inside[t] else 0
    passage[MATCHED] = min(matched, passage[RIGHT_STOP] - passage[RIGHT_FIRST])


@kernel
def resemblance(left: Any, right: Any) -> float:
    """Exact Jaccard of two sets of shingle hashes (uint64 arrays, repeats allowed)."""
    one, two = np.unique(left), np.unique(right)
    if one.size == 0 or two.size == 0:
        return 0.0
    i, j, common = 0, 0, 0
    while i < one.size and j < two.size:
        if one[i] == two[j]:
            common += 1
            i += 1
            j += 1
        elif one[i] < two[j]:
            i += 1
        else:
            j += 1
    return common / (one.size + two.size - common)
