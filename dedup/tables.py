"""Tables: what the stages found, as the report's four tables (columns in `dedup.schema`).

They are made piece by piece, so that a table need never be in memory as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from dedup import schema
from dedup.align import Aligned
from dedup.csr import Offsets, offsets_of, sums, taken
from dedup.families import Families
from dedup.kernels import compose as parts_of
from dedup.kernels.align import COPY, FIRST, KIND, MATCHED, RIGHT_FIRST, RIGHT_STOP, STOP
from dedup.places import Places
from dedup.provenance import CREDITS, NEVER, UNKNOWN, Origins, Sources, agencies, relations, roles
from dedup.store import Articles
from dedup.threads import in_order

_PARTS = ("own", "boilerplate", "copy", "quotation")  # in the order of `kernels.compose`
_EVIDENCE = (*CREDITS, "first published", "derived from")  # kinds of evidence for a family's origin
_ROWS = 2**14  # of a piece, several of which are made at once

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Found:
    """Everything the tables are made from; text numbers are those of `articles`."""

    articles: Articles
    characters: NDArray[np.int64]  # (n,)
    lengths: NDArray[np.int64]  # (n,) tokens
    judged: NDArray[np.bool_]  # (n,)
    first_of: NDArray[np.int64]  # (n,) the first text with the same tokens
    digests: NDArray[np.uint8]  # (n, 16)
    aligned: Aligned
    weights: NDArray[np.int64]  # (n,) the tokens that shares are shares of
    families: Families
    origins: Origins
    credited: NDArray[np.bool_]  # (members of families,) as `provenance.credited` tells
    sources: Sources
    parts: NDArray[np.int32]  # (parts, 6) columns of `kernels.compose`
    ids: pa.Array  # of the articles, and of those elsewhere that are named with them


def build(
    found: Found,
    places: Places,
    keep: Callable[[pa.Schema, Iterator[pa.Table]], pa.Table],
    batches: Sequence[tuple[int, int]],
    *,
    threads: int = 1,
) -> dict[str, pa.Table]:
    """The four tables by name; `keep` makes one of its schema and its pieces.

    `batches` bound the texts whose `places` are looked up in one go.
    """
    passages, pairs, parts = found.aligned.passages, found.aligned.pairs, found.parts
    texts = np.repeat(pairs, np.diff(found.aligned.offsets), axis=0)
    lefts, rights, composed = places.spans(
        [
            (texts[:, 0], passages[:, FIRST], passages[:, STOP]),
            (texts[:, 1], passages[:, RIGHT_FIRST], passages[:, RIGHT_STOP]),
            (parts[:, parts_of.TEXT], parts[:, parts_of.FIRST], parts[:, parts_of.STOP]),
        ],
        batches,
        threads,
    )
    names = pa.array(family_names(found), pa.string())
    members = members_of(found)
    steps: dict[str, tuple[int, Callable[[int, int], pa.Table]]] = {
        "articles": (len(found.articles), article_rows(found, names, members, *composed)),
        "passages": (len(pairs), partial(passage_rows, found, texts, [*lefts, *rights])),
        "pairs": (len(pairs), partial(pair_rows, found)),
        "families": (len(names), family_rows(found, names, members)),
    }
    built = {}
    for name, (count, step) in steps.items():
        found.articles.texts.let_go()
        spans = [(first, min(first + _ROWS, count)) for first in range(0, count, _ROWS)]
        built[name] = keep(schema.TABLES[name], in_order(partial(_piece, step), spans, threads))
    return built


def _piece(step: Callable[[int, int], pa.Table], rows: tuple[int, int]) -> pa.Table:
    return step(*rows)


def family_names(found: Found) -> list[str]:
    """A name for each family, made from its members' texts alone; later ones of the same are numbered."""
    texts, families = found.first_of[found.families.members], found.families.owners
    high, low = found.digests.view(">u8").T
    order = np.lexsort((low[texts], high[texts], families))
    texts, families = texts[order], families[order]
    once = np.append(True, (np.diff(texts) != 0) | (np.diff(families) != 0))[: texts.size]
    data = found.digests[texts[once]].tobytes()
    bounds = 16 * offsets_of(np.bincount(families[once], minlength=len(found.families)))
    seen: Counter[str] = Counter()
    names = []
    for first, stop in pairwise(bounds.tolist()):
        name = xxhash.xxh3_64_hexdigest(data[first:stop])
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


def _picked(names: Sequence[str] | pa.Array, numbers: NDArray[Any]) -> pa.Array:
    """Names by number; null for -1."""
    values = names if isinstance(names, pa.Array) else pa.array(list(names), pa.string())
    if not len(values):
        return pa.nulls(numbers.size, pa.string())
    return values.take(pa.array(numbers, mask=numbers < 0)).cast(pa.string())


def _lists(offsets: Offsets, values: dict[str, Any], kind: pa.StructType) -> pa.Array:
    """Lists of structs from their fields' columns."""
    columns = [pa.array(values[field.name], field.type) for field in kind]
    structs = pa.StructArray.from_arrays(columns, fields=list(kind))
    return pa.ListArray.from_arrays(offsets.astype(np.int32), structs)


def _table(columns: dict[str, Any], kind: pa.Schema) -> pa.Table:
    return pa.table([pa.array(columns[field.name], field.type) for field in kind], kind)


def pair_rows(found: Found, first: int, stop: int) -> pa.Table:
    """The rows of the pairs `first` to `stop`."""
    aligned = found.aligned.taken(np.arange(first, stop))
    matched, covered = aligned.shares(found.weights)
    pairs, count = aligned.pairs, len(aligned.pairs)
    owners = np.repeat(np.arange(count), np.diff(aligned.offsets))
    kinds = np.zeros((count, len(schema.PASSAGE_KINDS)), np.bool_)
    kinds[owners, aligned.passages[:, KIND]] = True
    in_copies = np.where(aligned.passages[:, KIND] == COPY, aligned.passages[:, MATCHED], 0)
    outlets = found.sources.outlets[pairs]
    names = relations(
        matched,
        covered,
        kinds,
        (outlets[:, 0] == outlets[:, 1]) & (outlets[:, 0] >= 0),
    )
    names[found.first_of[pairs[:, 0]] == found.first_of[pairs[:, 1]]] = "duplicate"
    columns = {
        "left": _picked(found.ids, pairs[:, 0]),
        "right": _picked(found.ids, pairs[:, 1]),
        "left_containment": matched[:, 0],
        "right_containment": matched[:, 1],
        "resemblance": aligned.resemblance,
        "matched_tokens": sums(in_copies.astype(np.int64), aligned.offsets),
        "relation": names,
    }
    return _table(columns, schema.PAIRS)


def passage_rows(
    found: Found, texts: NDArray[np.int32], places: list[NDArray[np.int32]], first: int, stop: int
) -> pa.Table:
    """The passages of the pairs `first` to `stop`; `texts` and `places` are those of all passages."""
    own = slice(*found.aligned.offsets[[first, stop]].tolist())
    passages = found.aligned.passages[own].astype(np.int64)
    sides = passages[:, STOP] - passages[:, FIRST] + passages[:, RIGHT_STOP] - passages[:, RIGHT_FIRST]
    ends = ("left_start", "left_end", "right_start", "right_end")
    columns = {
        "left": _picked(found.ids, texts[own, 0]),
        "right": _picked(found.ids, texts[own, 1]),
        **{name: place[own] for name, place in zip(ends, places, strict=True)},
        "matched_tokens": passages[:, MATCHED],
        "similarity": 2.0 * passages[:, MATCHED] / np.maximum(sides, 1),
        "kind": _picked(schema.PASSAGE_KINDS, passages[:, KIND]),
    }
    return _table(columns, schema.PASSAGES)


@dataclass(frozen=True, slots=True)
class Members:
    """The members of all families, family after family, each with its origin first, then by share."""

    offsets: Offsets  # (families + 1,)
    families: NDArray[np.int64]  # (members,) number of the family
    texts: NDArray[np.int32]  # (members,)
    roles: NDArray[np.object_]
    shares: NDArray[np.float64]
    origin_shares: NDArray[np.float64]
    credited: NDArray[np.bool_]


def members_of(found: Found) -> Members:
    """The members of all families, and what they are to their origins."""
    families, sources = found.families, found.sources
    texts, family = families.members, families.owners
    origins = found.origins.texts[family]
    same = found.first_of[texts] == found.first_of[origins]
    matched, covered = _towards_origins(found, found.first_of[origins], found.first_of[texts], same)
    outlets = sources.outlets[texts]
    one_outlet = (outlets == sources.outlets[origins]) & (outlets >= 0)
    names = roles(matched, covered, one_outlet, same)
    names[texts == origins] = "origin"
    shares = families.held / np.maximum(found.lengths[texts], 1)
    order = np.lexsort((texts, -shares, texts != origins, family))
    return Members(
        families.offsets, family, texts[order], names[order], shares[order], covered[order, 0],
        found.credited[order],
    )  # fmt: skip


def _towards_origins(
    found: Found, origins: Rows, members: Rows, same: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What origins (left) and members share: matched and covered, float64 (n, 2); all of it if `same`."""
    keys = found.aligned.keys
    wanted = np.minimum(origins, members) << 32 | np.maximum(origins, members)
    place = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    known = keys[place] == wanted if len(keys) else np.zeros(wanted.size, np.bool_)
    out = []
    for shares in found.aligned.shares(found.weights, place[known]):
        own = np.zeros((wanted.size, 2))
        own[known] = shares
        own[origins > members] = own[origins > members][:, ::-1]
        own[same] = 1.0
        out.append(own)
    return out[0], out[1]


def family_rows(found: Found, names: pa.Array, members: Members) -> Callable[[int, int], pa.Table]:
    """What makes the table's rows `first` to `stop`: the largest families come first."""
    sizes = np.diff(members.offsets)
    keys = pa.table({"size": sizes, "name": names})
    whole = pc.sort_indices(keys, [("size", "descending"), ("name", "ascending")])
    whole = whole.to_numpy().astype(np.int64)
    evidence = _Evidence.of(found)

    def some(first: int, stop: int) -> pa.Table:
        order = whole[first:stop]
        bounds, rows = taken(members.offsets, order)
        of_members = {
            "article": _picked(found.ids, members.texts[rows]),
            "role": members.roles[rows],
            "share": members.shares[rows],
            "origin_share": members.origin_shares[rows],
            "credited": members.credited[rows],
        }
        columns = {
            "family": names.take(pa.array(order)),
            "size": sizes[order],
            "origin": _picked(found.ids, found.origins.texts[order]),
            "agency": _picked(agencies(), found.origins.agencies[order]),
            "confidence": found.origins.confidence[order],
            "evidence": evidence.lists(found, order),
            "members": _lists(bounds, of_members, schema.MEMBER),
        }
        return _table(columns, schema.FAMILIES)

    return some


@dataclass(frozen=True, slots=True)
class _Evidence:
    """Credits of each family's agency, its origin's first, that others derive from the origin, and that it
    was the first in time; those of family f are `offsets[f]:offsets[f + 1]`."""

    offsets: Offsets  # (families + 1,)
    kinds: NDArray[np.int64]  # places in `_EVIDENCE`
    texts: NDArray[np.int64]
    credits: NDArray[np.int64]  # rows of `Sources`, -1: none

    @classmethod
    def of(cls, found: Found) -> _Evidence:
        """The evidence for all families' origins."""
        families, sources, origins = found.families, found.sources, found.origins.texts
        texts, family = families.members, families.owners
        places, rows = sources.said(texts)
        theirs = sources.agencies[rows] == found.origins.agencies[family[places]]
        places, rows = places[theirs], rows[theirs]
        first = _first_published(found)
        derived = np.flatnonzero(sources.derived[texts] == origins[family])
        owners = np.concatenate([family[places], first, family[derived]])
        own = texts[places] != origins[family[places]]
        later = np.concatenate([own, np.full(first.size, 2), np.full(derived.size, -1)])
        kinds = np.concatenate(
            [sources.kinds[rows], np.full(first.size, len(CREDITS)), np.full(derived.size, len(CREDITS) + 1)]
        )
        order = np.lexsort((np.arange(owners.size), later, owners))
        return cls(
            offsets_of(np.bincount(owners, minlength=len(families))),
            kinds[order],
            np.concatenate([texts[places], origins[first], texts[derived]]).astype(np.int64)[order],
            np.concatenate([rows, np.full(first.size + derived.size, -1)])[order],
        )

    def lists(self, found: Found, families: Rows) -> pa.Array:
        """The evidence of some families."""
        sources = found.sources
        bounds, own = taken(self.offsets, families)
        kinds, texts, credits = self.kinds[own], self.texts[own], self.credits[own]
        some = pa.array(credits, mask=credits < 0)
        called = _picked(agencies(), _of(sources.agencies, credits))
        times = sources.published[texts].astype("datetime64[us]").tolist()
        first = [
            time.replace(tzinfo=UTC).isoformat() if kind == len(CREDITS) else None
            for kind, time in zip(kinds.tolist(), times, strict=True)
        ]
        derived = found.articles.column("derived_from").take(pa.array(texts, mask=kinds != len(CREDITS) + 1))
        columns = {
            "kind": _picked(_EVIDENCE, kinds),
            "article": _picked(found.ids, texts),
            "value": pc.coalesce(called, pa.array(first, pa.string()), derived),
            "text": sources.words.take(some),
            "start": _placed(_of(sources.starts, credits)),
            "end": _placed(_of(sources.ends, credits)),
        }
        return _lists(bounds, columns, schema.EVIDENCE)


def _of(values: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """Values by row; -1 for row -1."""
    out, there = np.full(rows.size, -1, values.dtype), rows >= 0
    out[there] = values[rows[there]]
    return out


def _placed(places: NDArray[np.int32]) -> pa.Array:
    """Characters; null for what does not stand in the text."""
    return pa.array(places, pa.int32(), mask=places < 0)


def _first_published(found: Found) -> Rows:
    """The families whose origin was published first, as far as that is known."""
    families, published = found.families, found.sources.published
    if not len(families):
        return np.empty(0, np.int64)
    own = published[found.origins.texts]
    times = published[families.members]
    other = (families.members != found.origins.texts[families.owners]) & (times != UNKNOWN)
    earliest = np.minimum.reduceat(np.where(other, times, NEVER), families.offsets[:-1])
    return np.flatnonzero((own != UNKNOWN) & (earliest != NEVER) & (own <= earliest))


def article_rows(
    found: Found, names: pa.Array, members: Members, starts: NDArray[np.int32], ends: NDArray[np.int32]
) -> Callable[[int, int], pa.Table]:
    """What makes the table's rows `first` to `stop`; `starts` and `ends`: where the parts stand."""
    count = len(found.articles)
    repeats = np.where(found.first_of == np.arange(count), -1, found.first_of)
    roles = _leading_roles(members, count)
    ranks = np.empty(len(names), np.int64)
    ranks[pc.sort_indices(names).to_numpy()] = np.arange(len(names))
    order = np.lexsort((ranks[members.families], members.texts))
    heads = offsets_of(np.bincount(members.texts, minlength=count))
    bounds = offsets_of(np.bincount(found.parts[:, parts_of.TEXT], minlength=count))

    def some(first: int, stop: int) -> pa.Table:
        own, size = slice(first, stop), stop - first
        of_parts = slice(int(bounds[first]), int(bounds[stop]))
        parts = found.parts[of_parts]
        shares = _part_shares(parts, first, found.lengths[own])
        of_families = order[heads[first] : heads[stop]]
        in_families = names.take(pa.array(members.families[of_families]))
        given = {
            name: found.articles.column(name).slice(first, size)
            for name in found.articles.details.column_names
        }
        columns = {
            **given,
            "characters": found.characters[own],
            "tokens": found.lengths[own],
            "status": _picked(("short", "ok"), found.judged[own].astype(np.int64)),
            "duplicate_of": _picked(found.ids, repeats[own]),
            "families": pa.ListArray.from_arrays(_bounds(heads, first, stop).astype(np.int32), in_families),
            "role": roles[own],
            "copied": shares[:, parts_of.COPIED],
            "quoted": shares[:, parts_of.QUOTE],
            "boilerplate": shares[:, parts_of.BOILER],
            "agencies": _agency_lists(found.sources, first, stop),
            "credits": _credit_lists(found, first, stop),
            "composition": _lists(
                _bounds(bounds, first, stop),
                {
                    "kind": _picked(_PARTS, parts[:, parts_of.KIND]),
                    "start": starts[of_parts],
                    "end": ends[of_parts],
                    "share": _tokens_of(parts) / np.maximum(found.lengths[parts[:, parts_of.TEXT]], 1),
                    "family": _picked(names, parts[:, parts_of.FAMILY]),
                    "source": _picked(found.ids, parts[:, parts_of.SOURCE]),
                },
                schema.PART,
            ),
        }
        return _table(columns, schema.ARTICLES)

    return some


def _bounds(offsets: Offsets, first: int, stop: int) -> Offsets:
    """The bounds of some items' rows, among those rows."""
    bounds: Offsets = offsets[first : stop + 1] - offsets[first]
    return bounds


def _tokens_of(parts: NDArray[np.int32]) -> NDArray[np.int32]:
    return parts[:, parts_of.STOP] - parts[:, parts_of.FIRST]


def _part_shares(parts: NDArray[np.int32], first: int, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of tokens in parts of each kind, float64 (n, 4), of n texts, `first` and on."""
    cells = (parts[:, parts_of.TEXT].astype(np.int64) - first) * 4 + parts[:, parts_of.KIND]
    held = np.bincount(cells, _tokens_of(parts), 4 * lengths.size)
    return held.reshape(-1, 4) / np.maximum(lengths, 1)[:, None]


def _leading_roles(members: Members, count: int) -> NDArray[np.object_]:
    """Each article's role in the family that it shares most with."""
    order = np.lexsort((members.families, -members.shares, members.texts))
    first = order[np.flatnonzero(np.diff(members.texts[order], prepend=-1))]
    out = np.full(count, None, object)
    out[members.texts[first]] = members.roles[first]
    return out


def _agency_lists(sources: Sources, first: int, stop: int) -> pa.Array:
    """The agencies that each article credits for its text, sorted."""
    texts, rows = sources.said(np.arange(first, stop))
    cells = np.unique(texts * len(agencies()) + sources.agencies[rows])
    offsets = offsets_of(np.bincount(cells // len(agencies()), minlength=stop - first)).astype(np.int32)
    return pa.ListArray.from_arrays(offsets, _picked(agencies(), cells % len(agencies())))


def _credit_lists(found: Found, first: int, stop: int) -> pa.Array:
    sources = found.sources
    bounds = sources.offsets[first : stop + 1]
    own = slice(int(bounds[0]), int(bounds[-1]))
    columns = {
        "kind": _picked(CREDITS, sources.kinds[own]),
        "article": _picked(found.ids, np.repeat(np.arange(first, stop), np.diff(bounds))),
        "value": _picked(agencies(), sources.agencies[own]),
        "text": sources.words.slice(own.start, own.stop - own.start),
        "start": _placed(sources.starts[own]),
        "end": _placed(sources.ends[own]),
    }
    return _lists(_bounds(sources.offsets, first, stop), columns, schema.EVIDENCE)
