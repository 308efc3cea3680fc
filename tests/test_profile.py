import numpy as np
import pytest

import dedup
from dedup.profile import Profile
from dedup.scratch import Scratch


def test_stages_are_timed_and_their_spilling_counted():
    profile = Profile()
    with Scratch(0) as scratch:
        spool = scratch.spool(np.uint8)
        spool.append(np.ones(3, np.uint8))
        with profile.stage("one", scratch) as stage:
            spool.append(np.ones(5, np.uint8))
            stage.rows_in = 7
        with pytest.raises(KeyError), profile.stage("two"):
            raise KeyError
    one, two = profile.stages
    assert (one.name, one.rows_in, one.spilled) == ("one", 7, 5)
    assert (two.name, two.spilled) == ("two", 0)
    assert one.seconds > 0
    assert two.seconds > 0
    assert profile.seconds == one.seconds + two.seconds


def test_a_scan_tells_its_stages_in_order():
    profile = Profile()
    text = "a story of some words, told twice over, that is long enough to judge it"
    dedup.scan([{"id": str(number), "text": f"{text} {number}"} for number in range(3)], profile=profile)
    names = [stage.name for stage in profile.stages]
    assert names == ["read", "tokenise", "weigh", "pair", "align", "families", "provenance", "tables"]
    assert profile.text_bytes == 3 * len(f"{text} 0")
    assert profile.stages[0].rows_out == 3
