"""What a run of the benchmarks is asked for, and the corpora it makes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq


@dataclass(frozen=True)
class Options:
    """Sizes and folders."""

    work: Path  # generated corpora and temporary files
    data: Path | None = None  # folder that holds reuters21578/
    articles: int = 20_000
    quick: bool = False
    cores: int = 2
    peers: tuple[str, ...] = ()  # that are measured end to end beside ours; all if there are none

    @property
    def scratch(self) -> Path:
        """Where processes have their temporary folders."""
        return self.work / "tmp"

    def corpus(self, articles: int, seed: int = 1, length: tuple[int, int] | None = None) -> Path:
        """A generated corpus; made once. `length`: the least and the most paragraphs of a story."""
        from benchmarks.corpus import LENGTH, write

        name = f"{articles}-{seed}" + ("" if length is None else f"-{length[0]}-{length[1]}")
        path = self.work / f"{name}.parquet"
        if not path.exists():
            self.work.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f"unfinished-{path.name}")
            write(unfinished, articles, seed, length or LENGTH)
            unfinished.with_suffix(".truth.parquet").replace(path.with_suffix(".truth.parquet"))
            unfinished.replace(path)
        return path


def text_bytes(path: Path) -> int:
    """UTF-8 bytes of the texts of a Parquet file."""
    import pyarrow.compute as pc

    with pq.ParquetFile(path, pre_buffer=False) as file:
        return sum(
            pc.sum(pc.binary_length(batch["text"])).as_py() or 0
            for batch in file.iter_batches(columns=["text"])
        )
