"""The engines that a test runs on: this process, and Spark with two executors of their own."""

import os
import sys
import warnings
from functools import partial

import pytest

import dedup

MASTER = "local-cluster[2,1,1024]"
IMPATIENT = ("spark.shuffle.io.maxRetries=1", "spark.shuffle.io.retryWait=100ms", "spark.task.maxFailures=2")


@pytest.fixture(scope="session")
def spark():
    """A session with two executors, each a process, on this machine's loopback."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"{' '.join(f'--conf {item}' for item in IMPATIENT)} pyspark-shell"
    from dedup.spark.session import session

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Spark's own
        made = session(MASTER)
    yield made
    made.stop()


@pytest.fixture(params=["local", "spark"])
def scan(request):
    """`dedup.scan` on each engine."""
    if request.param == "spark":
        request.getfixturevalue("spark")
        return partial(dedup.scan, engine="spark")
    return dedup.scan
