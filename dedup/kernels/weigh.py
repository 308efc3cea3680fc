"""Boilerplate: navigation phrases, and paragraphs repeated across stories."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.tokenise import BOILERPLATE, PARAGRAPH, SENTENCE

_BESIDE = 6  # tokens that may stand beside a phrase on its line
NO_DAY = -(2**63)  # of a text whose day is not known
_BASE = np.uint64(0x9E3779B97F4A7C15)
_FIRSTS = 4096  # places in a table of the phrases' first words


@inner
def _holds(hashes: Any, first: int, stop: int, phrases: Any, bounds: Any) -> bool:
    """Does the line hold a phrase that is a good part of it (a single word: nearly all of it)?"""
    for phrase in range(bounds.size - 1):
        length = bounds[phrase + 1] - bounds[phrase]
        if stop - first > (length + _BESIDE if length > 1 else 2):
            continue
        for at in range(first, stop - length + 1):
            same = 0
            while same < length and hashes[at + same] == phrases[bounds[phrase] + same]:
                same += 1
            if same == length:
                return True
    return False


@kernel
def mark_navigation(hashes: Any, flags: Any, offsets: Any, phrases: Any, bounds: Any) -> None:
    """Set BOILERPLATE in `flags` for short lines or sentences that hold a navigation phrase.

    Pieces of one or two tokens between two such lines, or between one and either end of the text, go with
    them. `phrases` uint32 and `bounds` int64 (phrases + 1): the phrases' token hashes.
    """
    longest = 0
    for phrase in range(bounds.size - 1):
        longest = max(longest, bounds[phrase + 1] - bounds[phrase])
    for text in range(offsets.size - 1):
        start, stop = offsets[text], offsets[text + 1]
        first = start
        pending = start  # where a row of tiny pieces behind boilerplate, or behind the start, began
        behind = True
        for token in range(start + 1, stop + 1):
            if token < stop and flags[token] & SENTENCE == 0:
                continue
            if token - first <= longest + _BESIDE and _holds(hashes, first, token, phrases, bounds):
                for t in range(pending if behind else first, token):
                    flags[t] |= BOILERPLATE
                behind = True
                pending = token
            elif token - first > 2:
                behind = False
            first = token
        if behind and pending > start:
            for t in range(pending, stop):
                flags[t] |= BOILERPLATE


@inner
def _is_at(hashes: Any, at: int, stop: int, phrases: Any, bounds: Any, phrase: int, nexts: Any) -> bool:
    """Does a phrase of the chain that begins with `phrase` stand at a token?"""
    while phrase >= 0:
        length = bounds[phrase + 1] - bounds[phrase]
        same = 0
        while same < length and at + same < stop and hashes[at + same] == phrases[bounds[phrase] + same]:
            same += 1
        if same == length:
            return True
        phrase = nexts[phrase]
    return False


@kernel
def paragraphs(
    hashes: Any, flags: Any, offsets: Any, least: int, phrases: Any, bounds: Any, keys: Any, texts: Any,
    firsts: Any, lengths: Any,
) -> int:  # fmt: skip
    """Fill the hash, text number, first token and length of every paragraph of `least` tokens or more.

    The lowest bit of the hash says whether a phrase of `phrases` and `bounds` stands in it. Returns how many
    there are. The arrays need room for one per text and PARAGRAPH flag.
    """
    begins = np.full(_FIRSTS, -1, np.int32)  # chains of phrases by their first words
    nexts = np.empty(bounds.size - 1, np.int32)
    for phrase in range(bounds.size - 1):
        place = phrases[bounds[phrase]] % _FIRSTS
        nexts[phrase], begins[place] = begins[place], phrase
    count = 0
    for text in range(offsets.size - 1):
        first = offsets[text]
        for token in range(first + 1, offsets[text + 1] + 1):
            if token == offsets[text + 1] or flags[token] & PARAGRAPH:
                if token - first >= least:
                    state = np.uint64(0)
                    holds = False
                    for t in range(first, token):
                        state = (state + np.uint64(hashes[t]) + np.uint64(1)) * _BASE
                    for t in range(first, token):
                        phrase = begins[hashes[t] % _FIRSTS]
                        if phrase >= 0 and _is_at(hashes, t, token, phrases, bounds, phrase, nexts):
                            holds = True
                            break
                    state ^= state >> np.uint64(32)
                    keys[count] = state >> np.uint64(1) << np.uint64(1) | np.uint64(holds)
                    texts[count], firsts[count], lengths[count] = text, first, token - first
                    count += 1
                first = token
    return count


@inner
def _related(
    one: int, two: int, key: Any, all_keys: Any, bounds: Any, lengths: Any, shortest: int, share: float
) -> bool:
    """Do two texts share other paragraphs than `key` that are at least `share` of the shorter?

    What one shares with the other mostly comes in the same order, so that each paragraph is looked for
    behind the one that was found last.
    """
    common, count, behind = 0, bounds[two + 1] - bounds[two], 0
    for p in range(bounds[one], bounds[one + 1]):
        if all_keys[p] == key:
            continue
        for step in range(count):
            q = behind + step - (count if behind + step >= count else 0)
            if all_keys[p] == all_keys[bounds[two] + q]:
                common += lengths[p]
                behind = q + 1
                break
        if common >= share * shortest:
            return True
    return common >= share * shortest


@kernel
def repeated(
    groups: Any, keys: Any, texts: Any, sizes: Any, days: Any, offsets: Any, all_keys: Any, bounds: Any,
    lengths: Any, stories: Any, related: float, largest: float, out: Any,
) -> None:  # fmt: skip
    """Fill `out` bool (n,): which paragraphs are in `stories[key & 1]` or more unrelated texts of one outlet.

    `keys`, `texts`, `sizes`: the paragraphs, sorted by `groups` uint64 (one for each outlet and key), day
    and text; `all_keys`, `lengths` and `bounds` (texts + 1): those of all texts, text after text. Neighbours
    in that order are compared, so that work grows with the paragraphs.
    """
    first = 0
    for p in range(1, keys.size + 1):
        if p < keys.size and groups[p] == groups[first]:
            continue
        unrelated = 1
        for q in range(first + 1, p):
            one, two = texts[q - 1], texts[q]
            if one != two:
                shortest = min(offsets[one + 1] - offsets[one], offsets[two + 1] - offsets[two])
                if sizes[q] <= largest * shortest and not _related(
                    one, two, keys[q], all_keys, bounds, lengths, shortest, related
                ):
                    unrelated += 1
        several = days[texts[first]] == NO_DAY or days[texts[first]] != days[texts[p - 1]]
        out[first:p] = several and unrelated >= stories[keys[first] & np.uint64(1)]
        first = p


@kernel
def mark(flags: Any, firsts: Any, sizes: Any) -> None:
    """Set BOILERPLATE in `flags` for runs of tokens: their first places and their sizes."""
    for p in range(firsts.size):
        for t in range(firsts[p], firsts[p] + sizes[p]):
            flags[t] |= BOILERPLATE


@kernel
def count_telling(flags: Any, offsets: Any, counts: Any) -> None:
    """Fill `counts` int64 (texts,) with each text's tokens that are not boilerplate, at least 1."""
    for text in range(counts.size):
        count = 0
        for token in range(offsets[text], offsets[text + 1]):
            count += flags[token] & BOILERPLATE == 0
        counts[text] = max(count, 1)
