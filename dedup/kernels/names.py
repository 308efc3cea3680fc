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
    heads = np.full(65536, -1, np.int32)  # chains of names by the lower half of their first token's hash
    nexts = np.empty(bounds.size, np.int32)
    for name in range(bounds.size - 2, -1, -1):
        slot = names[bounds[name]] & _LOW
        nexts[name] = heads[slot]
        heads[slot] = name
    found = np.empty((256, 2), np.int32)
    count = 0
    for text in range(offsets.size - 1):
        stop = offsets[text + 1]
        for token in range(offsets[text], stop):
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
