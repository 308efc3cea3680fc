"""The engines that a test runs on: this process, and Spark with two executors of their own."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from functools import partial

import pyarrow.fs
import pytest

import dedup

MASTER = "local-cluster[2,1,1024]"
IMPATIENT = ("spark.shuffle.io.maxRetries=1", "spark.shuffle.io.retryWait=100ms", "spark.task.maxFailures=2")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Of several workers, one runs all that runs on Spark, which has one session; files stay together."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return "spark" if "spark" in nodeid else nodeid.partition("::")[0]

    return Scheduling(config, log)


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


@pytest.fixture(scope="session")
def s3_server():
    """Where a real S3 server listens, on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, env=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
        server.terminate()


@pytest.fixture
def s3_store(s3_server, monkeypatch):
    """Its buckets, to look into them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    return pyarrow.fs.S3FileSystem(
        access_key="x", secret_key="y", endpoint_override=s3_server, scheme="http", region="us-east-1",
        allow_bucket_creation=True,
    )  # fmt: skip
