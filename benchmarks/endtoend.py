"""From a Parquet file to pairs: time, memory, recall and precision of each library on the same articles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.judge import PRECISE, RECALLED, SHARED, Truth, judged
from benchmarks.measure import Run, measured
from benchmarks.options import Options, text_bytes
from benchmarks.peers import PEERS
from benchmarks.writeup import Bar, Part

_BANDS = ((32, 4, 0.5), (64, 2, 0.2))  # bands, rows, and the estimate at which a pair is verified
_ROUNDS, _SHORT = 3, 30.0  # runs of each library in turn, of which the fastest counts; seconds up to which
_BARS = (("gaoya", "≥ 1"), ("rensa", "≥ 3"), ("datasketch", "≥ 6"))
_NOTES = (
    f"Truth: all pairs with at least {SHARED} shared word 5-shingles and a containment of at least "
    f"{RECALLED} of the smaller article's, by scipy. Precision: the share of reported pairs (ours: of those "
    "whose relation is copying; clusters: of the pairs within) with an exact containment of at least "
    f"{PRECISE}, of 20,000 drawn where there are more. `one story`: the share of the same pairs that a "
    "generated corpus made from one story, which counts heavily edited copies too. Ours counts a pair as "
    "found if it is reported, if both repeat one article word for word, or if both are in one family; "
    "clusters count if both are in one."
    f"\n\nOf runs of up to {_SHORT:.0f} s the fastest of {_ROUNDS} counts, all libraries in turn."
    "\n\n"
    "MinHash of whole documents at a Jaccard threshold answers another question than containment: a short "
    "article that stands entire in a long one has a low Jaccard similarity, so what is not recalled here is "
    "no fault of the library, but out of the method's sight. 32 × 4 bands find half of the pairs at a "
    "Jaccard similarity of .38, 64 × 2 at .10. Verified rows drop pairs below the estimate given. For the "
    "bars, a library's fastest row counts. Ours includes aligning passages, families and provenance."
)


@dataclass(frozen=True)
class Entry:
    """A library with a setting."""

    peer: str
    function: str
    setting: str
    cores: int
    arguments: dict[str, Any] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    missing: str = ""  # another package it needs, which is not installed


def endtoend(options: Options) -> list[Part]:
    """Reuters-21578, where it is given, and a generated corpus."""
    parts = []
    if options.data:
        path = options.data / "reuters21578/articles.parquet"
        what = "Reuters-21578"
        if options.quick:
            path, what = _first(path, 3_000, options.work), "first 3,000 Reuters-21578"
        parts.append(compared("endtoend-reuters21578", what, path, options))
    count = min(options.articles, 2_000) if options.quick else options.articles
    parts.append(compared("endtoend-generated", f"{count:,} generated", options.corpus(count), options))
    return parts


def compared(name: str, what: str, path: Path, options: Options) -> Part:
    """All libraries on one corpus."""
    megabytes = text_bytes(path) / 1e6
    title = f"From Parquet to pairs, {what} articles, {megabytes:.1f} MB, {options.cores} cores"
    part = Part(name, title, _NOTES)
    truth: Truth | None = None
    done: list[tuple[Entry, dict[str, Any], Run, dict[str, float | None]]] = []
    for entry in _entries(path, options):
        peer = PEERS[entry.peer]
        if options.peers and entry.peer not in ("scipy", "dedup", *options.peers):
            continue
        row: dict[str, Any] = {"library": peer.name, "setting": entry.setting}
        row["version"] = peer.version or "not installed"
        if not peer.version or entry.missing:
            part.add({**row, "note": entry.missing})
            continue
        run = _run(entry, options)
        part.raw.append({**row, **run.plain()})
        if run.failed:
            part.add({**row, "note": run.failed})
            continue
        if truth is None:
            truth = Truth.of(str(path), run.arrays["pairs"], run.arrays["containment"])
            run.arrays["pairs"] = truth.pairs
        done.append((entry, row, run, judged(truth, run.arrays)))
        run.arrays = {}
    for _ in range(0 if options.quick else _ROUNDS - 1):
        for entry, row, run, _ in done:
            if run.seconds > _SHORT:
                continue
            again = _run(entry, options)
            part.raw.append({**row, **again.plain()})
            run.seconds = min(run.seconds, again.seconds or run.seconds)
    for entry, row, run, answer in done:
        part.add({**row, **_figures(run, megabytes, entry.cores), **answer})
    part.bars = list(_bars(part))
    return part


def _run(entry: Entry, options: Options) -> Run:
    """A library on the corpus, in a process of its own."""
    return measured(
        f"benchmarks.finders:{entry.function}",
        imports=[*PEERS[entry.peer].imports, *entry.imports],
        cores=entry.cores,
        scratch=options.scratch,
        timeout=120 if options.quick else 3600,
        **entry.arguments,
    )


def _figures(run: Run, megabytes: float, cores: int) -> dict[str, float | int]:
    return {
        "cores": cores,
        "s": run.seconds,
        "MB/s": megabytes / run.seconds,
        "start s": run.started,
        "peak MB": run.peak / 1e6,
    }


def _entries(path: Path, options: Options) -> Iterator[Entry]:
    """The exact pairs first: all others are judged by them."""
    source = {"path": str(path)}
    yield Entry("scipy", "exact", "all pairs, exact: the truth", 1, source)
    yield Entry("dedup", "dedup", "dedup.scan, defaults", options.cores, source)
    for peer, cores in (("datasketch", 1), ("rensa", options.cores), ("gaoya", options.cores)):
        for bands, rows, least in _BANDS:
            for verify in (None, least):
                words = f"estimate ≥ {verify}" if verify else "unverified"
                bandings = {"bands": bands, "rows": rows, "verify": verify}
                setting = f"{bands} × {rows} bands, {words}"
                yield Entry(peer, peer, setting, cores, {**source, **bandings})
    yield from _pipelines(path, options)


def _pipelines(path: Path, options: Options) -> Iterator[Entry]:
    """Those that make clusters, with processes of their own."""
    import importlib.util

    files = _split(path, options)
    bandings = _BANDS[:1] if options.quick else _BANDS
    for bands, rows, _ in bandings:
        banding = {"bands": bands, "rows": rows, "workers": options.cores}
        for words in ("split", "eng") if rows == 4 and not options.quick else ("split",):
            missing = "" if words == "split" or importlib.util.find_spec("spacy") else "needs spacy"
            kind = "words split at white space" if words == "split" else "spaCy words, its default"
            setting = f"{bands} × {rows} bands, {kind}, clusters"
            arguments = {"files": files, **banding, "words": words}
            more = ("spacy",) if words == "eng" and not missing else ()
            yield Entry("datatrove", "datatrove", setting, options.cores, arguments, more, missing)
    for bands, rows, _ in bandings:
        banding = {"bands": bands, "rows": rows, "workers": options.cores}
        setting = f"{bands} × {rows} bands, xxh3, clusters"
        yield Entry("text-dedup", "text_dedup", setting, options.cores, {"path": str(path), **banding})


def _first(path: Path, rows: int, folder: Path) -> Path:
    """The first rows of a corpus, as another."""
    import pyarrow.parquet as pq

    part = folder / f"{path.parent.name}-{rows}.parquet"
    if not part.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pq.read_table(path).slice(0, rows), part)
    return part


def _split(path: Path, options: Options) -> list[str]:
    """The corpus in as many files as there are cores: datatrove gives each worker files of its own."""
    import pyarrow.parquet as pq

    folder = options.work / f"{path.parent.name}-{path.stem}-in-{options.cores}"
    files = [folder / f"{number}.parquet" for number in range(options.cores)]
    if not files[-1].exists():
        folder.mkdir(parents=True, exist_ok=True)
        table = pq.read_table(path, columns=["id", "text"])
        size = -(-table.num_rows // options.cores)
        for number, file in enumerate(files):
            pq.write_table(table.slice(number * size, size), file)
    return [str(file) for file in files]


def _bars(part: Part) -> Iterator[Bar]:
    """Our recall, and our speed over the fastest row of others."""
    best: dict[str, float] = {}
    for row in part.rows:
        best[row["library"]] = max(best.get(row["library"], 0.0), row.get("MB/s") or 0.0)
    ours = next((row for row in part.rows if row["library"] == "dedup"), {})
    yield Bar("recall of dedup", ours.get("recall"), "≥ .98", "≥ 1")
    for name, bar in _BARS:
        measured = best["dedup"] / best[name] if best.get("dedup") and best.get(name) else None
        yield Bar(f"speed of dedup over {name}, its fastest row", measured, bar)
