"""Tables: what the stages found, as the report's four tables (columns in `dedup.schema`)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from dedup import schema
from dedup.agencies import Credit
from dedup.align import Aligned
from dedup.compose import Part, Shared, compose
from dedup.families import Family
from dedup.kernels.align import COPY, FIRST, KIND, MATCHED, QUOTATION, RIGHT_FIRST, RIGHT_STOP, STOP
from dedup.provenance import Shares, Source, credited, relations, role
from dedup.tokens import Tokens
from dedup.weigh import boilerplate, weights

Origin = tuple[int, float, str | None]  # text number, confidence, agency


@dataclass(frozen=True, slots=True)
class _Found:
    """Everything the tables are made from; text numbers are rows of `articles`."""

    articles: pa.Table
    tokens: Tokens
    judged: NDArray[np.bool_]
    first_of: NDArray[np.int64]
    digests: list[bytes]
    aligned: Aligned
    families: list[Family]
    origins: list[Origin]
    sources: list[Source]
    ids: list[str]
    names: list[str]  # of the families
    matched: NDArray[np.float64]  # (n, 2) shares of the aligned pairs' articles in shared runs within copies
    covered: NDArray[np.float64]  # (n, 2) within copies
    outlets: NDArray[np.int64]  # a number for each article's outlet, -1 where it is not known

    def shares(self, pair: int) -> Shares:
        """How the articles of an aligned pair share copy."""
        return Shares.of(self.matched[pair], self.covered[pair], float(self.aligned.resemblance[pair]))

    def place(self, text: int, token: int, *, end: bool) -> int:
        """The character where a token of a text starts or ends."""
        at = int(self.tokens.offsets[text]) + token
        return int(self.tokens.ends[at] if end else self.tokens.starts[at])


def build(
    articles: pa.Table, tokens: Tokens, judged: NDArray[np.bool_], first_of: NDArray[np.int64],
    digests: list[bytes], aligned: Aligned, families: list[Family], origins: list[Origin],
    sources: list[Source], outlets: NDArray[np.int64],
) -> dict[str, pa.Table]:  # fmt: skip
    """The four tables by name."""
    ids = articles["id"].to_pylist()
    names = _family_names(families, digests)
    found = _Found(
        articles, tokens, judged, first_of, digests, aligned, families, origins, sources, ids, names,
        *aligned.shares(weights(tokens)), outlets,
    )  # fmt: skip
    pair_of = {pair: place for place, pair in enumerate(map(tuple, aligned.pairs.tolist()))}
    members = [_members(found, number, pair_of) for number in range(len(families))]
    return {
        "articles": _articles(found, members),
        "passages": _passages(found),
        "pairs": _pairs(found),
        "families": _families(found, members),
    }


def _family_names(families: list[Family], digests: list[bytes]) -> list[str]:
    """A name for each family, made from its members' texts alone; later ones of the same are numbered."""
    seen: Counter[str] = Counter()
    names = []
    for family in families:
        texts = b"".join(sorted({digests[text] for text in family.members}))
        name = xxhash.xxh3_64_hexdigest(texts)
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


def _pairs(found: _Found) -> pa.Table:
    aligned = found.aligned
    pairs, count = aligned.pairs, len(aligned.pairs)
    owners = np.repeat(np.arange(count), np.diff(aligned.offsets))
    kinds = np.zeros((count, len(schema.PASSAGE_KINDS)), np.bool_)
    kinds[owners, aligned.passages[:, KIND]] = True
    in_copies = np.where(aligned.passages[:, KIND] == COPY, aligned.passages[:, MATCHED], 0)
    outlets = found.outlets[pairs]
    names = relations(
        found.matched, found.covered, kinds, (outlets[:, 0] == outlets[:, 1]) & (outlets[:, 0] >= 0)
    )
    names[found.first_of[pairs[:, 0]] == found.first_of[pairs[:, 1]]] = "duplicate"
    ids = np.array(found.ids, object)
    columns: dict[str, Any] = {
        "left": ids[pairs[:, 0]],
        "right": ids[pairs[:, 1]],
        "left_containment": found.matched[:, 0],
        "right_containment": found.matched[:, 1],
        "resemblance": aligned.resemblance,
        "matched_tokens": np.bincount(owners, in_copies, count).astype(np.int64),
        "relation": names,
    }
    return _table(columns, schema.PAIRS)


def _table(columns: dict[str, Any], kind: pa.Schema) -> pa.Table:
    return pa.table([pa.array(columns[field.name], field.type) for field in kind], kind)


def _passages(found: _Found) -> pa.Table:
    aligned, tokens = found.aligned, found.tokens
    passages = aligned.passages.astype(np.int64)
    pairs = np.repeat(aligned.pairs, np.diff(aligned.offsets), axis=0)
    bases = tokens.offsets[pairs]
    ids = np.array(found.ids, object)
    sides = passages[:, STOP] - passages[:, FIRST] + passages[:, RIGHT_STOP] - passages[:, RIGHT_FIRST]
    columns: dict[str, Any] = {
        "left": ids[pairs[:, 0]],
        "right": ids[pairs[:, 1]],
        "left_start": tokens.starts[bases[:, 0] + passages[:, FIRST]],
        "left_end": tokens.ends[bases[:, 0] + passages[:, STOP] - 1],
        "right_start": tokens.starts[bases[:, 1] + passages[:, RIGHT_FIRST]],
        "right_end": tokens.ends[bases[:, 1] + passages[:, RIGHT_STOP] - 1],
        "matched_tokens": passages[:, MATCHED],
        "similarity": 2.0 * passages[:, MATCHED] / np.maximum(sides, 1),
        "kind": np.array(schema.PASSAGE_KINDS, object)[passages[:, KIND]],
    }
    return _table(columns, schema.PASSAGES)


def _members(found: _Found, number: int, pair_of: dict[tuple[int, int], int]) -> list[dict[str, Any]]:
    """The members of a family, the origin first."""
    family, (origin, _, agency) = found.families[number], found.origins[number]
    texts = found.articles["text"]
    rows = []
    for member, spans in family.members.items():
        same = found.first_of[member] == found.first_of[origin]
        shares = Shares(1.0, 1.0, 1.0, 1.0, 1.0)
        if not same:
            left, right = int(found.first_of[origin]), int(found.first_of[member])
            pair = pair_of.get((min(left, right), max(left, right)))
            shares = found.shares(pair) if pair is not None else Shares(0.0, 0.0, 0.0, 0.0, 0.0)
            shares = shares if left < right else shares.turned()
        source = found.sources[member]
        length = int(found.tokens.lengths[member])
        rows.append(
            {
                "article": found.ids[member],
                "role": "origin"
                if member == origin
                else role(shares, found.sources[origin], source, duplicate=same),
                "share": float((spans[:, 1] - spans[:, 0]).sum()) / length,
                "origin_share": shares.left_covered,
                "credited": credited(source, found.sources[origin], agency, texts[member].as_py()),
            }
        )
    return sorted(rows, key=lambda row: (row["role"] != "origin", -row["share"], row["article"]))


def _evidence(credit: Credit, article: str, text: str) -> dict[str, Any]:
    return {
        "kind": credit.kind,
        "article": article,
        "value": credit.agency,
        "text": text[credit.start : credit.end],
        "start": credit.start,
        "end": credit.end,
    }


def _families(found: _Found, members: list[list[dict[str, Any]]]) -> pa.Table:
    rows = []
    texts = found.articles["text"]
    for number, family in enumerate(found.families):
        origin, confidence, agency = found.origins[number]
        evidence = [
            _evidence(credit, found.ids[member], texts[member].as_py())
            for member in sorted(family.members, key=lambda member: (member != origin, member))
            for credit in found.sources[member].credits
            if credit.agency == agency and credit.kind != "picture"
        ]
        first = found.sources[origin].published
        others = [found.sources[member].published for member in family.members if member != origin]
        if first is not None and any(others) and all(first <= other for other in others if other is not None):
            evidence.append(
                {"kind": "first published", "article": found.ids[origin], "value": first.isoformat()}
            )
        rows.append(
            {
                "family": found.names[number],
                "size": len(family.members),
                "origin": found.ids[origin],
                "agency": agency,
                "confidence": confidence,
                "evidence": evidence,
                "members": members[number],
            }
        )
    table = pa.Table.from_pylist(rows, schema.FAMILIES)
    return table.sort_by([("size", "descending"), ("family", "ascending")])


def _shared_by_text(found: _Found) -> dict[int, list[Shared]]:
    """For each article, what it shares with which others."""
    together = {
        (member, origin)
        for family, (origin, _, _) in zip(found.families, found.origins, strict=True)
        for member in family.members
    }
    shared: dict[int, list[Shared]] = defaultdict(list)
    aligned = found.aligned
    telling = np.isin(aligned.passages[:, KIND], (COPY, QUOTATION))
    owners = np.repeat(np.arange(len(aligned.pairs)), np.diff(aligned.offsets))[telling]
    passages = aligned.passages[telling]
    counts = np.bincount(owners, minlength=len(aligned.pairs))
    bounds = np.concatenate([[0], np.cumsum(counts)]).tolist()
    for pair in np.flatnonzero(counts).tolist():
        own = passages[bounds[pair] : bounds[pair + 1]]
        copies, quotations = own[own[:, KIND] == COPY], own[own[:, KIND] == QUOTATION]
        left, right = aligned.pairs[pair].tolist()
        for text, other, first in ((left, right, FIRST), (right, left, RIGHT_FIRST)):
            sides = copies[:, first : first + 2], quotations[:, first : first + 2]
            shared[text].append(Shared(other, *sides, (text, other) in together))
    return shared


def _parts(
    found: _Found, text: int, parts: list[Part], families_of: dict[int, list[int]]
) -> list[dict[str, Any]]:
    length = int(found.tokens.lengths[text])
    own = families_of.get(text, [])
    rows = []
    for part in parts:
        family, source = None, part.source
        if part.kind == "copy" and source is not None:
            others = set(families_of.get(source, []))
            number = next((number for number in own if number in others), None)
            family = None if number is None else found.names[number]
            source = text if number is not None and found.origins[number][0] == text else source
        rows.append(
            {
                "kind": part.kind,
                "start": found.place(text, part.first, end=False),
                "end": found.place(text, part.stop - 1, end=True),
                "share": (part.stop - part.first) / length,
                "family": family,
                "source": None if source is None else found.ids[source],
            }
        )
    return rows


def _articles(found: _Found, members: list[list[dict[str, Any]]]) -> pa.Table:
    families_of: dict[int, list[int]] = defaultdict(list)
    roles: dict[str, tuple[float, str]] = {}
    for number, family in enumerate(found.families):
        for text in family.members:
            families_of[text].append(number)
        for row in members[number]:
            known = roles.get(row["article"])
            if known is None or row["share"] > known[0]:
                roles[row["article"]] = row["share"], row["role"]
    shared = _shared_by_text(found)
    idle = boilerplate(found.tokens)
    lengths, offsets = found.tokens.lengths.tolist(), found.tokens.offsets.tolist()
    texts = found.articles["text"]
    rows = []
    for text, id in enumerate(found.ids):
        parts = compose(lengths[text], idle[offsets[text] : offsets[text + 1]], shared.get(text, ()))
        sums: Counter[str] = Counter()
        for part in parts:
            sums[part.kind] += part.stop - part.first
        length = max(lengths[text], 1)
        source = found.sources[text]
        repeat = int(found.first_of[text])
        body = texts[text].as_py() if source.credits else ""
        rows.append(
            {
                "status": "ok" if found.judged[text] else "short",
                "duplicate_of": None if repeat == text else found.ids[repeat],
                "families": sorted(found.names[number] for number in families_of.get(text, [])),
                "role": roles[id][1] if id in roles else None,
                "copied": sums["copy"] / length,
                "quoted": sums["quotation"] / length,
                "boilerplate": sums["boilerplate"] / length,
                "agencies": sorted(source.agencies),
                "credits": [_evidence(credit, id, body) for credit in source.credits],
                "composition": _parts(found, text, parts, families_of),
            }
        )
    table = pa.Table.from_pylist(
        rows, pa.schema([field for field in schema.ARTICLES if field.name in _COMPUTED])
    )
    for name in schema.ARTICLES.names:
        if name not in _COMPUTED:
            column = _given(found, name)
            table = table.append_column(
                schema.ARTICLES.field(name), column.cast(schema.ARTICLES.field(name).type)
            )
    return table.select(schema.ARTICLES.names).cast(schema.ARTICLES)


_COMPUTED = frozenset(
    {
        "status", "duplicate_of", "families", "role", "copied", "quoted", "boilerplate", "agencies",
        "credits", "composition",
    }
)  # fmt: skip


def _given(found: _Found, name: str) -> Any:
    if name == "characters":
        import pyarrow.compute as pc

        return pc.utf8_length(found.articles["text"])
    if name == "tokens":
        return pa.array(found.tokens.lengths)
    return found.articles[name]
