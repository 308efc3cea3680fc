"""Spark's event log: what each stage of an application took."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Stage:
    """One stage; times in seconds, one for each task that ended well."""

    number: int
    name: str
    tasks: list[float] = field(default_factory=list)
    shuffled: int = 0  # bytes written for the next stage
    spilled: int = 0  # bytes to disk

    @property
    def seconds(self) -> float:
        """All tasks together."""
        return sum(self.tasks)

    @property
    def skew(self) -> float:
        """The longest task against the median one."""
        ordered = sorted(self.tasks)
        return ordered[-1] / max(ordered[len(ordered) // 2], 1e-3)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "stage": self.number,
            "name": self.name,
            "tasks": len(self.tasks),
            "seconds": round(self.seconds, 3),
            "longest": round(max(self.tasks), 3),
            "skew": round(self.skew, 2),
            "shuffled": self.shuffled,
            "spilled": self.spilled,
        }


def stages(path: Path) -> list[Stage]:
    """The stages of a log, in order; those of a job that says `dedup: a, b, …` are named start, a, b, …"""
    found: dict[int, Stage] = {}
    for line in path.read_text("utf-8").splitlines():
        event = json.loads(line)
        if event["Event"] == "SparkListenerJobStart":
            said = event["Properties"].get("spark.job.description") or ""
            names = ["start", *said.removeprefix("dedup: ").split(", ")]
            for number, name in zip(sorted(event["Stage IDs"]), names, strict=False):
                found.setdefault(number, Stage(number, name))
        elif event["Event"] == "SparkListenerTaskEnd" and event["Task End Reason"]["Reason"] == "Success":
            stage, metrics = found[event["Stage ID"]], event["Task Metrics"]
            stage.tasks.append(metrics["Executor Run Time"] / 1e3)
            stage.shuffled += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
            stage.spilled += metrics["Disk Bytes Spilled"]
    return [found[number] for number in sorted(found) if found[number].tasks]
