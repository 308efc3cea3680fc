"""Filters killed at random moments: run by test_crash.py in a process of its own, where forks are cheap.

Arguments: the index, the articles (JSON Lines), where to write what was emitted, how many kills.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import dedup
from dedup.online import lists


def work(folder, articles, descriptor):
    """Judge articles from a random place on, some at a time; each verdict is emitted when it is given."""
    draw = random.Random(os.getpid())
    with dedup.Filter(folder) as own, os.fdopen(descriptor, "wb", buffering=0) as out:
        out.write(b"\n")  # ready
        while True:
            at, size = draw.randrange(len(articles)), draw.choice([1, 3, 20])
            for verdict in own.check_many(articles[at : at + size]):
                out.write(json.dumps(verdict.plain()).encode() + b"\n")


def main(folder, source, emitted, kills):
    lists.MOST = 500  # postings in memory: now and then a segment is half written
    articles = [json.loads(line) for line in Path(source).read_text("utf-8").splitlines()]
    with TemporaryDirectory() as aside, dedup.Filter(aside) as own:
        own.check_many(articles)  # all is imported and loaded from here on
    draw = random.Random(1)
    with Path(emitted).open("wb") as told:
        for kill in range(int(kills)):
            theirs, ours = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(theirs)
                try:
                    work(folder, articles, ours)
                finally:
                    os._exit(3)
            os.close(ours)
            with os.fdopen(theirs, "rb") as stream:
                assert stream.readline() == b"\n"
                # now and then later, so that segments come to be on a slow disk too
                time.sleep(draw.random() ** 2 * (0.15 if kill % 10 else 1.5))
                os.kill(child, signal.SIGKILL)
                lines = stream.read().splitlines(keepends=True)
            _, status = os.waitpid(child, 0)
            assert os.WIFSIGNALED(status), "the filter ended by itself"
            told.writelines(line for line in lines if line.endswith(b"\n"))


if __name__ == "__main__":
    main(*sys.argv[1:])
