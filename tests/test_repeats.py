import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.repeats import digests, first_of
from dedup.tokens import tokenise

WORDY = st.lists(st.sampled_from(["a", "b", "B", "of", ","]), max_size=4).map(" ".join)


@given(st.lists(WORDY, max_size=12), st.data())
@settings(deadline=None)
def test_repeats_have_the_same_tokens_as_the_first(texts, data):
    judged = data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts)))
    tokens = tokenise(pa.array(texts, pa.large_string()))
    keys = digests(tokens)
    assert (keys.shape, keys.dtype) == ((len(texts), 16), np.uint8)
    own = [tokens.hashes[a:b].tolist() for a, b in zip(tokens.offsets[:-1], tokens.offsets[1:], strict=True)]
    for one, two in zip(keys, own, strict=True):
        for other, three in zip(keys, own, strict=True):
            assert (one.tobytes() == other.tobytes()) == (two == three)
    expected = [
        next(m for m in range(n + 1) if m == n or (judged[m] and judged[n] and own[m] == own[n]))
        for n in range(len(texts))
    ]
    assert first_of(keys, np.array(judged, np.bool_)).tolist() == expected


def test_both_halves_of_a_digest_count():
    keys = np.array([[0] * 16, [0] * 15 + [1], [1] + [0] * 15, [0] * 16], np.uint8)
    assert first_of(keys, np.ones(4, np.bool_)).tolist() == [0, 1, 2, 0]
