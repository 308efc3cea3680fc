"""The kernel that lets articles meet, beside a slow one."""

import random
from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dedup
from dedup.kernels import meet
from dedup.kernels.buckets import NEEDED, OF_BAND, STRONG, WEAK
from dedup.online.judge import Judge

BESIDE, FEW, MOST = 7, 3, 6


def same(one, other, side, known):
    """Tokens next to two fingerprints whose bits agree, of those known of the first."""
    count = 0
    while count < min(known, 7):
        shift = 3 * (7 * side + count)
        if (one >> shift & 7) != (other >> shift & 7):
            break
        count += 1
    return count


def slow(postings, reach, own, numbers, posted, lists):
    """Meetings as tuples; `lists` by key and partition, changed in place."""
    found = []
    for text, rows in enumerate(postings):
        for row, (key, spot, context, known, brief) in enumerate(rows):
            seen, told = set(), False
            cell = (BESIDE * row if spot == OF_BAND else spot) % 2048
            for part in range(len(reach[text])):
                if not reach[text][part]:
                    continue
                for number, theirs in lists[key, part]:
                    if posted[text] and part == own[text] and number == numbers[text]:
                        continue
                    if spot == OF_BAND:
                        is_strong = not told or len(lists[key, part]) < FEW
                        found.append((text, part, number, cell, STRONG if is_strong else WEAK))
                        told = True
                        continue
                    before, behind = same(context, theirs, 0, known[0]), same(context, theirs, 1, known[1])
                    ways = {i for i in range(before + 1) if BESIDE - i <= behind}
                    evidence = NEEDED if ways - seen else STRONG if brief else WEAK
                    seen |= ways
                    found.append((text, part, number, cell, evidence))
            if posted[text]:
                place = lists[key, own[text]]
                alike = any(theirs == context for _, theirs in place)
                there = any(entry == (numbers[text], context) for entry in place)
                if not there and len(place) < MOST and (len(place) < FEW or not alike):
                    place.append((numbers[text], context))
    return found


@pytest.mark.parametrize("seed", range(60))
def test_meeting(seed):
    draw = random.Random(seed)
    keys, parts, texts = draw.randint(1, 5), draw.randint(1, 3), draw.randint(0, 6)
    contexts = [draw.randrange(2**42) for _ in range(3)]
    lists = {
        (key, part): [(number, draw.choice(contexts)) for number in range(draw.randint(0, MOST))]
        for key in range(keys)
        for part in range(parts)
    }
    postings = []
    for _ in range(texts):
        rows = []
        for _ in range(draw.randint(0, 6)):
            known = draw.randint(0, 7), draw.randint(0, 7)
            spot = OF_BAND if draw.random() < 0.2 else draw.randrange(5_000)
            rows.append((draw.randrange(keys), spot, draw.choice(contexts), known, draw.random() < 0.3))
        postings.append(rows)
    reach = [[draw.random() < 0.7 for _ in range(parts)] for _ in range(texts)]
    own, posted = [draw.randrange(parts) for _ in range(texts)], [draw.random() < 0.8 for _ in range(texts)]
    numbers = [10 + text for text in range(texts)]

    flat = [row for rows in postings for row in rows]
    cells = [list(lists[key, part]) for part in range(parts) for key in range(keys)]
    bounds = np.cumsum([0, *map(len, cells)])
    listed = np.array([number for cell in cells for number, _ in cell], np.uint32)
    listed_context = np.array([context for cell in cells for _, context in cell], np.uint64)
    added, nexts, heads = (
        np.empty(len(flat), np.uint32),
        np.full(len(flat), -2, np.int32),
        np.full(len(cells), -1, np.int32),
    )
    counts, out = np.diff(bounds).astype(np.int32), np.empty(len(flat) * parts * MOST, np.uint64)
    filled = meet.meet(
        np.cumsum([0, *map(len, postings)]),
        np.array([row[0] for row in flat], np.int64),
        np.array([row[1] for row in flat], np.int32),
        np.array([row[2] for row in flat], np.uint64),
        np.array([row[3] for row in flat], np.uint8).reshape(-1, 2),
        np.array([row[4] for row in flat], np.bool_),
        BESIDE,
        np.array(reach, np.bool_).reshape(texts, parts),
        np.array(own, np.int64),
        np.array(numbers, np.uint32),
        np.array(posted, np.bool_),
        bounds, listed, listed_context, FEW, MOST, added, nexts, heads, counts, out,
    )  # fmt: skip
    found = [
        (value >> 55, value >> 45 & 1023, value >> 13 & 0xFFFFFFFF, value >> 2 & 2047, value & 3)
        for value in out[:filled].tolist()
    ]
    assert found == slow(postings, reach, own, numbers, posted, lists)

    after = [list(cell) for cell in cells]
    owners = [text for text, rows in enumerate(postings) for _ in rows]
    for row in np.flatnonzero(nexts != -2).tolist():
        after[own[owners[row]] * keys + flat[row][0]].append((added[row], flat[row][2]))
    assert counts.tolist() == [len(cell) for cell in after]
    assert after == [lists[key, part] for part in range(parts) for key in range(keys)]


PAIRS = st.tuples(st.integers(0, 4), st.sampled_from([0, 1, 1023]), st.sampled_from([0, 7, 2**32 - 1]))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(PAIRS, st.sampled_from([0, 1, 6, 8, 2047]), st.sampled_from([WEAK, WEAK, STRONG, NEEDED])),
        max_size=60,
    ),
    st.integers(1, 4),
)
def test_ranks(meetings, least):
    """Weak pairs are kept if they meet often enough, and not all in one short run."""
    packed = sorted(
        t << 55 | q << 45 | number << 13 | cell << 2 | evidence for (t, q, number), cell, evidence in meetings
    )
    bounds, out = np.empty(6, np.int64), np.empty(len(packed), np.uint64)
    meet.rank(np.array(packed, np.uint64), least, BESIDE, bounds, out)
    found = [
        [(v >> 33 & 1023, v >> 1 & 0xFFFFFFFF, v & 1) for v in out[a:b].tolist()] for a, b in pairwise(bounds)
    ]
    expected = []
    for text in range(5):
        told, cells = defaultdict(list), defaultdict(set)
        for (t, *place), cell, evidence in meetings:
            if t == text:
                told[tuple(place)].append(evidence)
                cells[tuple(place)].add(cell)
        often = {
            place
            for place, all_ in told.items()
            if len(all_) >= least and max(cells[place]) - min(cells[place]) >= BESIDE
        }
        kept = [place for place, all_ in told.items() if max(all_) != WEAK or place in often]
        kept.sort(key=lambda place: (-len(told[place]), place))
        expected.append([(*place, int(max(told[place]) == NEEDED)) for place in kept])
    assert found == expected


def test_contexts():
    around = np.array([[[1, 2, 3], [4, 5, 6]]], np.uint32)
    out = np.empty(1, np.uint64)
    meet.contexts(around, np.array([[3, 2]], np.uint8), out)
    bits = [(value * 0x9E3779B1 & 0xFFFFFFFF) >> 29 for value in (1, 2, 3, 4, 5)]
    assert out[0] == sum(own << 3 * place for own, place in zip(bits, (0, 1, 2, 7, 8), strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_no_run_of_the_guaranteed_length_is_missed(tmp_path, monkeypatch, seed):
    """Who holds a run of an earlier article is compared with one that holds it, however many do."""
    draw = random.Random(seed)
    snippets = [[f"s{number}x{place}" for place in range(30)] for number in range(4)]
    texts = []
    for number in range(60):
        words = [f"own{number}x{place}" for place in range(20)]
        for snippet in draw.sample(snippets, 2):
            cut = draw.randrange(30)
            words += [*snippet[:cut], *([] if draw.random() < 0.5 else [f"new{number}"]), *snippet[cut + 1 :]]
            words += [f"own{number}y{place}" for place in range(5)]
        texts.append(words)
    met = {}
    plain = Judge._compared

    def spied(self, arrivals, ranked, known):
        found = plain(self, arrivals, ranked, known)
        for arrival, spots in zip(arrivals, found, strict=True):
            met[arrival.spot.number] = {spot.number for spot in spots}
        return found

    monkeypatch.setattr(Judge, "_compared", spied)
    with dedup.Filter(tmp_path / "index") as own:
        for at in range(0, 60, 7):
            own.check_many(
                {"id": str(at + place), "text": " ".join(words)}
                for place, words in enumerate(texts[at : at + 7])
            )
    run = dedup.Settings().guarantee
    runs = [{tuple(words[at : at + run]) for at in range(len(words) - run + 1)} for words in texts]
    missed = [
        (number, one)
        for number, words in enumerate(runs)
        for one in words
        if any(one in runs[earlier] for earlier in range(number))
        and not any(one in runs[other] for other in met[number])
    ]
    assert missed == []
