import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.align import Aligned
from dedup.compose import compose
from dedup.families import Families
from dedup.kernels.align import COPY, QUOTATION
from dedup.kernels.compose import BOILER, COPIED, OWN, QUOTE
from dedup.kernels.tokenise import BOILERPLATE, PARAGRAPH
from dedup.tokens import Tokens

PHRASE = 4
NONE = np.empty(0, np.int32)


def tokens_of(idle):
    """Texts given as their tokens' boilerplate."""
    flags = [BOILERPLATE * one | PARAGRAPH for text in idle for one in text]
    hashes = np.zeros(len(flags), np.uint32)
    return Tokens(hashes, NONE, NONE, np.array(flags, np.uint8), np.cumsum([0, *map(len, idle)]))


def laid(sharing):
    """Pairs given as their passages: left first and stop, right first and stop, kind."""
    pairs = np.array(sorted(sharing), np.int32).reshape(-1, 2)
    rows = [[*p[:4], 0, p[4]] for pair in sorted(sharing) for p in sharing[pair]]
    passages = np.array(rows, np.int32).reshape(-1, 6)
    offsets = np.cumsum([0, *(len(sharing[pair]) for pair in sorted(sharing))])
    sizes = np.zeros((len(pairs), 2), np.int64)
    return Aligned(pairs, passages, offsets, sizes, sizes, np.zeros(len(pairs)))


def gathered(families):
    """Families given as (origin, texts), and their origins; what else is known of them is not looked at."""
    numbers = np.repeat(np.arange(len(families)), [len(texts) for _, texts in families])
    texts = np.array([text for _, texts in families for text in texts], np.int32)
    origins = np.array([origin for origin, _ in families], np.int64)
    spans = np.zeros((texts.size, 2), np.int32)
    found = Families.of(
        origins.astype(np.int32), numbers.astype(np.int64), texts, np.arange(texts.size + 1), spans
    )
    return found, origins


def composed(idle, sharing, families, batches=None, threads=1):
    parts = compose(
        tokens_of(idle), laid(sharing), *gathered(families), batches or [(0, len(idle))], threads=threads
    )
    return [tuple(row) for row in parts.tolist()]


def test_parts_cover_the_article_once():
    idle = [[token >= 90 for token in range(100)], [False] * 30, [False] * 70]
    sharing = {
        (0, 1): [(0, 30, 0, 30, COPY)],
        (0, 2): [(10, 60, 0, 50, COPY), (95, 100, 60, 65, COPY), (55, 70, 50, 65, QUOTATION)],
    }
    assert [part for part in composed(idle, sharing, []) if part[0] == 0] == [
        (0, OWN, 0, 10, -1, -1),
        (0, COPIED, 10, 60, 2, -1),
        (0, QUOTE, 60, 70, 2, -1),
        (0, OWN, 70, 90, -1, -1),
        (0, BOILER, 90, 100, -1, -1),
    ]


def test_the_origin_is_preferred_among_like_sources():
    idle = [[False] * 60, [False] * 60, [False] * 60]
    sharing = {(0, 1): [(0, 52, 0, 52, COPY)], (0, 2): [(0, 50, 0, 50, COPY)]}
    parts = composed(idle, sharing, [(2, [0, 2])])
    assert [part[4] for part in parts if part[0] == 0] == [2, -1]
    assert composed(idle, sharing, [(0, [0, 2])])[0] == (0, COPIED, 0, 52, 1, -1)
    # What the origin has in common with others is its own copy.
    assert [part for part in composed(idle, sharing, [(0, [0, 1, 2])]) if part[0] == 0] == [
        (0, COPIED, 0, 52, 0, 0),
        (0, OWN, 52, 60, -1, -1),
    ]


def test_nothing_is_composed_of_nothing():
    assert composed([[]], {}, []) == []
    assert composed([], {}, [], [(0, 0)]) == []


@st.composite
def corpora(draw):
    """Up to five texts with boilerplate, what they share, and families with their origins."""
    count = draw(st.integers(1, 5))
    lengths = draw(st.lists(st.sampled_from([0, 1, 3, 20, 40]), min_size=count, max_size=count))
    idle = [[token % draw(st.sampled_from([3, 99])) == 2 for token in range(length)] for length in lengths]
    full = [text for text in range(count) if lengths[text]]
    every = [(left, right) for right in full for left in full if left < right]
    sharing = {}
    for pair in draw(st.lists(st.sampled_from(every), unique=True)) if every else []:
        passages = []
        for kind in draw(st.lists(st.sampled_from([COPY, COPY, QUOTATION, PHRASE]), min_size=1, max_size=3)):
            ends = []
            for text in pair:
                first = draw(st.integers(0, lengths[text] - 1))
                ends += [first, draw(st.integers(first + 1, lengths[text]))]
            passages.append((*ends, kind))
        sharing[pair] = passages
    families = []
    for texts in draw(st.lists(st.sets(st.integers(0, count - 1), min_size=1), max_size=3)):
        families.append((draw(st.sampled_from(sorted(texts))), sorted(texts)))
    return idle, sharing, families


def plain(idle, sharing, families):
    """The twin of `compose`: greedy set cover, every gain counted anew."""
    rows = []
    for text, own_idle in enumerate(idle):
        length = len(own_idle)
        labels = {t: (BOILER, None) for t in range(length) if own_idle[t]}
        own = [f for f, (_, texts) in enumerate(families) if text in texts]
        copies, quotes = {}, {}
        for pair in sorted(sharing):
            if text in pair:
                other, at = sum(pair) - text, 2 * pair.index(text)
                for passage in sharing[pair]:
                    held = {COPY: copies, QUOTATION: quotes}.get(passage[4], {}).setdefault(other, set())
                    held |= set(range(passage[at], passage[at + 1]))

        def gain(other, copies=copies, labels=labels):
            return len(copies[other] - labels.keys())

        def worth(other, own=own, gain=gain):
            return gain(other) * (1.25 if any(families[f][0] == other for f in own) else 1)

        left = sorted(copies)
        while left:
            best = max(left, key=worth)  # the first of equals
            if gain(best) < min(12, max(1, length // 2)):
                break
            labels |= dict.fromkeys(copies[best] - labels.keys(), (COPIED, best))
            left.remove(best)
        for other in sorted(quotes):
            labels |= dict.fromkeys(quotes[other] - labels.keys(), (QUOTE, other))
        before = None
        for t in range(length):
            kind, other = labels.get(t, (OWN, None))
            if (kind, other) == before:
                rows[-1][3] = t + 1
                continue
            before = kind, other
            common = [f for f in own if other in families[f][1]] if kind == COPIED else []
            source = -1 if other is None else other
            if common and families[common[0]][0] == text:
                source = text
            rows.append([text, kind, t, t + 1, source, common[0] if common else -1])
    return [tuple(row) for row in rows]


@given(corpora(), st.integers(1, 2))
@settings(deadline=None, max_examples=300)
def test_compositions_are_those_of_plain_greed(corpus, threads):
    idle = corpus[0]
    expected = plain(*corpus)
    assert composed(*corpus, threads=threads) == expected
    one_by_one = [(text, text + 1) for text in range(len(idle))]
    assert composed(*corpus, one_by_one, threads) == expected
