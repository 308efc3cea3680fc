"""Names, as sequences of tokens, in texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import inner, kernel
from dedup.kernels.rows import with_room
from dedup.kernels.tokenise import CAPITAL

HEADS, BEGINS = 1 << 16, 1 << 15  # entries of tables
_LOW = np.uint32(HEADS - 1)
_SOME = np.uint32(0x1FFFF)
_FEW = np.uint32(0xFFF)


@kernel
def chain_names(names: Any, bounds: Any, capitals: Any, heads: Any, nexts: Any, begins: Any) -> None:
    """Fill the tables by which `find_names` looks for names.

    Name i is `names[bounds[i]:bounds[i + 1]]`, token hashes, and begins with a capital letter if
    `capitals[i]`. `heads` int32 (HEADS,): the first name of each chain, by the lower half of its first
    token's hash; `nexts` int32 (names,); `begins` uint8 (BEGINS,): bits, may a token begin a name?
    """
    heads[:] = -1
    begins[:] = 0
    for name in range(bounds.size - 2, -1, -1):
        slot = names[bounds[name]] & _LOW
        nexts[name] = heads[slot]
        heads[slot] = name
        for capital in range(int(capitals[name]), 2):  # the lowest bit: is it capitalised?
            bit = (names[bounds[name]] & _SOME) << np.uint32(1) | np.uint32(capital)
            begins[bit >> np.uint32(3)] |= np.uint8(1 << (bit & np.uint32(7)))


@kernel
def find_names(
    hashes: Any, flags: Any, offsets: Any, names: Any, bounds: Any, capitals: Any, heads: Any, nexts: Any,
    begins: Any,
) -> Any:  # fmt: skip
    """Where names stand in texts: int32 (n, 2) of text number and first token within the text, in order.

    `hashes`, `flags`, `offsets` as in `Tokens`; the rest as for `chain_names`.
    """
    found = np.empty((256, 2), np.int32)
    count = 0
    for text in range(offsets.size - 1):
        stop = offsets[text + 1]
        for token in range(offsets[text], stop):
            bit = (hashes[token] & _SOME) << np.uint32(1) | np.uint32(flags[token] & CAPITAL != 0)
            if begins[bit >> np.uint32(3)] >> (bit & np.uint32(7)) & 1 == 0:
                continue
            name = heads[hashes[token] & _LOW]
            while name >= 0:
                length = bounds[name + 1] - bounds[name]
                same = 0
                if token + length <= stop and (not capitals[name] or flags[token] & CAPITAL):
                    while same < length and hashes[token + same] == names[bounds[name] + same]:
                        same += 1
                if same == length:
                    found = with_room(found, count + 1)
                    found[count, 0] = text
                    found[count, 1] = token - offsets[text]
                    count += 1
                    break
                name = nexts[name]
    return found[:count]


@inner
def _stands(hashes: Any, flags: Any, token: int, stop: int, name: Any, capitals: Any) -> bool:
    """Does a name stand at a token, before `stop`? One without any word stands nowhere."""
    if not 0 < name.size <= stop - token:
        return False
    for word in range(name.size):
        at = token + word
        if hashes[at] != name[word] or (capitals[word] != 0 and flags[at] & CAPITAL == 0):
            return False
    return True


@kernel
def hold_names(
    hashes: Any, flags: Any, offsets: Any, texts: Any, names: Any, capitals: Any, bounds: Any, groups: Any,
    which: Any, out: Any,
) -> None:  # fmt: skip
    """Set `out` bool (n,) where the text `texts[i]` holds a name of the group `which[i]`.

    `hashes`, `flags`, `offsets` as in `Tokens`; name i is `names[bounds[i]:bounds[i + 1]]`, token hashes,
    whose `capitals` are not 0 where it must be capitalised; group g are the names `groups[g]:groups[g + 1]`.
    """
    begins = np.zeros(1 << 12, np.bool_)  # by a few bits of a token's hash: may it begin a name?
    for place in range(texts.size):
        stop = offsets[texts[place] + 1]
        token = offsets[texts[place]]
        own = range(groups[which[place]], groups[which[place] + 1])
        for name in own:
            if bounds[name] < bounds[name + 1]:
                begins[names[bounds[name]] & _FEW] = True
        while token < stop and not out[place]:
            if begins[hashes[token] & _FEW]:
                for name in own:
                    if _stands(
                        hashes,
                        flags,
                        token,
                        stop,
                        names[bounds[name] : bounds[name + 1]],
                        capitals[bounds[name] : bounds[name + 1]],
                    ):
                        out[place] = True
                        break
            token += 1
        for name in own:
            if bounds[name] < bounds[name + 1]:
                begins[names[bounds[name]] & _FEW] = False
