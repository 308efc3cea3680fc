"""Places: where tokens stand in their texts, in two bytes a token, so that texts need not be read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.csr import Offsets, offsets_of
from dedup.kernels import places as kernels
from dedup.scratch import Spool
from dedup.threads import in_order
from dedup.tokens import Tokens

Spans = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]  # texts, first tokens, stops


def pack(tokens: Tokens) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Each token's length and its distance from the one before; texts where one of them is too large."""
    out, odd = np.empty(tokens.starts.size, np.uint16), np.zeros(len(tokens), np.bool_)
    kernels.pack(tokens.starts, tokens.ends, tokens.offsets, out, odd)
    return out, odd


def spread(tokens: Tokens, odd: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Of each odd text where its tokens start, then where they end, one text after another."""
    own = [
        side[tokens.offsets[text] : tokens.offsets[text + 1]]
        for text in np.flatnonzero(odd).tolist()
        for side in (tokens.starts, tokens.ends)
    ]
    return np.concatenate([np.empty(0, np.int32), *own])


@dataclass(frozen=True, slots=True)
class Places:
    """The places of all tokens of n texts."""

    packed: Spool  # uint16 (tokens,)
    offsets: Offsets  # (n + 1,)
    odd: NDArray[np.bool_]  # (n,) texts whose tokens do not fit
    spread: Spool  # int32, as `spread` makes it of the odd texts

    def spans(
        self, wanted: Sequence[Spans], batches: Sequence[tuple[int, int]], threads: int
    ) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """Where spans of tokens start and end, in characters of their texts: for each of `wanted` both.

        `batches` bound the texts handled in one go; together they are all texts.
        """
        orders = [_order(texts) for texts, _, _ in wanted]
        out = [(np.empty(texts.size, np.int32), np.empty(texts.size, np.int32)) for texts, _, _ in wanted]
        firsts_of = np.array([first for first, _ in batches], np.int32)
        bounds = [
            np.append(np.searchsorted(texts, firsts_of, sorter=order), texts.size).tolist()
            for (texts, _, _), order in zip(wanted, orders, strict=True)
        ]

        def run(number: int) -> None:
            first, stop = batches[number]
            own = np.empty(self.offsets[stop] - self.offsets[first], np.uint16)
            self.packed.read(int(self.offsets[first]), own)
            offsets = self.offsets[first : stop + 1] - self.offsets[first]
            for (texts, firsts, stops), order, cuts, filled in zip(wanted, orders, bounds, out, strict=True):
                cut = slice(cuts[number], cuts[number + 1])
                rows = cut if order is None else order[cut]
                numbers = texts[rows] - np.int32(first)
                starts, ends = np.empty_like(numbers), np.empty_like(numbers)
                some = np.ascontiguousarray(firsts[rows]), np.ascontiguousarray(stops[rows])
                kernels.unpack(own, offsets, numbers, some[0], some[1], starts, ends)
                filled[0][rows], filled[1][rows] = starts, ends

        for _ in in_order(run, range(len(batches)), threads):
            pass
        for (texts, firsts, stops), filled in zip(wanted, out, strict=True):
            self._of_odd(texts, firsts, stops, filled)
        return out

    def _of_odd(
        self,
        texts: NDArray[np.int32],
        firsts: NDArray[np.int32],
        stops: NDArray[np.int32],
        filled: tuple[NDArray[np.int32], NDArray[np.int32]],
    ) -> None:
        """Fill in the spans of odd texts."""
        rows = np.flatnonzero(self.odd[texts])
        lengths = np.diff(self.offsets)
        bounds = offsets_of(np.where(self.odd, 2 * lengths, 0)) if rows.size else self.offsets
        rows = rows[np.argsort(texts[rows], kind="stable")]
        for own in np.split(rows, np.flatnonzero(np.diff(texts[rows])) + 1) if rows.size else []:
            number = texts[own[0]]
            both = np.empty((2, lengths[number]), np.int32)
            self.spread.read(int(bounds[number]), both.reshape(-1))
            filled[0][own], filled[1][own] = both[0, firsts[own]], both[1, stops[own] - 1]


def _order(texts: NDArray[np.int32]) -> NDArray[np.int64] | None:
    """What sorts `texts`, None if they are sorted."""
    return None if (texts[1:] >= texts[:-1]).all() else np.argsort(texts, kind="stable")
