import numpy as np
import pyarrow as pa
import pytest

from dedup.outlets import named
from dedup.tokens import tokenise


@pytest.mark.parametrize(
    ("name", "text", "there"),
    [
        ("The Star", "as The Star reported", True),
        ("The Star", "as the star reported", False),
        ("The Star", "as The  \n Star, reported", True),
        ("The Star", "THE STAR reported", True),
        ("The Star", "The Start of it", False),
        ("Daily Echo", "the Daily Echo's reporter", True),
        ("Daily Echo", "the Daily Echo’s reporter", True),
        ("Echo", "Echoes of it", False),
        ("Channel 4", "Channel 4's reporter", True),
        ("taz", "sagte der taz", True),
        ("taz", "sagte der TAZ", True),
        ("Post", "at the post office", False),
        ("example.com", "says Example.com, and", True),
        ("新華社", "据新華社报道", True),
        ("The Star", "The", False),
        ("The Star", "", False),
        ("", "The Star", False),
        ("***", "The Star ***", False),
    ],
)
def test_who_is_named(name, text, there):
    tokens = tokenise(pa.array(["other words", text, "The Star"], pa.large_string()))
    found = named(tokens, np.array([0, 1], np.int32), ["Nobody", name], np.array([1, 1]))
    assert found.tolist() == [False, there]


def test_nobody_is_asked_for():
    tokens = tokenise(pa.array(["a"], pa.large_string()))
    assert named(tokens, np.empty(0, np.int32), [], np.empty(0, np.int64)).tolist() == []
