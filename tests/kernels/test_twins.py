"""Kernels against slow, obvious twins."""

import datasketch
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import dedup
from dedup.kernels.runs import resemble, seed
from dedup.lsh import Bands, band_hashes, bands_for, recall_at
from dedup.minhash import sign_shingles
from dedup.shingles import shingle
from dedup.tokens import tokenise, tokens_of
from dedup.winnow import among, windows, winnow

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), max_size=5)
WORDY = st.lists(st.sampled_from(["a", "b", "c", "of", "the", "Xi"]), max_size=40).map(" ".join)
MASK = 2**64 - 1


def arrow(texts):
    return pa.array(texts, pa.large_string())


@given(TEXTS)
@settings(deadline=None)
def test_tokens_lie_in_order_in_the_text(texts):
    tokens = tokenise(arrow(texts))
    assert len(tokens) == len(texts)
    for number, text in enumerate(texts):
        span = slice(tokens.offsets[number], tokens.offsets[number + 1])
        starts, ends = tokens.starts[span].tolist(), tokens.ends[span].tolist()
        assert all(a < b for a, b in zip(starts, ends, strict=True))
        assert all(b <= a for b, a in zip(ends, starts[1:], strict=False))
        assert not ends or ends[-1] <= len(text)
        alone = tokenise(arrow([text]))
        assert alone.hashes.tolist() == tokens.hashes[span].tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("China's", "China‘s"),
        ("China's", "CHINA’S"),
        ("Japan–China", "Japan-China"),
        ("U.S. president", "US\u00a0President"),
        ("zero\u200bwidth", "zerowidth"),
        ("soft\u00adhyphen", "softhyphen"),
        ("ＡＢＣ１２", "abc12"),
        ("e\u0301te\u0301", "été"),
        ("𝐀𝐁", "ab"),
        ("٣٤", "34"),
        ("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af"),
        ("“quoted” words", '"quoted" words'),
    ],
)
def test_variants_fold_to_the_same_tokens(one, other):
    assert tokens_of(one)[0].tolist() == tokens_of(other)[0].tolist()


def test_unspaced_scripts_are_cut_by_character():
    assert tokens_of("日本のカメラ")[1].tolist() == [0, 1, 2, 3, 4, 5]


@given(TEXTS, st.integers(2, 7))
@settings(deadline=None)
def test_shingles(texts, k):
    tokens = tokenise(arrow(texts))
    found = shingle(tokens, k)
    for number in range(len(texts)):
        own = tokens.hashes[tokens.offsets[number] : tokens.offsets[number + 1]].tolist()
        grams = [own[at : at + k] for at in range(len(own) - k + 1)] or ([own] if own else [])
        expected = []
        for gram in grams:
            state = 0
            for token in gram:
                state = (state + token + 1) * 0x9E3779B97F4A7C15 & MASK
            expected.append(((state ^ state >> 32) * 0xFF51AFD7ED558CCD & MASK) ^ state >> 29)
        assert found.hashes[found.offsets[number] : found.offsets[number + 1]].tolist() == expected


@given(TEXTS, st.integers(1, 200), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_signatures_are_those_of_datasketch(texts, num_perm, seed):
    shingles = shingle(tokenise(arrow(texts)), 5)
    signatures = sign_shingles(shingles, num_perm, seed)
    for number in range(len(texts)):
        own = shingles.hashes[shingles.offsets[number] : shingles.offsets[number + 1]] >> np.uint64(32)
        sketch = datasketch.MinHash(num_perm, seed=seed, scheme="affine32", hashfunc=int)
        sketch.update_batch(own.tolist())
        assert signatures[number].tolist() == sketch.hashvalues.tolist()


def test_signatures_serve_in_a_datasketch_index():
    draw = np.random.default_rng(1)
    texts = [" ".join(f"w{word}" for word in draw.integers(0, 5000, 300)) for _ in range(40)]
    copies = [text.replace("w1", "x1", 2) for text in texts]
    index = datasketch.MinHashLSH(threshold=0.5, num_perm=128)
    for number, values in enumerate(dedup.sign(texts)):
        index.insert(number, datasketch.MinHash(hashvalues=values, scheme="affine32"))
    for number, values in enumerate(dedup.sign(copies)):
        assert index.query(datasketch.MinHash(hashvalues=values, scheme="affine32")) == [number]


@given(st.lists(WORDY, max_size=4), st.integers(1, 12))
@settings(deadline=None)
def test_winnowing_keeps_the_last_least_of_each_window(texts, window):
    shingles = shingle(tokenise(arrow(texts)), 3)
    prints = winnow(shingles, window)
    for number in range(len(texts)):
        own = shingles.hashes[shingles.offsets[number] : shingles.offsets[number + 1]].tolist()
        expected = []
        for last in range(max(0, min(window, len(own)) - 1), len(own)):
            places = range(max(0, last - window + 1), last + 1)
            least = min(places, key=lambda place: (own[place], -place))
            if not expected or expected[-1] != least:
                expected.append(least)
        assert prints.places[prints.offsets[number] : prints.offsets[number + 1]].tolist() == expected


@given(st.lists(st.integers(0, MASK), max_size=60), st.integers(1, 4))
@settings(deadline=None)
def test_hashes_among_others(hashes, every):
    hashes = np.array(hashes, np.uint64)
    some = np.unique(hashes)[::every]
    assert among(hashes, some).tolist() == np.isin(hashes, some).tolist()


@given(
    st.lists(WORDY, max_size=4), st.integers(2, 4), st.integers(1, 12), st.lists(st.booleans(), max_size=9)
)
@example(["a a b c", "b c a a"], 2, 3, [True])
@example(["a b a b", "b a b a"], 2, 3, [True])
@settings(deadline=None)
def test_windows_around_fingerprints(texts, k, window, pattern):
    """Whether a window is wanted hangs on its fingerprint's place, not on the shingle."""
    tokens = tokenise(arrow(texts))
    shingles = shingle(tokens, k)
    wanted = np.flatnonzero(np.resize(np.array(pattern or [False]), shingles.hashes.size))
    owners = (np.searchsorted(shingles.offsets, wanted, "right") - 1).astype(np.int32)
    places = (wanted - shingles.offsets[owners]).astype(np.int32)
    keys, found = windows(tokens, k, window, owners, places)
    expected = []  # owners, and all tokens of the windows
    for owner, place in zip(owners.tolist(), places.tolist(), strict=True):
        own = shingles.hashes[shingles.offsets[owner] : shingles.offsets[owner + 1]].tolist()
        words = tokens.hashes[tokens.offsets[owner] : tokens.offsets[owner + 1]].tolist()
        for last in range(max(0, min(window, len(own)) - 1), len(own)):
            first = max(0, last - window + 1)
            if min(range(first, last + 1), key=lambda place: (own[place], -place)) == place:
                expected.append((owner, words[first : last + k]))
    assert found.tolist() == [owner for owner, _ in expected]
    for key, (_, one) in zip(keys, expected, strict=True):
        for other_key, (_, other) in zip(keys, expected, strict=True):
            assert (key == other_key) == (one == other)


@given(st.integers(2, 256), st.floats(0.2, 0.95), st.floats(0.5, 0.99))
def test_bands_reach_their_recall(num_perm, resemblance, recall):
    if recall_at(resemblance, Bands(num_perm, 1)) < recall:
        with pytest.raises(dedup.SettingsError, match="raise num_perm"):
            bands_for(num_perm, resemblance, recall)
        return
    bands = bands_for(num_perm, resemblance, recall)
    assert bands.bands * bands.rows <= num_perm
    assert recall_at(resemblance, bands) >= recall
    longer = bands.rows + 1
    assert longer > num_perm or recall_at(resemblance, Bands(num_perm // longer, longer)) < recall


@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=9))
@settings(deadline=None)
def test_band_hashes_agree_where_bands_do(rows):
    keys = band_hashes(np.array(rows, np.uint32), Bands(3, 2))
    for one, left in enumerate(rows):
        for two, right in enumerate(rows):
            for band in range(3):
                same = left[2 * band : 2 * band + 2] == right[2 * band : 2 * band + 2]
                assert (keys[one, band] == keys[two, band]) == same


@given(st.lists(st.integers(0, 40), max_size=40), st.lists(st.integers(0, 40), max_size=40))
@settings(deadline=None)
def test_runs_are_the_maximal_common_ones(left, right):
    offsets = np.array([0, len(left), len(left) + len(right)])
    pair = np.zeros(1, np.int32), np.ones(1, np.int32)
    found = seed(np.array(left + right, np.uint32), offsets, *pair, 3, 1000, 1000, 12, np.empty(2, np.int64))
    expected = []
    for i in range(len(left)):
        for j in range(len(right)):
            if i and j and left[i - 1] == right[j - 1]:
                continue
            length = 0
            while (
                i + length < len(left) and j + length < len(right) and left[i + length] == right[j + length]
            ):
                length += 1
            if length >= 3:
                expected.append([i, j, length])
    assert sorted(found.tolist()) == sorted(expected)


@given(st.lists(st.integers(0, 9), max_size=20), st.lists(st.integers(0, 9), max_size=20))
@settings(deadline=None)
def test_exact_resemblance(left, right):
    out = np.empty(1)
    tokens = np.array(left + right, np.uint32)
    bounds = np.array([0, len(left), len(left) + len(right)])
    resemble(tokens, bounds, np.zeros(1, np.int32), np.ones(1, np.int32), 2, out)
    left, right = (
        {tuple(one[at : at + 2]) for at in range(max(len(one) - 1, len(one) == 1))} for one in (left, right)
    )
    union = left | right
    assert out[0] == (len(left & right) / len(union) if union else 0)


@given(st.integers(0, 10**6), st.integers(12, 60), st.integers(0, 200), st.integers(0, 200))
@settings(deadline=None, max_examples=60)
def test_no_run_of_the_guaranteed_length_is_missed(seed, length, before, after):
    draw = np.random.default_rng(seed)
    words = [f"w{number}" for number in draw.integers(0, 10**6, 2 * (before + after) + length + 40)]
    run, rest = words[:length], words[length:]
    left = [*rest[:before], *run, *rest[before : before + after]]
    right = [*rest[before + after : before + 2 * after], *run, *rest[before + 2 * after :]]
    report = dedup.scan([{"id": "left", "text": " ".join(left)}, {"id": "right", "text": " ".join(right)}])
    for id, sequence in (("left", left), ("right", right)):
        text = " ".join(sequence)
        start = len(" ".join(sequence[: sequence.index(run[0])]) + " ") if sequence[0] != run[0] else 0
        end = start + len(" ".join(run))
        assert text[start:end] == " ".join(run)
        assert any(
            row[f"{id}_start"] <= start and end <= row[f"{id}_end"] for row in report.passages.to_pylist()
        )
