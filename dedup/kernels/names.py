"""Names, as sequences of tokens, in texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from dedup.kernels import kernel
from dedup.kernels.rows import with_room
from dedup.kernels.tokenise import CAPITAL

_LOW = np.uint32(0xFFFF)


@kernel
def find_names(hashes: Any, flags: Any, offsets: Any, names: Any, bounds: Any, capitals: Any) -> Any:
    """Where names stand in texts: int32 (n, 2) of text number and first token within the text, in order.

    `hashes`, `flags`, `offsets` as in `Tokens`; name i is `names[bounds[i]:bounds[i + 1]]`, token hashes, and
    begins with a capital letter if `capitals[i]`.
    """
    firsts = np.zeros(65536, np.uint8)  # few tokens begin like a name: one look tells the others
    for name in range(bounds.size - 1):
        firsts[names[bounds[name]] & _LOW] = 1
    found = np.empty((256, 2), np.int32)
    count = 0
    for text in range(offsets.size - 1):
        stop = offsets[text + 1]
        for token in range(offsets[text], stop):
            if firsts[hashes[token] & _LOW] == 0:
                continue
            for name in range(bounds.size - 1):
                length = bounds[name + 1] - bounds[name]
                if token + length > stop or (capitals[name] and flags[token] & CAPITAL == 0):
                    continue
                same = 0
                while same < length and hashes[token + same] == names[bounds[name] + same]:
                    same += 1
                if same == length:
                    found = with_room(found, count + 1)
                    found[count, 0] = text
                    found[count, 1] = token - offsets[text]
                    count += 1
                    break
    return found[:count]
