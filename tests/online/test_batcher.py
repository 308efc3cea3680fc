"""Which articles share a commit."""

import asyncio

from dedup.online import batcher
from dedup.online.batcher import Batcher


def sizes(clients, each, monkeypatch, patience):
    """How many articles were judged together, time after time, by clients that wait for their verdicts."""
    monkeypatch.setattr(batcher, "_PATIENCE", patience)
    found = []

    def judge(facts):
        found.append(len(facts))
        return facts

    async def client(own):
        for _ in range(each):
            await own.take({})

    async def run():
        own = Batcher(judge, 1000)
        own.start()
        await asyncio.gather(*[client(own) for _ in range(clients)])
        await own.take({})  # one alone, behind many
        await own.stop()

    asyncio.run(asyncio.wait_for(run(), 20))
    return found


def test_clients_that_send_again_are_judged_together(monkeypatch):
    assert sizes(8, 5, monkeypatch, 1) == [8] * 5 + [1]


def test_one_alone_is_not_kept_waiting(monkeypatch):
    assert sizes(1, 5, monkeypatch, 60) == [1] * 6
