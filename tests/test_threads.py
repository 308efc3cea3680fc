import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dedup.threads import _AHEAD, in_order


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
def test_results_come_in_the_order_of_the_items(threads):
    def work(item):
        time.sleep(0.002 * (item % 3 == 0))
        return item * item

    assert list(in_order(work, range(40), threads)) == [item * item for item in range(40)]
    assert list(in_order(work, [], threads)) == []
    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):  # which stays
            assert list(in_order(work, range(40), threads, pool)) == [item * item for item in range(40)]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_only_a_few_are_ahead_of_who_takes_them(threads):
    begun = 0

    def items():
        nonlocal begun
        while begun < 100:
            begun += 1
            yield begun

    for taken, result in enumerate(in_order(abs, items(), threads), 1):
        assert result == taken
        time.sleep(0.0005)
        assert begun - taken <= _AHEAD * threads
    assert begun == 100


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_error_is_raised_in_its_turn(threads):
    done = []

    def work(item):
        if item == 5:
            raise ValueError("five")
        time.sleep(0.002)
        done.append(item)
        return item

    results = in_order(work, range(1000), threads)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="five"):
        next(results)
    assert max(done) <= 5 + _AHEAD * threads


def test_work_is_done_at_the_same_time():
    barrier = threading.Barrier(3, timeout=20)
    assert len(list(in_order(lambda _: barrier.wait(), range(3), 3))) == 3


def test_who_stops_early_leaves_no_work_behind():
    begun = []

    def work(item):
        begun.append(item)
        time.sleep(0.002)

    results = in_order(work, range(1000), 2)
    next(results)
    results.close()
    count = len(begun)
    assert count <= 2 + 2 * _AHEAD
    time.sleep(0.01)
    assert len(begun) == count
