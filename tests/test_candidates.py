"""No run of the guaranteed length is missed, however crowded the buckets are."""

import random
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dedup
from dedup.candidates import candidate_pairs
from dedup.lsh import bands_for
from dedup.scratch import Scratch
from dedup.tokens import Tokens

NONE = np.empty(0, np.int32)


def tokens_of(texts):
    hashes = np.array([token for text in texts for token in text], np.uint32)
    return Tokens(hashes, NONE, NONE, np.zeros(hashes.size, np.uint8), np.cumsum([0, *map(len, texts)]))


def paired(texts, compared, chosen, batches=None, threads=1, memory=2**30):
    bands = bands_for(chosen.num_perm, chosen.resemblance, chosen.recall)
    with Scratch(memory) as scratch:
        found = candidate_pairs(
            tokens_of(texts), np.array(compared, np.bool_), batches or [(0, len(texts))], chosen, bands,
            scratch, on_disk=memory < 2**30, threads=threads,
        )  # fmt: skip
    return list(
        zip(map(tuple, found.pairs.tolist()), found.buckets.tolist(), found.needed.tolist(), strict=True)
    )


def missed(texts, compared, guarantee, pairs):
    """Runs of `guarantee` tokens that a text shares with another, but with none that it is paired with."""
    holders = defaultdict(set)
    for number, text in enumerate(texts):
        if compared[number]:
            for at in range(len(text) - guarantee + 1):
                holders[tuple(text[at : at + guarantee])].add(number)
    partners = defaultdict(set)
    for left, right in pairs:
        partners[left].add(right)
        partners[right].add(left)
    return [
        (number, run)
        for run, numbers in holders.items()
        for number in sorted(numbers)
        if len(numbers) > 1 and not numbers & partners[number]
    ]


def crowded(draw, count, words, longest):
    """Texts of up to `longest` tokens: a few words, and snippets that many of them hold, one edit each."""
    snippets = [
        [draw.randrange(words) for _ in range(draw.randint(3, 30))] for _ in range(draw.randint(1, 6))
    ]
    texts = []
    for number in range(count):
        length = draw.choice([draw.randint(0, longest), longest])
        text = []
        while len(text) < length:
            if draw.random() < 0.5:
                piece = list(draw.choice(snippets))
                piece[draw.randrange(len(piece))] = draw.randrange(words)
                text += piece
            elif draw.random() < 0.5:
                text += [draw.randrange(words) for _ in range(draw.randint(1, 6))]
            else:  # words of the text's own, which nobody shares
                text += [1000 * (number + 1) + at for at in range(draw.randint(1, 8))]
        texts.append(text[:length])
    return texts


@given(
    st.integers(0, 2**32), st.sampled_from([2, 9, 40, 64, 90]), st.sampled_from([1, 2, 3, 9]),
    st.sampled_from([30, 170]), st.sampled_from([(2, 2), (2, 4), (3, 5), (3, 9), (5, 12)]), st.booleans(),
)  # fmt: skip
@settings(deadline=None, max_examples=80)
def test_every_long_run_is_in_a_needed_pair(seed, count, words, longest, sizes, everyone):
    draw = random.Random(seed)
    texts = crowded(draw, count, words, longest)
    compared = [everyone or draw.random() < 0.8 for _ in texts]
    chosen = dedup.Settings(shingle=sizes[0], guarantee=sizes[1], num_perm=16)
    found = paired(texts, compared, chosen)
    assert all(compared[left] and compared[right] and left < right for (left, right), _, _ in found)
    assert [pair for pair, _, _ in found] == sorted({pair for pair, _, _ in found})
    assert missed(texts, compared, sizes[1], [pair for pair, _, needed in found if needed]) == []


@pytest.mark.parametrize("words", [1, 2, 30])
def test_a_text_that_everyone_holds_is_paired_in_a_crowd(words):
    """Hundreds of texts with one story between words of their own."""
    draw = random.Random(words)
    story = [draw.randrange(words) for _ in range(40)]
    texts = []
    for number in range(300):
        own = [1000 * (number + 1) + at for at in range(draw.randint(100, 160))]
        cut = draw.randint(0, len(own))
        first = draw.randint(0, 20)
        texts.append(own[:cut] + story[first : first + draw.randint(12, 40)] + own[cut:])
    found = paired(texts, [True] * len(texts), dedup.Settings())
    assert len(found) < 40 * len(texts)
    assert missed(texts, [True] * len(texts), 12, [pair for pair, _, needed in found if needed]) == []


@pytest.mark.parametrize("guarantee", [12, 40, 63, 64])
def test_long_guarantees(guarantee):
    """Two texts share a run, of which others share nearly all, from either end."""
    for seed in range(60):
        draw = random.Random(seed)
        run = [draw.randrange(10**6) for _ in range(guarantee)]
        shared = [run, run, run[: -guarantee // 6], run[guarantee // 6 :]]
        texts = [
            [*range(n * 10**7, n * 10**7 + 150), *piece, *range(n * 10**7 + 200, n * 10**7 + 350)]
            for n, piece in enumerate(shared, 1)
        ]
        found = paired(texts, [True] * 4, dedup.Settings(guarantee=guarantee, num_perm=16))
        assert missed(texts, [True] * 4, guarantee, [pair for pair, _, needed in found if needed]) == []


@given(st.integers(0, 2**32), st.integers(1, 50), st.sampled_from([0, 1000, 2**30]))
@settings(deadline=None, max_examples=8)
def test_batches_threads_and_memory_change_nothing(seed, at_once, memory):
    texts = crowded(random.Random(seed), 70, 3, 170)
    chosen = dedup.Settings(shingle=3, guarantee=6, num_perm=16)
    compared = [number % 7 != 3 for number in range(70)]
    batches = [(first, min(first + at_once, 70)) for first in range(0, 70, at_once)]
    expected = paired(texts, compared, chosen)
    assert paired(texts, compared, chosen, batches, 2, memory) == expected


@pytest.mark.parametrize("resemblance", [0.3, 0.5, 0.8])
def test_brief_texts_that_resemble_one_another_are_candidates(resemblance):
    draw, shingle = random.Random(5), 5
    texts = []
    for _ in range(300):
        text = [draw.randrange(10_000) for _ in range(draw.randint(12, 30))]
        other = list(text)
        for _ in range(draw.randint(0, 2)):
            other[draw.randrange(len(other))] = draw.randrange(10_000)
        other = other[: len(other) - draw.randint(0, 6)]
        texts += [text, other]
    chosen = dedup.Settings(guarantee=30, resemblance=resemblance)
    pairs = {pair for pair, _, _ in paired(texts, [True] * len(texts), chosen)}
    sets = [{tuple(text[at : at + shingle]) for at in range(len(text) - shingle + 1)} for text in texts]
    alike = [
        (number, number + 1)
        for number in range(0, len(texts), 2)
        if texts[number] != texts[number + 1]
        and len(sets[number] & sets[number + 1]) >= resemblance * len(sets[number] | sets[number + 1])
    ]
    assert len(alike) > 40
    assert set(alike) <= pairs
