"""Scan: a corpus to a syndication report. The only file that knows the order of the stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dedup import align as aligning
from dedup import tables
from dedup.agencies import credits
from dedup.align import Aligned
from dedup.candidates import candidate_pairs
from dedup.cover import apart, cover
from dedup.families import Family, families, with_duplicates
from dedup.io import Source as Input
from dedup.io import read
from dedup.kernels.align import COPY
from dedup.kernels.ready import ready
from dedup.lsh import bands_for
from dedup.provenance import Source, agency_of, origin_of
from dedup.repeats import digests, repeats
from dedup.report.model import Inputs, Report
from dedup.scratch import Scratch
from dedup.settings import Settings
from dedup.tokens import Tokens, tokenise
from dedup.weigh import mark_navigation, mark_repeated

Progress = Callable[[str, int, int | None], None]


def scan(
    source: Input,
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    fields: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Find shared copy in a corpus.

    `source`: a path or paths, a pyarrow Table, or `dedup.Article`s or mappings (see `dedup.io.batches`).
    `fields` maps our field names to the source's. `progress` is called with the stage, how much of it is
    done, and how much there is (None: not known). The report does not depend on the order of the source, on
    `threads` or on `batch_size`. Raises `SettingsError` and `InputError`; a bad article is a problem in the
    report instead.
    """
    settings = Settings.of(settings)
    ready()
    bands = bands_for(settings.num_perm, settings.resemblance, settings.recall)
    tell = progress or _silent
    inputs = Inputs()
    articles = _read(source, inputs, settings, fields, tell)

    tokens = _tokenise(articles["text"], settings, tell)
    judged = tokens.lengths >= settings.min_tokens
    keys = digests(tokens)
    first_of, groups = repeats(keys, judged)
    compared = judged & (first_of == np.arange(len(tokens)))

    mark_navigation(tokens)
    outlets, days = _outlets_and_days(articles)
    mark_repeated(tokens, outlets, days)

    scratch = Scratch(2**31)
    candidates = candidate_pairs(
        tokens, compared, settings, bands, scratch, threads=_threads(settings),
        progress=lambda done, total: tell("sketch", done, total),
    )  # fmt: skip
    chosen = cover(candidates, len(tokens))
    aligned = _align(tokens, candidates.pairs[chosen], settings, tell)
    found = families(aligned, tokens.lengths, settings.copy_share)
    rest = candidates.pairs[~chosen]
    while (further := apart(rest, found, len(tokens))).any():
        aligned = _merged(aligned, _align(tokens, rest[further], settings, tell))
        found = families(aligned, tokens.lengths, settings.copy_share)
        rest = rest[~further]
    found = with_duplicates(found, groups, tokens.lengths)
    sources = _sources(articles)
    origins = [_origin(family, sources, tokens.lengths) for family in found]
    missing = _missing(aligned, found, [origin for origin, _, _ in origins], first_of)
    aligned = _merged(aligned, _align(tokens, missing, settings, tell), _copies_of(groups, tokens))

    tell("report", 0, None)
    return Report(
        **tables.build(articles, tokens, judged, first_of, keys, aligned, found, origins, sources, outlets),
        inputs=inputs,
        settings=settings.answer(),
        version=_version(),
        texts=dict(zip(articles["id"].to_pylist(), articles["text"].to_pylist(), strict=True)),
    )


def _silent(stage: str, done: int, total: int | None) -> None:
    """Tell nobody."""


def _version() -> str:
    from dedup import __version__

    return __version__


def _read(
    source: Input, inputs: Inputs, settings: Settings, fields: Mapping[str, str] | None, tell: Progress
) -> pa.Table:
    """Read all articles, sorted by id, so that nothing depends on the order in which they come."""
    done = 0

    def progress(size: int) -> None:
        nonlocal done
        done += size
        tell("read", done, None)

    table = read(source, inputs=inputs, settings=settings, fields=fields, progress=progress)
    inputs.problems.sort(key=lambda problem: (problem.path or "", problem.line or 0, problem.message))
    return table.take(pc.sort_indices(table["id"])).combine_chunks()


def _threads(settings: Settings) -> int:
    return settings.threads or cpu_count() or 1


def _tokenise(texts: pa.ChunkedArray, settings: Settings, tell: Progress) -> Tokens:
    whole = pa.concat_arrays(texts.chunks) if texts.num_chunks else pa.array([], pa.large_string())
    parts = []
    with ThreadPoolExecutor(_threads(settings)) as pool:
        batches = settings.batches(len(whole))
        work = pool.map(lambda batch: tokenise(whole[slice(*batch)]), batches)
        for (_, stop), part in zip(batches, work, strict=True):
            parts.append(part)
            tell("tokenise", stop, len(whole))
    return Tokens.concatenated(parts)


def _align(tokens: Tokens, pairs: NDArray[np.int32], settings: Settings, tell: Progress) -> Aligned:
    return aligning.align(
        tokens, pairs, settings, threads=_threads(settings),
        progress=lambda done, total: tell("align", done, total),
    )  # fmt: skip


def _outlets_and_days(articles: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A number for each article's outlet (-1: unknown) and day since 1970 (-1: unknown)."""
    outlets = articles["outlet"].combine_chunks().dictionary_encode().indices.fill_null(-1)
    days = pc.floor(pc.divide(articles["published"].cast(pa.int64()).cast(pa.float64()), 86_400e6))
    return (
        outlets.to_numpy(zero_copy_only=False).astype(np.int64),
        days.fill_null(-1).to_numpy().astype(np.int64),
    )


def _sources(articles: pa.Table) -> list[Source]:
    """Outlet, time and credits of each article."""
    columns = (articles[name].to_pylist() for name in ("outlet", "published", "text"))
    return [
        Source(outlet, published, tuple(credits(text)))
        for outlet, published, text in zip(*columns, strict=True)
    ]


def _origin(
    family: Family, sources: list[Source], lengths: NDArray[np.int64]
) -> tuple[int, float, str | None]:
    """A family's likely origin, the confidence in it, and the agency its copy is credited to."""
    members = sorted(family.members)
    held = np.array([(family.members[m][:, 1] - family.members[m][:, 0]).sum() for m in members])
    shares = (held / lengths[members]).tolist()
    complete = (held / max(held.max(), 1)).tolist()
    own = [sources[member] for member in members]
    agency = agency_of(own, shares)
    place, confidence = origin_of(own, complete, shares, agency)
    return members[place], confidence, agency


def _missing(
    aligned: Aligned, found: list[Family], origins: list[int], first_of: NDArray[np.int64]
) -> NDArray[np.int32]:
    """Pairs of an origin and a member that have not been aligned yet, int32 (n, 2), sorted."""
    known = set(map(tuple, aligned.pairs.tolist()))
    wanted = set()
    for family, origin in zip(found, origins, strict=True):
        for member in family.members:
            left, right = sorted((int(first_of[origin]), int(first_of[member])))
            if left != right and (left, right) not in known:
                wanted.add((left, right))
    return np.array(sorted(wanted), np.int32).reshape(-1, 2)


def _copies_of(groups: dict[int, list[int]], tokens: Tokens) -> Aligned:
    """Exact repeats as aligned pairs of one passage, each with the first text of its group."""
    pairs = np.array([(first, copy) for first, copies in sorted(groups.items()) for copy in copies], np.int32)
    pairs = pairs.reshape(-1, 2)
    lengths = tokens.lengths[pairs[:, 0]] if len(pairs) else np.empty(0, np.int64)
    zeros = np.zeros_like(lengths)
    passages = np.stack([zeros, lengths, zeros, lengths, lengths, zeros + COPY], axis=1).astype(np.int32)
    both = np.stack([lengths, lengths], axis=1)
    return Aligned(pairs, passages, np.arange(len(pairs) + 1), both, both, np.ones(len(pairs)))


def _merged(*parts: Aligned) -> Aligned:
    """Aligned pairs of several runs, sorted by pair."""
    whole = Aligned.concatenated(parts)
    return whole.taken(np.lexsort((whole.pairs[:, 1], whole.pairs[:, 0])))
