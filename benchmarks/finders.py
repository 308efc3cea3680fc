"""From a Parquet file (column `text`) to pairs of rows, by each library. Called in a process of its own.

The work is what happens before a function returns; what it returns gives the answer as row numbers:
`pairs` (n, 2) or `labels` (rows,), clusters by number.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import peers
from benchmarks.child import Answer, Finish

Pairs = NDArray[np.int64]
_AT_ONCE = 100_000  # pairs compared together


def dedup(path: str, **settings: Any) -> Finish:
    """`dedup.scan`."""
    from benchmarks.scan import scanned

    report = scanned(path, settings)
    return partial(_told, path, report)


def _told(path: str, report: Any) -> Answer:
    """Reported pairs, whether each is copying, what repeats what, and who is in which family."""
    import pyarrow.parquet as pq

    from dedup.schema import COPYING

    ids = pq.read_table(path, columns=["id"])["id"].to_pylist()
    row = {id: number for number, id in enumerate(ids)}
    first = np.arange(len(ids))
    members = []
    families: dict[Any, int] = {}
    for article in report.articles.select(["id", "duplicate_of", "families"]).to_pylist():
        own = row[article["id"]]
        first[own] = row[article["duplicate_of"] or article["id"]]
        members += [(own, families.setdefault(name, len(families))) for name in article["families"] or ()]
    pairs = report.pairs.select(["left", "right", "relation"]).to_pydict()
    sides = [np.array([row[id] for id in pairs[side]], np.int64) for side in ("left", "right")]
    return {
        "pairs": np.sort(np.stack(sides, axis=1), axis=1),
        "copying": np.array([relation in COPYING for relation in pairs["relation"]], np.bool_),
        "first": first,
        "members": np.array(members, np.int64).reshape(-1, 2),
    }


def exact(path: str, least: int = 8) -> Finish:
    """All pairs by a sparse matrix product over the shingles (`benchmarks.oracle`)."""
    import pyarrow as pa

    from benchmarks.oracle import overlaps
    from dedup.tokens import tokenise

    column = _column(path).combine_chunks().cast(pa.large_string())
    found = overlaps(tokenise(column), peers.SHINGLE, least)
    return lambda: {"pairs": found.pairs, "containment": found.containment}


def datasketch(path: str, bands: int, rows: int, verify: float | None) -> Finish:
    """MinHash and MinHashLSH; verified by the estimate of the signatures."""
    from datasketch import MinHashLSH

    sketches = peers.datasketches(_column(path).to_pylist())
    index = MinHashLSH(num_perm=peers.PERMUTATIONS, params=(bands, rows))
    with index.insertion_session() as session:
        for number, sketch in enumerate(sketches):
            session.insert(number, sketch, check_duplication=False)
    pairs = _pairs(map(index.query, sketches))
    if verify is not None:
        pairs = _verified(pairs, np.array([sketch.hashvalues for sketch in sketches]), verify)
    return lambda: {"pairs": pairs}


def rensa(path: str, bands: int, rows: int, verify: float | None) -> Finish:
    """RMinHash and RMinHashLSH; verified by the estimate of the signatures."""
    from rensa import RMinHash, RMinHashLSH

    column = _column(path).to_pylist()
    sketches = RMinHash.from_token_sets(map(peers.byte_shingles, column), peers.PERMUTATIONS, 42)
    index = RMinHashLSH(verify or 0.5, bands * rows, bands)
    index.insert_many(sketches)
    pairs = _pairs(index.query_all(sketches))
    if verify is not None:
        pairs = _verified(pairs, np.array([sketch.digest() for sketch in sketches], np.uint32), verify)
    return lambda: {"pairs": pairs}


def gaoya(path: str, bands: int, rows: int, verify: float | None) -> Finish:
    """MinHashStringIndex, which verifies by the estimate of the signatures itself."""
    texts = _column(path).to_pylist()
    index = peers.gaoya_index(bands, rows, verify or 0.0)
    index.par_bulk_insert_docs(list(range(len(texts))), texts)
    pairs = _pairs(index.par_bulk_query(texts))
    return lambda: {"pairs": pairs}


def datatrove(files: list[str], bands: int, rows: int, workers: int, words: str) -> Finish:
    """The MinHash pipeline with the local executor; `files` are the parts, one for each worker."""
    from datatrove.executor.local import LocalPipelineExecutor
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.readers import ParquetReader
    from loguru import logger

    logger.remove()
    folder = Path(tempfile.mkdtemp())
    config = MinhashConfig(n_grams=peers.SHINGLE, num_buckets=bands, hashes_per_bucket=rows)
    read = ParquetReader(str(Path(files[0]).parent), glob_pattern="*.parquet", read_metadata=False)
    sign = MinhashDedupSignature(str(folder / "signatures"), config=config, language=_words(words))
    band = MinhashDedupBuckets(str(folder / "signatures"), str(folder / "bands"), config=config)
    join = MinhashDedupCluster(str(folder / "bands"), str(folder / "clusters"), config, save_cluster_id=True)
    for number, (steps, tasks) in enumerate((([read, sign], len(files)), ([band], bands), ([join], 1))):
        logs = str(folder / f"logs{number}")
        LocalPipelineExecutor(
            steps, tasks=tasks, workers=workers, logging_dir=logs, start_method="fork"
        ).run()
    return lambda: {"labels": _clusters(files, folder / "clusters")}


def _words(name: str) -> Any:
    """A tokeniser that splits at white space, which is all there is between words once text is simplified."""
    from datatrove.utils.word_tokenizers import WordTokenizer

    class Split(WordTokenizer):  # type: ignore[misc]
        def word_tokenize(self, text: str) -> list[str]:
            return text.split()

        def sent_tokenize(self, text: str) -> list[str]:
            return [text]

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return [(0, len(text))]

    return Split() if name == "split" else name


def _clusters(files: list[str], folder: Path) -> NDArray[np.int64]:
    """Cluster numbers of all rows; the reader passes over empty texts."""
    labels: list[NDArray[np.int64]] = []
    for number, path in enumerate(files):
        texts = _column(path).to_pylist()
        rows = np.flatnonzero([bool(text) for text in texts])
        own = np.full(len(texts), -1)
        place = folder / f"{number:06d}.clusters"
        for row, cluster in struct.iter_unpack("<2I", place.read_bytes() if place.exists() else b""):
            own[rows[row]] = cluster
        labels.append(own)
    return np.concatenate(labels)


def text_dedup(path: str, bands: int, rows: int, workers: int) -> Finish:
    """The command `text_dedup.minhash`, called in this process."""
    from text_dedup import minhash

    folder = tempfile.mkdtemp()
    options = {
        "path": "parquet",
        "data_files": path,
        "split": "train",
        "column": "text",
        "cache_dir": f"{folder}/cache",
        "output": f"{folder}/out",
        "num_proc": workers,
        "ngram": peers.SHINGLE,
        "num_perm": peers.PERMUTATIONS,
        "b": bands,
        "r": rows,
        "hash_func": "xxh3",
        "hash_bits": 32,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    minhash.main(words, standalone_mode=False)

    def labels() -> Answer:
        rows = _column(path).length()
        parents = minhash.uf.parent
        return {"labels": np.array([minhash.uf.find(row) if row in parents else -1 for row in range(rows)])}

    return labels


def _column(path: str) -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(path, columns=["text"])["text"]


def _pairs(candidates: Iterable[Iterable[int]]) -> Pairs:
    """Pairs left < right of every row with the rows that a query returned for it."""
    found = [np.empty((0, 2), np.int64)]
    for row, others in enumerate(candidates):
        larger = [other for other in others if other > row]
        if larger:
            found.append(np.stack([np.full(len(larger), row), np.array(larger)], axis=1))
    return np.concatenate(found)


def _verified(pairs: Pairs, signatures: NDArray[Any], threshold: float) -> Pairs:
    """The pairs whose signatures agree in that share of their values."""
    kept = [pairs[:0]]
    for at in range(0, len(pairs), _AT_ONCE):
        part = pairs[at : at + _AT_ONCE]
        same = (signatures[part[:, 0]] == signatures[part[:, 1]]).mean(axis=1)
        kept.append(part[same >= threshold])
    return np.concatenate(kept)
