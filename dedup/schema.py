"""Every table that stages exchange and reports carry, column by column.

Offsets are half-open and count characters (Unicode code points) of the original text. Shares lie in
[0, 1] and are shares of an article's tokens. A writer of a table keeps the invariants stated beside
it; a reader may rely on them.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = 1

# Articles as read: rows in the order of reading, ids unique, text valid UTF-8.
INPUT = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        ("title", pa.string()),
        ("outlet", pa.string()),
        ("url", pa.string()),
        ("published", pa.timestamp("us", tz="UTC")),
        ("language", pa.string()),
        ("slug", pa.string()),
        ("byline", pa.string()),
        ("dateline", pa.string()),
        ("credit", pa.string()),  # to whom the text is credited, as its sender says
        ("provider", pa.string()),  # who sent it
        ("source", pa.string()),  # whom the sender has it from
        ("copyright", pa.string()),
        ("version", pa.string()),
        ("derived_from", pa.string()),  # id or address of the article that it says it comes from
        ("path", pa.string()),  # the file it came from; null when it came from Python
        ("line", pa.int64()),  # 1-based line in that file; null for whole-file formats
    ]
)

# An agency credited in an article's text: where, in characters, and the words as they stand.
CREDIT = pa.struct(
    [
        ("kind", pa.string()),
        ("agency", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("words", pa.string()),
    ]
)

# What stands for an article's text in every comparison (`dedup.sketch`). Numbers within binary columns are
# little-endian, n of them for n tokens.
SKETCH = pa.schema(
    [
        ("bytes", pa.int64()),  # of the text, in UTF-8
        ("characters", pa.int64()),
        ("hashes", pa.large_binary()),  # uint32, of the folded tokens
        ("flags", pa.large_binary()),  # uint8, bits of `kernels.tokenise`
        ("places", pa.large_binary()),  # uint16 as `places.pack` makes them, or int32 as `places.spread` does
        ("credits", pa.list_(CREDIT)),
    ]
)

# Articles that a report keeps for later scans, sorted by id: as they were read, with their sketches.
KEPT = pa.schema([*INPUT, *SKETCH])

# Articles as read, and those that earlier reports kept: these without their texts (empty), with the place
# where they are kept (`io.kept`) and their sketches, which are null for all others.
READ = pa.schema([*INPUT, pa.field("kept", pa.int64()), *SKETCH])

# A piece of provenance: what it says (`kind`, `value`) and where it stands in which article.
EVIDENCE = pa.struct(
    [
        ("kind", pa.string()),  # credit, dateline, published, direction, ...
        ("article", pa.string()),
        ("value", pa.string()),  # e.g. the agency's name
        ("text", pa.string()),  # the words themselves, null where the evidence is not text
        ("start", pa.int32()),  # place of the words, null where the evidence is not text
        ("end", pa.int32()),
    ]
)

# One part of an article's composition. Parts are disjoint, in text order, and `share`s sum to 1.
PART = pa.struct(
    [
        ("kind", pa.string()),  # copy, quotation, boilerplate, own
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("share", pa.float64()),  # of the article's tokens
        ("family", pa.string()),  # for copy: the family it belongs to
        # For copy and quotation: the article that best covers it; the article itself where it is the origin.
        ("source", pa.string()),
    ]
)

# One row per article read, sorted by id.
ARTICLES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        ("title", pa.string()),
        ("outlet", pa.string()),
        ("url", pa.string()),
        ("published", pa.timestamp("us", tz="UTC")),
        ("language", pa.string()),
        ("path", pa.string()),
        ("line", pa.int64()),
        ("characters", pa.int64()),
        ("tokens", pa.int64()),
        ("status", pa.string()),  # ok, or short: too few tokens to judge
        ("duplicate_of", pa.string()),  # id of the first article with the same normalised text
        ("families", pa.list_(pa.string())),  # sorted
        ("role", pa.string()),  # in the family it shares most with; null outside families
        ("copied", pa.float64()),  # share of tokens found in other articles, set-aside text excluded
        ("quoted", pa.float64()),  # share of tokens in quotations shared with other articles
        ("boilerplate", pa.float64()),  # share of tokens set aside as boilerplate
        ("agencies", pa.list_(pa.string())),  # agencies the article credits, sorted
        ("credits", pa.list_(EVIDENCE)),  # the credit lines and datelines themselves
        ("composition", pa.list_(PART)),
    ]
)

# One row per pair of articles with at least one passage; left < right by id, sorted, unique.
PAIRS = pa.schema(
    [
        pa.field("left", pa.string(), nullable=False),
        pa.field("right", pa.string(), nullable=False),
        ("left_containment", pa.float64()),  # share of left's tokens, boilerplate aside, found in right
        ("right_containment", pa.float64()),
        ("resemblance", pa.float64()),  # exact Jaccard of the shingle sets
        ("matched_tokens", pa.int64()),  # over the passages that count as copy
        ("relation", pa.string()),  # see RELATIONS; what right is to left
    ]
)

# One row per passage of a pair; sorted by left, right, left_start, right_start.
PASSAGES = pa.schema(
    [
        pa.field("left", pa.string(), nullable=False),
        pa.field("right", pa.string(), nullable=False),
        ("left_start", pa.int64()),
        ("left_end", pa.int64()),
        ("right_start", pa.int64()),
        ("right_end", pa.int64()),
        ("matched_tokens", pa.int64()),
        ("similarity", pa.float64()),  # 2 * matched / (left tokens + right tokens)
        ("kind", pa.string()),  # see PASSAGE_KINDS
    ]
)

MEMBER = pa.struct(
    [
        ("article", pa.string()),
        ("role", pa.string()),  # see ROLES
        ("share", pa.float64()),  # of the member's tokens that are this family's copy
        ("origin_share", pa.float64()),  # of the origin's tokens that stand in the member
        ("credited", pa.bool_()),  # names the agency (or outlet) the copy came from
    ]
)

# One row per family; members sorted origin first, then by share (falling), then id.
FAMILIES = pa.schema(
    [
        pa.field("family", pa.string(), nullable=False),  # stable for the same members' texts
        ("size", pa.int64()),
        ("origin", pa.string()),  # the member that is, or is nearest to, the original
        ("agency", pa.string()),  # the agency the copy is credited to, null if none
        ("confidence", pa.float64()),  # in the origin, 0 to 1
        ("evidence", pa.list_(EVIDENCE)),
        ("members", pa.list_(MEMBER)),
    ]
)

# The texts that a saved report shows, sorted by id.
TEXTS = pa.schema(
    [pa.field("id", pa.string(), nullable=False), pa.field("text", pa.large_string(), nullable=False)]
)

TABLES = {"articles": ARTICLES, "passages": PASSAGES, "pairs": PAIRS, "families": FAMILIES}

# Passage kinds; only "copy" counts as copying.
PASSAGE_KINDS = ("copy", "quotation", "boilerplate", "template", "phrase")

# Relations of a pair, strongest first; what the right article is to the left one.
RELATIONS = (
    "duplicate",  # the same normalised text
    "verbatim copy",  # nearly all of both, hardly a word changed
    "edited copy",  # nearly all of both, words changed
    "excerpt",  # right is part of left
    "extended",  # left is part of right
    "update",  # a later version by the same outlet
    "partial reuse",  # passages only
    "template",  # the same form with other figures
    "quotations only",
    "boilerplate",
    "stock phrases",
    "unrelated",
)

COPIES = frozenset(RELATIONS[:6])  # one of the articles is nearly all the other's copy
COPYING = COPIES | {"partial reuse"}  # there is shared copy

# Roles of a family member towards the family's origin.
ROLES = (
    "origin",
    "verbatim copy",
    "edited copy",
    "excerpt",
    "extended",
    "update",
    "partial reuse",
    "quotations only",
)
