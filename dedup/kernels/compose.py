"""What articles are made of: a small cover of each by its sources."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.families import tokens_of_spans
from dedup.kernels.rows import with_room
from dedup.kernels.tokenise import BOILERPLATE

OWN, BOILER, COPIED, QUOTE = range(4)  # kinds of parts
TEXT, KIND, FIRST, STOP, SOURCE, FAMILY = range(6)  # columns of a part

_GAIN = 12  # tokens that a further source must explain
_ORIGIN = 1.25  # what a token explained by a family's origin counts against one by another article


@inner
def _common(one: int, other: int, heads: Any, families: Any) -> int:
    """The first family of a text that another is in as well, -1 if none."""
    for a in range(heads[one], heads[one + 1]):
        for b in range(heads[other], heads[other + 1]):
            if families[a] == families[b]:
                return int(families[a])
    return -1


@inner
def _is_origin(other: int, text: int, heads: Any, families: Any, origins: Any) -> bool:
    """Is another text the origin of a family that a text is in?"""
    for a in range(heads[text], heads[text + 1]):  # noqa: SIM110 - compiled code has no any()
        if origins[families[a]] == other:
            return True
    return False


@inner
def _gain(labels: Any, spans: Any, first: int, stop: int, side: int, seen: Any, found: Any) -> int:
    """Tokens of a source's spans that are not labelled yet."""
    gain = 0
    for place in range(tokens_of_spans(spans, first, stop, side, seen, found)):
        gain += labels[found[place]] == 0
    return gain


@inner
def _cover(
    labels: Any, first: int, stop: int, pairs: Any, sides: Any, copies: Any, copy_bounds: Any, worth: Any,
    seen: Any, found: Any, scores: Any,
) -> None:  # fmt: skip
    """Label copy with 2 + 2 * place of its source among the entries `first` to `stop`.

    Greedy set cover: the source whose unlabelled tokens, times its `worth`, are most goes first, until
    what one adds is too little. What a source adds only falls, so that only the best is looked at again.
    """
    least = min(_GAIN, max(1, labels.size // 2))
    left = 0  # tokens without a label
    for token in range(labels.size):
        left += labels[token] == 0
    for entry in range(first, stop):
        pair = pairs[entry]
        gain = _gain(labels, copies, copy_bounds[pair], copy_bounds[pair + 1], sides[entry], seen, found)
        scores[entry - first] = gain * worth[entry - first]
    while left >= least:
        best = 0
        for place in range(1, stop - first):
            if scores[place] > scores[best]:
                best = place
        pair, side = pairs[first + best], sides[first + best]
        gain = _gain(labels, copies, copy_bounds[pair], copy_bounds[pair + 1], side, seen, found)
        if gain * worth[best] < scores[best]:
            scores[best] = gain * worth[best]
            continue
        if gain < least:
            return
        for place in range(
            tokens_of_spans(copies, copy_bounds[pair], copy_bounds[pair + 1], side, seen, found)
        ):
            if labels[found[place]] == 0:
                labels[found[place]] = 2 + 2 * best
        left -= gain
        scores[best] = -1.0


@kernel
def compose(
    first_text: int, offsets: Any, flags: Any, heads: Any, others: Any, pairs: Any, sides: Any,
    copies: Any, copy_bounds: Any, quotes: Any, quote_bounds: Any, family_heads: Any, families: Any,
    origins: Any,
) -> Any:  # fmt: skip
    """Parts int32 (n, 6) of a batch of texts, in text order: text, kind, first, stop, source, family.

    Boilerplate comes first, then copy by a small cover of sources (`_cover`, origins preferred), then shared
    quotations; the rest is the article's own. Source and family are -1 where there is none; the source of
    copy in a family's origin is the origin itself. `offsets` and `flags` as in `Tokens`, of the batch,
    which begins with `first_text`. Text t has the entries `heads[t]:heads[t + 1]`: what it shares
    with which of the `others` int32, in which of the `pairs`, on which of their `sides`. Pair p has the
    rows `copy_bounds[p]:copy_bounds[p + 1]` of `copies` int32 (n, 4), and so of `quotes`. The families of
    text t are `families[family_heads[t]:family_heads[t + 1]]`, rising, with their `origins`.
    """
    out = np.empty((2 * offsets.size, 6), np.int32)
    count = 0
    longest, most = np.int64(1), np.int64(1)
    for own in range(offsets.size - 1):
        longest = max(longest, offsets[own + 1] - offsets[own])
        most = max(most, heads[first_text + own + 1] - heads[first_text + own])
    every_label, found = np.zeros((2, longest), np.int32)
    seen = np.zeros(longest, np.uint8)
    worth, scores = np.empty((2, most), np.float64)
    for own in range(offsets.size - 1):
        text = first_text + own
        length = offsets[own + 1] - offsets[own]
        labels = every_label[:length]
        for token in range(length):
            labels[token] = (flags[offsets[own] + token] & BOILERPLATE) != 0
        first, stop = heads[text], heads[text + 1]
        for entry in range(first, stop):
            origin = _is_origin(others[entry], text, family_heads, families, origins)
            worth[entry - first] = _ORIGIN if origin else 1.0
        if stop > first:
            _cover(labels, first, stop, pairs, sides, copies, copy_bounds, worth, seen, found, scores)
        for entry in range(first, stop):
            for row in range(quote_bounds[pairs[entry]], quote_bounds[pairs[entry] + 1]):
                for token in range(quotes[row, 2 * sides[entry]], quotes[row, 2 * sides[entry] + 1]):
                    if labels[token] == 0:
                        labels[token] = 3 + 2 * (entry - first)
        out = with_room(out, count + length)
        for token in range(length):
            if token > 0 and labels[token] == labels[token - 1]:
                out[count - 1, STOP] = token + 1
                continue
            label = labels[token]
            out[count, TEXT], out[count, FIRST], out[count, STOP] = text, token, token + 1
            out[count, SOURCE], out[count, FAMILY] = -1, -1
            out[count, KIND] = label if label < 2 else COPIED + label % 2
            if label >= 2:
                source = others[first + (label - 2) // 2]
                out[count, SOURCE] = source
                if label % 2 == 0:
                    family = _common(text, source, family_heads, families)
                    out[count, FAMILY] = family
                    if family >= 0 and origins[family] == text:
                        out[count, SOURCE] = text
            count += 1
    return out[:count]
