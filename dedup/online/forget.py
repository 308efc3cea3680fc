"""Forget: what changes in an index when an article is deleted.

Others may have been found through it: repeats of its words, of which only the first is posted, and members of
its families, whose head may name it. What it leaves to them is worked out here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from dedup.online.index import Holders, Spot, articles_of, holders_key, key_of, member_of, packed
from dedup.online.judge import Judge
from dedup.online.kin import without
from dedup.online.postings import Postings
from dedup.online.rocks import Changes
from dedup.online.texts import Known

_AT_ONCE = 256  # members of a family that are looked through in one go


def forgotten(judge: Judge, id: str, spots: Sequence[Spot]) -> tuple[Changes, dict[int, Postings]]:
    """What to write, and to post by partition, so that nothing is left of all versions of an article."""
    index, changes, posted = judge.index, Changes(), dict[int, Postings]()
    texts = judge.texts.get(spots)
    joined = [[one["family"] for one in families] for families in index.families(spots)]
    for spot, names in zip(spots, joined, strict=True):
        own = articles_of(spot.day)
        changes += [(own, key_of(kind, spot.number), None) for kind in (b"a", b"v", b"m")]
        changes += [(own, member_of(name, spot.number), None) for name in names]
        changes += [(own, b"i" + id.encode(), None), index.counted(spot.day)]
    digests: dict[tuple[bytes, int], list[str]] = {}
    for spot, names in zip(spots, joined, strict=True):
        digests.setdefault((texts[spot].digest, spot.day), []).extend(names)
    for (digest, day), names in digests.items():
        held = index.holders([day], [digest])[0].get(day)
        if held is None or not {held.first, held.latest} & {*spots}:
            continue
        left = _with(judge, digest, day, names, {held.first, held.latest}, spots)
        changes.append((articles_of(day), holders_key(digest), left[0].packed() if left else None))
        if left and left[0].first != held.first:
            new = judge.posted(left[1], left[0].first).get(day)
            if new is not None:
                posted[day] = Postings.joined([posted[day], new]) if day in posted else new
    for name in dict.fromkeys(name for names in joined for name in names):
        changes += _family(judge, name, id, spots)
    return changes, posted


def _with(
    judge: Judge,
    digest: bytes,
    day: int,
    families: Sequence[str],
    known: Collection[Spot],
    gone: Collection[Spot],
) -> tuple[Holders, Known] | None:
    """Who else in a partition has the tokens of a digest, and the text of the first.

    They have joined the families of the one that is gone, unless it was out of their window; then the latest
    may be `known`.
    """
    found: dict[Spot, Known] = {}
    lots = [[spot for spot in known if spot not in gone]]
    for name in families:
        lots += _lots(_others(judge, name, gone, day))
    for some in lots:
        texts = judge.texts.get(some)
        found |= {spot: text for spot, text in texts.items() if text.digest == digest}
    if not found:
        return None
    first = min(found, key=lambda spot: found[spot].facts["order"])
    latest = max(found, key=lambda spot: (found[spot].facts["time"], -found[spot].facts["order"]))
    return Holders(first, latest, found[latest].facts["time"]), found[first]


def _family(judge: Judge, name: str, id: str, gone: Collection[Spot]) -> Changes:
    """What becomes of a family: nothing is left of one without members; no head names who is gone."""
    index = judge.index
    head = index.family(name)
    rest = _others(judge, name, gone)
    heads: Changes = [(articles_of(day), b"f" + name.encode(), None) for day in index.partitions]
    if head is None or not rest:
        return heads
    derived = [name for name in head.get("derived", ()) if name != id]
    if head["origin"]["id"] != id and derived == head.get("derived", []):
        return []
    members = []
    for spots in _lots(rest):
        some = judge.kept(spots)
        for kept, families in zip(some, index.families([kept.spot for kept in some]), strict=True):
            members += [(kept, one["spans"]) for one in families if one["family"] == name]
    if not members:
        return heads
    head = without({**head, "derived": derived}, members)
    return [*heads, (articles_of(head["day"]), b"f" + name.encode(), packed(head))]


def _others(judge: Judge, name: str, gone: Collection[Spot], day: int | None = None) -> list[Spot]:
    """The members of a family without those that are gone; in one partition, or in all."""
    return [spot for spot in judge.index.members(name) if day in (None, spot.day) and spot not in gone]


def _lots(spots: list[Spot]) -> Iterator[list[Spot]]:
    """As many as are looked through in one go."""
    return (spots[first : first + _AT_ONCE] for first in range(0, len(spots), _AT_ONCE))
