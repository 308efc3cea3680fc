"""Sketch: what is made of each text by itself, and stands for it in every comparison.

It does not depend on other texts or on settings. A report keeps it beside the text, so that a later scan
compares the article without reading its text again.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from dedup.agencies import CREDITS, KINDS, credit_rows, names, renumbered
from dedup.csr import Offsets, offsets_of, owners
from dedup.errors import InputError
from dedup.kernels.places import unpack_all, within
from dedup.places import pack, spread
from dedup.schema import CREDIT, SKETCH
from dedup.tokens import Tokens, tokenise
from dedup.weigh import mark_navigation

_RULES = 2  # raised whenever the same text gets other tokens, flags, places or credits than before
_FLAGS = 128  # above every flag of `kernels.tokenise`
_LARGEST = 2**31 - 1  # bytes of a text
_PLACED, _SPREAD = 2, 8  # bytes in which the place of a token is kept
_TABLES = ("data/navigation.txt", "data/agencies.csv", "kernels/unicode.npz")


class Sketches(NamedTuple):
    """What is made of n texts."""

    tokens: Tokens  # the flag BOILERPLATE marks page navigation only
    characters: NDArray[np.int64]  # (n,)
    credits: pa.RecordBatch  # of `agencies.CREDITS`, by the texts' numbers


@cache
def version() -> str:
    """What the sketch of a text depends on besides the text: two of the same version can be compared."""
    tables = [files("dedup").joinpath(name).read_bytes() for name in _TABLES]
    return f"{_RULES}-{xxhash.xxh3_64_hexdigest(b''.join(tables))}"


def tokens_of(texts: pa.Array, kept: pa.RecordBatch | None = None) -> Tokens:
    """The tokens of a large string array, of `kept` sketches (`schema.SKETCH`, checked) where there are any.

    `kept` has a row for each text, null where the text is to be tokenised.
    """
    there = _there(len(texts), kept)
    return _together(_tokenised(_fresh(texts, there)), kept, there)


def sketches_of(texts: pa.Array, kept: pa.RecordBatch | None = None) -> Sketches:
    """The sketches of a large string array; `kept` as for `tokens_of`."""
    there = _there(len(texts), kept)
    fresh = _fresh(texts, there)
    tokens = _tokenised(fresh)
    credits = credit_rows(fresh, tokens)
    characters = pc.utf8_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
    if kept is not None and there.any():
        tokens = _together(tokens, kept, there)
        characters[there] = kept["characters"].drop_null().to_numpy()
        credits = renumbered(credits, np.flatnonzero(~there)[credits["article"].to_numpy()])
        whole = pa.Table.from_batches([credits, _credits(kept)]).sort_by("article").combine_chunks()
        credits = pa.RecordBatch.from_arrays([_whole(column) for column in whole.columns], schema=CREDITS)
    return Sketches(tokens, characters, credits)


def packed(sketches: Sketches, sizes: NDArray[np.int64]) -> pa.RecordBatch:
    """Sketches as they are kept, `schema.SKETCH`; `sizes` int64 (n,): bytes of the texts."""
    tokens, credits = sketches.tokens, sketches.credits
    places, odd = pack(tokens)
    placed, bounds = places.view(np.uint8), tokens.offsets * _PLACED
    if odd.any():
        placed, bounds = _with_odd(tokens, placed, odd)
    told = offsets_of(np.bincount(credits["article"].to_numpy(), minlength=len(tokens))).astype(np.int32)
    structs = pa.StructArray.from_arrays([credits[field.name] for field in CREDIT], fields=list(CREDIT))
    columns = [
        pa.array(sizes),
        pa.array(sketches.characters),
        _binary(tokens.hashes.view(np.uint8), tokens.offsets * 4),
        _binary(tokens.flags, tokens.offsets),
        _binary(placed, bounds),
        pa.ListArray.from_arrays(told, structs),
    ]
    return pa.record_batch(columns, SKETCH)


def check(kept: pa.RecordBatch) -> None:
    """Raise `InputError` unless everything in kept sketches agrees, so that it can be computed with."""
    for name in SKETCH.names:
        if kept[name].null_count:
            raise InputError(f"{name} is missing in a sketch")
    counts, flags, places = (_lengths(kept[name]) for name in ("hashes", "flags", "places"))
    tokens = counts // 4
    agree = (counts == 4 * tokens) & (flags == tokens)
    agree &= (places == _PLACED * tokens) | (places == _SPREAD * tokens)
    if not agree.all():
        raise InputError("the lengths within a sketch do not agree")
    size, characters = (kept[name].to_numpy() for name in ("bytes", "characters"))
    if (size > _LARGEST).any() or (characters > size).any() or (characters < 0).any():
        raise InputError("a sketch has more characters than its text can have")
    if (_bytes(kept["flags"])[0] >= _FLAGS).any():
        raise InputError("a flag within a sketch is none")
    found = _unpacked(kept)
    if not within(found.starts, found.ends, found.offsets, characters):
        raise InputError("a token within a sketch stands outside its text")
    _check_credits(_credits(kept), characters)


def _check_credits(credits: pa.RecordBatch, characters: NDArray[np.int64]) -> None:
    if any(column.null_count for column in credits.columns):
        raise InputError("a part of a credit within a sketch is missing")
    known = pc.all(pc.is_in(credits["agency"], pa.array(sorted(set(names().values()))))).as_py()
    kinds = pc.all(pc.is_in(credits["kind"], pa.array(KINDS))).as_py()
    start, end = credits["start"].to_numpy(), credits["end"].to_numpy()
    inside = (start >= 0) & (start <= end) & (end <= characters[credits["article"].to_numpy()])
    if known is False or kinds is False or not inside.all():
        raise InputError("a credit within a sketch is none")


def _there(count: int, kept: pa.RecordBatch | None) -> NDArray[np.bool_]:
    """Which texts have kept sketches, bool (n,)."""
    if kept is None:
        return np.zeros(count, np.bool_)
    there: NDArray[np.bool_] = kept["hashes"].is_valid().to_numpy(zero_copy_only=False)
    return there


def _fresh(texts: pa.Array, there: NDArray[np.bool_]) -> pa.Array:
    """The texts that have no kept sketches."""
    return texts.filter(pa.array(~there)) if there.any() else texts


def _tokenised(texts: pa.Array) -> Tokens:
    tokens = tokenise(texts)
    mark_navigation(tokens)
    return tokens


def _together(fresh: Tokens, kept: pa.RecordBatch | None, there: NDArray[np.bool_]) -> Tokens:
    """The tokens of all texts, in their order."""
    if kept is None or not there.any():
        return fresh
    theirs = _unpacked(kept.filter(pa.array(there)))
    if there.all():
        return theirs
    places = np.argsort(np.argsort(there, kind="stable"))  # of each text, fresh ones first
    return Tokens.concatenated([fresh, theirs]).taken(places)


def _unpacked(kept: pa.RecordBatch) -> Tokens:
    """The tokens of kept sketches, none of them null."""
    hashes, bounds = _bytes(kept["hashes"])
    flags, _ = _bytes(kept["flags"])
    places, cuts = _bytes(kept["places"])
    offsets = bounds // 4
    lengths = np.diff(offsets)
    wide = np.diff(cuts) != _PLACED * lengths
    starts, ends = np.empty((2, offsets[-1]), np.int32)
    unpack_all(places, cuts, wide, offsets, starts, ends)
    return Tokens(hashes.view(np.uint32), starts, ends, flags, offsets)


def _credits(kept: pa.RecordBatch) -> pa.RecordBatch:
    """The credits of kept sketches, `agencies.CREDITS`; `article` is the row."""
    lists = kept["credits"]
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    columns = lists.flatten().flatten()
    return pa.record_batch([pa.array(owners(offsets_of(counts))), *columns], CREDITS)


def _with_odd(
    tokens: Tokens, placed: NDArray[np.uint8], odd: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], Offsets]:
    """The places of tokens, in more bytes for those of odd texts, and their bounds."""
    bounds = offsets_of(tokens.lengths * np.where(odd, _SPREAD, _PLACED))
    out = np.empty(int(bounds[-1]), np.uint8)
    of_odd = np.repeat(odd, np.diff(bounds))
    out[of_odd] = spread(tokens, odd).view(np.uint8)
    out[~of_odd] = placed[np.repeat(~odd, _PLACED * tokens.lengths)]
    return out, bounds


def _binary(data: NDArray[np.uint8], bounds: Offsets) -> pa.Array:
    buffers = [None, pa.py_buffer(np.ascontiguousarray(bounds)), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(pa.large_binary(), bounds.size - 1, buffers)


def _bytes(values: pa.Array) -> tuple[NDArray[np.uint8], Offsets]:
    """A copy of the bytes of a large binary array without nulls, and their bounds."""
    _, bounds, data = values.buffers()
    if bounds is None:
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    places = np.frombuffer(bounds, np.int64, len(values) + 1, values.offset * 8)
    whole = np.frombuffer(data or b"", np.uint8)
    return whole[places[0] : places[-1]].copy(), places - places[0]


def _lengths(values: pa.Array) -> NDArray[np.int64]:
    lengths: NDArray[np.int64] = pc.binary_length(values).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def _whole(column: pa.ChunkedArray) -> Any:
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)
