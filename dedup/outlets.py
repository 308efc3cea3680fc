"""Outlets: whether an article names another outlet, as papers do whose story they retell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.agencies import spellings
from dedup.csr import offsets_of
from dedup.kernels.names import hold_names
from dedup.kernels.tokenise import CAPITAL
from dedup.tokens import Tokens, tokenise


def named(
    tokens: Tokens, texts: NDArray[np.int32], names: Sequence[str], which: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Does each of some texts, numbers (n,), hold the words of a name, `names[which]` (n,)? bool (n,).

    Its capitals must be the text's too: a post office is not the Post. A name without any word is nobody's.
    """
    out = np.zeros(texts.size, np.bool_)
    wanted, own = np.unique(which, return_inverse=True)
    spelled = [spellings(names[number]) for number in wanted.tolist()]
    words = tokenise(pa.array([one for some in spelled for one in some], pa.large_string()))
    bounds = offsets_of(np.array([len(some) for some in spelled], np.int64))
    hold_names(
        tokens.hashes, tokens.flags, tokens.offsets, texts, words.hashes, words.flags & CAPITAL,
        words.offsets, bounds, own, out,
    )  # fmt: skip
    return out
