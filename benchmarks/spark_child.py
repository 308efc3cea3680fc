"""What a benchmark of Spark runs in a process of its own; prints one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from dedup.spark import session as sessions

_MLLIB = {"spark.driver.memory": "8g", "spark.sql.shuffle.partitions": "16"}


def scan(path: str, folder: str, cores: str) -> dict[str, Any]:
    """A scan; the event log, the report and temporary files go to `folder`."""
    sessions.SETTINGS.update(_logged(folder))
    begun = time.perf_counter()
    sessions.session(f"local[{cores}]")
    ready = time.perf_counter()
    from dedup.spark.scan import scan_to

    written = scan_to(path, f"{folder}/report", temp_dir=folder)
    ended = time.perf_counter()
    counts = {name: getattr(written, name) for name in ("articles", "pairs", "families")}
    return {"start": ready - begun, "seconds": ended - ready, **counts}


def mllib(path: str, folder: str, cores: str) -> dict[str, Any]:
    """Spark MLlib's `MinHashLSH` self-join on sets of 5-word shingles; the pairs go to `folder`."""
    sessions.SETTINGS.update(_logged(folder) | _MLLIB)
    spark: Any = sessions.session(f"local[{cores}]")
    from pyspark.ml.feature import HashingTF, MinHashLSH, NGram, RegexTokenizer
    from pyspark.sql import functions

    begun = time.perf_counter()
    frame = spark.read.parquet(path).select("id", "text")
    frame = RegexTokenizer(inputCol="text", outputCol="words", pattern=r"\W+").transform(frame)
    frame = NGram(n=5, inputCol="words", outputCol="shingles").transform(frame)
    frame = frame.where(functions.size("shingles") > 0)
    hashing = HashingTF(inputCol="shingles", outputCol="features", numFeatures=2**20, binary=True)
    frame = hashing.transform(frame).select("id", "features").cache()
    model = MinHashLSH(inputCol="features", outputCol="hashes", numHashTables=5, seed=1).fit(frame)
    pairs = model.approxSimilarityJoin(frame, frame, 0.7, distCol="distance")
    pairs = pairs.where("datasetA.id < datasetB.id").select("datasetA.id", "datasetB.id")
    found = [(row[0], row[1]) for row in pairs.collect()]
    ended = time.perf_counter()
    Path(folder, "pairs.json").write_text(json.dumps(found), "utf-8")
    return {"seconds": ended - begun, "pairs": len(found)}


def _logged(folder: str) -> dict[str, str]:
    events = Path(folder) / "events"
    events.mkdir(parents=True, exist_ok=True)
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
        "spark.eventLog.dir": str(events),
        "spark.local.dir": folder,
        "spark.driver.memory": "3g",
    }


if __name__ == "__main__":
    print(json.dumps({"scan": scan, "mllib": mllib}[sys.argv[1]](*sys.argv[2:])))
