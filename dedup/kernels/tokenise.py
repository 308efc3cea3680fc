"""Text to tokens in one pass over UTF-8 bytes."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.bits import count_trailing_zeros, load8
from dedup.kernels.unicode import (
    APOSTROPHE,
    CHARACTER,
    CLOSE,
    DIGIT,
    DROP,
    EXTEND,
    LOWER,
    NEWLINE,
    OPEN,
    POINT,
    QUOTE,
    SEPARATOR,
    SPACE,
    TERMINATOR,
    WORD,
)

# Token flags, one bit each.
NUMBER, SENTENCE, PARAGRAPH, QUOTED, CAPITAL, UNSPACED = 1, 2, 4, 8, 16, 32
BOILERPLATE = 64  # set by the weigh stage

STEM_BITS = 20  # upper bits of a token's hash that words of one stem share

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xFF51AFD7ED558CCD)  # of MurmurHash3's 64-bit finaliser
_ABBREVIATION = 3  # "Mr." and "Nov.": a point behind so short a capitalised word ends no sentence


# Eight ASCII letters in one word: bit 7 of each byte of `(x + _BELOW_A) & ~(x + _ABOVE_Z) & ~x` tells a
# lower-case letter, exactly for the lowest byte that is none, since no byte below it carries.
_CASE = np.uint64(0x2020202020202020)
_HIGH = np.uint64(0x8080808080808080)
_STEM = np.uint64(0x0000FFFFFFFFFFFF)
_UPPER = np.uint32((1 << 32) - (1 << (32 - STEM_BITS)))
_BELOW_A = np.uint64(0x1F1F1F1F1F1F1F1F)
_ABOVE_Z = np.uint64(0x0505050505050505)


@inner
def _mixed(state: Any, first: Any, held: Any) -> Any:
    """A token's hash from its folded bytes: `first` eight, `state` of all full eights, and last `held`.

    The upper `STEM_BITS` bits depend on the first letters alone (six of ASCII, four of others), so that
    inflected forms of a long word share them: a stemmer for every language with an alphabet.
    """
    stem = held if state == 0 else first
    if stem & _HIGH == 0:
        stem &= _STEM
    if held != 0:
        state = (state ^ held) * _MULTIPLIER
    stem *= _MULTIPLIER
    stem = (stem ^ (stem >> np.uint64(32))) * _MIX
    whole = (state ^ (state >> np.uint64(32))) * _MIX
    upper = np.uint32(stem >> np.uint64(32)) & _UPPER
    return upper | (np.uint32(whole >> np.uint64(32)) & ~_UPPER)


@inner
def _figure(state: Any, held: Any) -> Any:
    """The hash of a token that begins with a digit: figures have no stem, and all of it tells them apart."""
    if held != 0:
        state = (state ^ held) * _MULTIPLIER
    return np.uint32((state ^ (state >> np.uint64(32))) * _MIX >> np.uint64(32))


@kernel
def tokenise(
    data: Any, bounds: Any, pages: Any, entries: Any, expansions: Any,
    hashes: Any, starts: Any, ends: Any, flags: Any, offsets: Any,
) -> None:  # fmt: skip
    """Tokenise the texts `data[bounds[i]:bounds[i + 1]]` (valid UTF-8).

    Fills `hashes` uint32, `starts` and `ends` int32 (characters within the text) and `flags` uint8, all
    of length at least (bytes + texts) // 2 + 1, and `offsets` int64 (texts + 1): the tokens of text i are
    `offsets[i]:offsets[i + 1]`.
    """
    low = entries[pages[0]]
    letters = np.zeros(256, np.uint8)  # what an ASCII letter folds to, 0 for every other byte
    for code in range(128):
        klass = low[code] & 15
        if klass == WORD or klass == LOWER:
            letters[code] = code + (low[code] >> 5)
    count = 0
    offsets[0] = 0
    for text in range(bounds.size - 1):
        begin, stop = bounds[text], bounds[text + 1]
        at = begin
        behind = begin  # byte place minus character place
        kind = 0  # class of the open token: 0 none, else WORD, DIGIT or CHARACTER
        state = np.uint64(0)  # of the open token's full eights of bytes
        initial = np.uint64(0)  # its first eight bytes, once there are as many
        held = np.uint64(0)  # its last bytes, first lowest
        filled = 0  # how many
        start = 0  # character place of the open token
        joint = 0  # character place behind the last joint in it ("U." of "U.S.")
        pending = 0  # APOSTROPHE, POINT or COMMA seen behind the open token, not yet decided
        end = 0
        flag = 0
        quoted = 0  # QUOTED between quotation marks
        opened = 0  # the first token behind the opening mark
        newlines = 2  # since the last token
        ended = True  # a terminator stands since the last token
        point = False  # a full stop stands since the last token
        before = SPACE
        while at < stop:
            # ASCII words one space apart are most of the text: eight letters at a time, without a branch
            # for each letter (four times as fast as the general case below, which takes what is left).
            while kind == WORD and pending == 0 and filled == 0 and at + 8 < stop:
                before = WORD
                chunk = load8(data, at) | _CASE
                others = _HIGH & ~((chunk + _BELOW_A) & ~(chunk + _ABOVE_Z) & ~chunk)
                if others == 0:
                    initial = chunk if state == 0 else initial
                    state = (state ^ chunk) * _MULTIPLIER
                    at += 8
                    continue
                filled = count_trailing_zeros(others) >> 3
                held = chunk & ((np.uint64(1) << np.uint64(8 * filled)) - np.uint64(1))
                at += filled
                if data[at] != 32 or letters[data[at + 1]] == 0:
                    break
                hashes[count] = _mixed(state, initial, held)
                ends[count] = at - behind
                flags[count] = flag
                count += 1
                at += 1
                flag = quoted | (CAPITAL if data[at] < 97 else 0)
                start = at - behind
                joint = start
                starts[count] = start
                state = np.uint64(0)
                held = np.uint64(0)
                filled = 0
            if at >= stop:
                break
            place = at - behind
            byte = data[at]
            if byte < 128:
                entry = low[byte]
                code = np.int32(byte)
                at += 1
            else:
                if byte < 0xE0:
                    code = np.int32((byte & 0x1F) << 6 | (data[at + 1] & 0x3F))
                    width = 2
                elif byte < 0xF0:
                    code = np.int32((byte & 0x0F) << 12 | (data[at + 1] & 0x3F) << 6 | (data[at + 2] & 0x3F))
                    width = 3
                else:
                    code = np.int32(
                        (byte & 0x07) << 18 | (data[at + 1] & 0x3F) << 12
                        | (data[at + 2] & 0x3F) << 6 | (data[at + 3] & 0x3F)
                    )  # fmt: skip
                    width = 4
                at += width
                behind += width - 1
                entry = entries[pages[code >> 8], code & 255]
            klass = entry & 15
            if klass == DROP:
                continue

            if kind != 0:  # does this character go on with the open token?
                goes_on = False
                if klass == LOWER or klass == WORD or klass == DIGIT:
                    if pending == 0:
                        goes_on = kind != CHARACTER
                    elif pending == APOSTROPHE:
                        goes_on = kind == WORD and klass != DIGIT
                    elif kind == DIGIT and klass == DIGIT and before == DIGIT:
                        goes_on = True
                        initial = held if state == 0 else initial
                        state = (state ^ held) * _MULTIPLIER + np.uint64(POINT)
                        held = np.uint64(0)
                        filled = 0
                    elif pending == POINT and kind == WORD and klass != DIGIT and end - joint == 1:
                        goes_on = True
                    if goes_on and pending != 0:
                        pending = 0
                        joint = place
                elif klass == EXTEND:
                    goes_on = pending == 0
                elif pending == 0 and kind != CHARACTER and klass >= APOSTROPHE:
                    pending = klass
                    end = place
                    continue
                if not goes_on:
                    hashes[count] = _figure(state, held) if kind == DIGIT else _mixed(state, initial, held)
                    ends[count] = end if pending != 0 else place
                    flags[count] = flag
                    count += 1
                    kind = 0
                    newlines = 0
                    ended = False
                    point = pending == POINT
                    pending = 0

            if kind == 0:
                if klass == WORD or klass == LOWER or klass == DIGIT or klass == CHARACTER:
                    kind = WORD if klass == LOWER else klass
                    start = place
                    joint = place
                    starts[count] = place
                    state = np.uint64(0)
                    held = np.uint64(0)
                    filled = 0
                    flag = 0
                    if klass == DIGIT:
                        flag |= NUMBER
                    elif klass == CHARACTER:
                        flag |= UNSPACED
                    elif klass == WORD and entry >> 5 != 0:
                        flag |= CAPITAL
                    if point and count > offsets[text] and flags[count - 1] & CAPITAL:
                        point = ends[count - 1] - starts[count - 1] > _ABBREVIATION
                    if ended or newlines > 1 or (klass != LOWER and (newlines > 0 or point)):
                        flag |= SENTENCE
                    if newlines > 1 or (newlines == 1 and (ended or point)):
                        flag |= PARAGRAPH
                        if quoted and before != OPEN and before != QUOTE:
                            for unclosed in range(opened, count):  # a stray mark, not a quotation
                                flags[unclosed] &= ~QUOTED
                            quoted = 0
                    flag |= quoted
                    if byte < 128 and kind == WORD:
                        at -= 1  # the fast loop takes the word from its first letter
                        continue
                else:
                    if klass == NEWLINE:
                        if not (code == 10 and at - 2 >= begin and data[at - 2] == 13):  # "\r\n" is one
                            newlines += 1
                    elif klass == TERMINATOR:
                        ended = True
                    elif klass == POINT:
                        point = True
                    elif klass == OPEN:
                        opened = opened if quoted else count
                        quoted = QUOTED
                    elif klass == CLOSE:
                        quoted = 0
                    elif klass == QUOTE:
                        if before == SPACE or before == NEWLINE or (before == SEPARATOR and not quoted):
                            opened = opened if quoted else count
                            quoted = QUOTED
                        else:
                            quoted = 0
                    before = klass
                    continue

            before = DIGIT if klass == DIGIT else WORD
            where = entry >> 5
            parts = expansions[where] if entry & 16 else 1
            for part in range(parts):
                value = np.uint64(expansions[where + 1 + part] if entry & 16 else code + where)
                for shift in range(1 if value < 128 else 2 if value < 65536 else 3):
                    held |= ((value >> np.uint64(8 * shift)) & np.uint64(255)) << np.uint64(8 * filled)
                    filled += 1
                    if filled == 8:
                        initial = held if state == 0 else initial
                        state = (state ^ held) * _MULTIPLIER
                        held = np.uint64(0)
                        filled = 0
        if kind != 0:
            hashes[count] = _figure(state, held) if kind == DIGIT else _mixed(state, initial, held)
            ends[count] = end if pending != 0 else stop - behind
            flags[count] = flag
            count += 1
        if quoted:
            for unclosed in range(opened, count):
                flags[unclosed] &= ~QUOTED
        offsets[text + 1] = count
