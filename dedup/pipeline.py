"""Scan: a corpus to a syndication report. The only file that knows the order of the stages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup import tables
from dedup.agencies import declared_rows
from dedup.candidates import Candidates, candidate_pairs
from dedup.checkpoint import Arrays, Checkpoint
from dedup.compose import compose
from dedup.csr import batches
from dedup.digest import digest
from dedup.errors import SettingsError
from dedup.families import Families, with_duplicates
from dedup.groups import Verifier
from dedup.io import Source as Input
from dedup.io import batches as read
from dedup.io import size_of
from dedup.io.kept import Kept
from dedup.kernels.ready import load, ready
from dedup.lsh import bands_for
from dedup.outlets import named
from dedup.pile import Pile
from dedup.places import Places
from dedup.profile import Profile, Stage
from dedup.provenance import Sources, coded, credited, origins
from dedup.repeats import first_of
from dedup.report.model import Inputs, Report
from dedup.report.saved import kept
from dedup.resume import (
    articles_of_arrays,
    articles_to_arrays,
    facts_of,
    families_of_arrays,
    families_to_arrays,
    table_of_array,
    table_to_array,
)
from dedup.scratch import Scratch, Spool
from dedup.settings import Settings
from dedup.store import Articles, StoredTokens
from dedup.tokens import BATCH_BYTES, Tokens
from dedup.verify import copies_of, missing_of, settled
from dedup.weigh import Paragraphs, days, mark_repeated, weights

Progress = Callable[[str, int, int | None], None]
Batches = list[tuple[int, int]]

_ASKED = 2**12  # texts that are looked through in one go
_RESERVED, _EACH = 3 * 10**8, 750  # bytes of memory that are needed anyway, and for each article


def scan(
    source: Input,
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    fields: Mapping[str, str] | None = None,
    temp_dir: str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    profile: Profile | None = None,
    input_format: str | None = None,
    against: Sequence[str | os.PathLike[str]] = (),
    engine: str = "local",
    master: str | None = None,
) -> Report:
    """Find shared copy in a corpus.

    `source`: a path or paths, a pyarrow Table, or `dedup.Article`s or mappings (see `dedup.io.batches`).
    `fields` maps our field names to the source's; `input_format` is what files are read as, whatever they
    look like (one of `dedup.io.formats.NAMES`). `progress` is called with the stage, how much of it is done,
    and how much there is (None: not known). `profile` takes in what each stage took. What does not fit
    into `settings.memory` goes to temporary files in `temp_dir` (by default the system's). `checkpoint` is a
    folder that keeps what each finished stage made, so that a scan of the same files with the same settings
    goes on from there. The report does not depend on the order of the source, on `threads`, `batch_size` or
    `memory`.

    `against`: folders of earlier reports that kept their articles (`report.write` with `keep`). The report is
    of those articles too, as if all had been read at once; where ids are the same the earlier article stays.
    Their sketches are compared; their texts stay in those folders, and are read when they are asked for.

    `engine`: "local" is this process, "spark" a cluster (see `dedup.spark.scan`) whose address is `master`;
    there the source may be a Spark DataFrame too, and neither `checkpoint` nor `profile` is to be had.

    Raises `SettingsError`, `CheckpointError`, `InputError`, `ScratchError` and `EngineError`; a bad article
    is a problem in the report instead.
    """
    if _elsewhere(engine, master, checkpoint, profile):
        from dedup.spark.scan import scan as scan_on_spark

        return scan_on_spark(
            source, settings, master=master, fields=fields, temp_dir=temp_dir, progress=progress,
            input_format=input_format, against=against,
        )  # fmt: skip
    run = _Run(Settings.of(settings), temp_dir, progress or _silent, profile or Profile())
    ready()
    if run.threads > 1:
        load()
    bands_for(run.settings.num_perm, run.settings.resemblance, run.settings.recall)
    earlier = Kept([file for folder in against for file in kept(os.fspath(folder))]) if against else None
    if checkpoint is not None:
        if earlier is not None:
            raise SettingsError("a checkpoint is of one source; leave out checkpoint or against")
        run.checkpoint = Checkpoint(
            checkpoint, facts_of(source, run.settings, fields, input_format, _version())
        )
    inputs = Inputs()
    articles = run.read(source, inputs, fields, input_format, earlier)
    digested, found = run.find(articles)
    built = run.build(digested, found)
    return Report(
        **built,
        inputs=inputs,
        settings=run.settings.answer(),
        version=_version(),
        texts=articles.texts_by_id(),
        details=articles.details,
        sketches=articles.packed_sketches,
        let_go=run.scratch.let_go,
    )


def _elsewhere(engine: str, master: str | None, checkpoint: Any, profile: Any) -> bool:
    """Is it Spark's work? Refuses what an engine cannot do."""
    if engine not in ("local", "spark"):
        raise SettingsError(f"engine={engine!r} is none; use local or spark")
    if engine == "local":
        if master is not None:
            raise SettingsError(f"master={master!r} is for engine=spark; name that engine too")
        return False
    for name, value in (("checkpoint", checkpoint), ("profile", profile)):
        if value is not None:
            raise SettingsError(f"engine=spark has no {name}; leave it out, or use engine=local")
    return True


def _silent(stage: str, done: int, total: int | None) -> None:
    """Tell nobody."""


def _version() -> str:
    from dedup import __version__

    return __version__


class Digested(NamedTuple):
    """Everything that later stages need of n articles besides their texts."""

    stored: StoredTokens
    characters: NDArray[np.int64]  # (n,)
    keys: NDArray[np.uint8]  # (n, 16) digests
    sources: Sources
    places: Places
    judged: NDArray[np.bool_]  # (n,) long enough
    first_of: NDArray[np.int64]  # (n,) the first article with the same tokens
    batches: Batches


class _Run:
    """The stages of one scan, and what they have in common."""

    def __init__(
        self, settings: Settings, temp_dir: str | os.PathLike[str] | None, tell: Progress, profile: Profile
    ) -> None:
        self.settings = settings
        self.threads = settings.cores
        self.tell = tell
        self.profile = profile
        self.scratch = Scratch(settings.memory * 10**6, temp_dir)
        self.looked_up: list[Spool] = []  # tokens, until the tables are built
        self.checkpoint: Checkpoint | None = None

    def kept(self, stage: str) -> Arrays | None:
        """What an earlier run made in a stage, if it finished it."""
        return self.checkpoint.load(stage) if self.checkpoint else None

    def keep(self, stage: str, arrays: Callable[[], Arrays]) -> None:
        """Keep what a stage made."""
        if self.checkpoint:
            self.checkpoint.save(stage, arrays(), self.scratch.let_go)

    def read(
        self,
        source: Input,
        inputs: Inputs,
        fields: Mapping[str, str] | None,
        input_format: str | None,
        earlier: Kept | None = None,
    ) -> Articles:
        """Read all articles, sorted by id, so that nothing depends on the order in which they come."""
        done, total = 0, None if self.tell is _silent else size_of(source)

        def progress(size: int) -> None:
            nonlocal done
            done += size
            self.tell("read", done, total)

        with self.stage("read") as stage:
            kept = self.kept("read")
            if kept is not None:
                articles = articles_of_arrays(kept, inputs, self.scratch)
            else:
                stream = read(
                    source, inputs=inputs, settings=self.settings, fields=fields, progress=progress,
                    input_format=input_format, earlier=earlier,
                )  # fmt: skip
                articles = Articles.stored(stream, self.scratch, self.threads, earlier)
                self.keep("read", lambda: articles_to_arrays(articles, inputs))
                self.scratch.give_back()
            self.profile.text_bytes = int(articles.sizes.sum())
            stage.rows_in = stage.rows_out = len(articles)
        return articles

    def find(self, articles: Articles) -> tuple[Digested, tables.Found]:
        """All that there is to tell of articles; their tokens are forgotten then."""
        digested = self.tokenise(articles)
        pile, clusters = self.align(digested, self.pair(digested))
        found = self.trace(articles, digested, pile, clusters)
        for spool in self.looked_up:
            spool.clear()
        return digested, found

    def tokenise(self, articles: Articles) -> Digested:
        """Tokenise all texts; mark boilerplate, find credits and exact repeats."""
        kept = self.kept("tokens")
        self.scratch.reserved = _RESERVED + _EACH * len(articles)
        if kept is not None:
            packed, wide = (self.scratch.given(kept[name]) for name in ("places", "spread"))
        else:
            arrays, packed, wide = self._tokenised(articles)
            self.keep("tokens", lambda: {**arrays, "places": packed.array(), "spread": wide.array()})
            kept = arrays
        hashes, flags = self.looked_up or [self.scratch.given(kept[name]) for name in ("hashes", "flags")]
        tokens = StoredTokens(hashes, flags, kept["offsets"])
        credited = table_of_array(kept["credits"])
        details = {name: articles.column(name) for name in articles.details.column_names}
        declared = pa.Table.from_batches([declared_rows(details)])
        credited = pa.concat_tables([credited, declared]).sort_by("article") if len(declared) else credited
        sources = Sources.of(details, credited)
        judged = tokens.lengths >= self.settings.min_tokens
        places = Places(packed, kept["offsets"], kept["odd"], wide)
        return Digested(
            tokens, kept["characters"], kept["keys"], sources, places, judged, first_of(kept["keys"], judged),
            self._batches(articles),
        )  # fmt: skip

    def _batches(self, articles: Articles) -> Batches:
        return batches(articles.sizes, self.settings.batch_size, BATCH_BYTES)

    def _tokenised(self, articles: Articles) -> tuple[Arrays, Spool, Spool]:
        """What later stages need of the texts, and their tokens' places, packed, and spread where odd."""
        count = len(articles)
        with self.stage("tokenise") as stage:
            made = digest(
                articles, self._batches(articles), self.scratch, threads=self.threads,
                progress=lambda done: self.tell("tokenise", done, count),
            )  # fmt: skip
            self.looked_up = [made.hashes, made.flags]
            stage.rows_in, stage.rows_out, stage.unit_out = count, made.hashes.size, "tokens"
        with self.stage("weigh") as stage:
            none = np.empty(0, np.int32)
            tokens = Tokens(made.hashes.array(), none, none, made.flags.array(), made.offsets)
            outlets, _ = coded(articles.column("outlet"))
            paragraphs = Paragraphs(*(spool.array() for spool in made.paragraphs))
            mark_repeated(
                tokens, paragraphs, outlets, days(articles.column("published")), self.scratch.memory,
                self.scratch.let_go, self.threads,
            )  # fmt: skip
            stage.rows_in, stage.unit_in, stage.rows_out = paragraphs.keys.size, "paragraphs", count
            for spool in made.paragraphs:
                spool.clear()
            self.scratch.let_go()
        arrays: Arrays = {
            "hashes": tokens.hashes,
            "flags": tokens.flags,
            "offsets": made.offsets,
            "odd": made.odd,
            "characters": made.characters,
            "keys": made.keys,
            "credits": table_to_array(made.credits),
        }
        return arrays, made.places, made.spread

    def pair(self, digested: Digested) -> Candidates:
        """Find the pairs of articles to compare; of exact repeats only the first is compared."""
        settings = self.settings
        bands = bands_for(settings.num_perm, settings.resemblance, settings.recall)
        count = digested.first_of.size
        compared = digested.judged & (digested.first_of == np.arange(count))
        with self.stage("pair") as stage:
            kept = self.kept("pairs")
            if kept is not None:
                pairs = Candidates(**kept)
            else:
                pairs = candidate_pairs(
                    digested.stored.whole(), compared, digested.batches, settings, bands, self.scratch,
                    on_disk=digested.stored.outgrow(self.scratch.memory - _RESERVED), threads=self.threads,
                    progress=lambda done, total: self.tell("pair", done, total),
                )  # fmt: skip
                self.keep("pairs", pairs._asdict)
            stage.rows_in, stage.rows_out, stage.unit_out = int(compared.sum()), len(pairs.pairs), "pairs"
        return pairs

    def align(self, digested: Digested, found: Candidates) -> tuple[Pile, Families]:
        """Verify candidates and cluster articles."""
        whole, kept = Pile(self.scratch), self.kept("families")
        if kept is not None:
            aligned, clusters = families_of_arrays(kept)
            whole.append(aligned)
            return whole, clusters
        settings, lengths = self.settings, digested.stored.lengths
        verifier = self.verifier(digested, len(found.pairs))
        with self.stage("align") as stage:
            told, piles = verifier.verified(found)
            stage.rows_in, stage.unit_in = len(found.pairs), "pairs"
            stage.rows_out, stage.unit_out = len(told.within.pairs) + len(told.between.pairs), "pairs"
            del found  # a good part of the memory
        with self.stage("families") as stage:
            parts, clusters = settled(
                told, lengths, settings.copy_share, verifier.aligned, threads=self.threads
            )
            clusters = with_duplicates(clusters, digested.first_of, lengths)
            whole.merge(parts)
            for pile in piles:
                pile.clear()
            stage.rows_in, stage.unit_in = whole.size, "pairs"
            stage.rows_out, stage.unit_out = len(clusters), "families"
        self.keep("families", lambda: families_to_arrays(whole.aligned(), clusters))
        return whole, clusters

    def trace(self, articles: Articles, digested: Digested, pile: Pile, found: Families) -> tables.Found:
        """Find out where families came from, and what articles are made of."""
        tokens, lengths = digested.stored.whole(), digested.stored.lengths
        self.tell("report", 0, None)
        with self.stage("provenance") as stage:
            traced = origins(found, digested.sources, lengths)
            told = credited(found, traced, digested.sources, partial(self.named, digested))
            missing = missing_of([pile.aligned().keys], found, traced.texts, digested.first_of)
            further = self.verifier(digested, len(missing)).aligned(missing)
            whole = Pile(self.scratch)
            whole.merge([pile.aligned(), further, copies_of(digested.first_of, lengths)])
            pile.clear()
            aligned = whole.aligned()
            parts = compose(
                tokens, aligned, found, traced.texts, digested.batches, threads=self.threads,
                let_go=self.scratch.let_go,
            )  # fmt: skip
            stage.rows_in, stage.unit_in = len(found), "families"
            stage.rows_out, stage.unit_out = len(parts), "parts"
        return tables.Found(
            articles, digested.characters, lengths, digested.judged, digested.first_of, digested.keys,
            aligned, self.weights(digested), found, traced, told, digested.sources, parts,
            articles.column("id"),
        )  # fmt: skip

    def verifier(self, digested: Digested, pairs: int) -> Verifier:
        """What aligns pairs of articles, and tells how many of `pairs` are done."""
        done = 0

        def tell(more: int) -> None:
            nonlocal done
            done += more
            self.scratch.let_go()
            self.tell("align", min(done, pairs), pairs)

        return Verifier(digested.stored, self.settings, self.scratch, self.threads, tell)

    def named(
        self, digested: Digested, texts: NDArray[np.int32], outlets: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Which of some texts, each with an outlet, name it."""
        tokens, order = digested.stored.whole(), np.argsort(texts, kind="stable")
        out = np.empty(texts.size, np.bool_)
        for first in range(0, texts.size, _ASKED):
            own = order[first : first + _ASKED]
            out[own] = named(tokens, texts[own], digested.sources.outlet_names, outlets[own])
            self.scratch.let_go()
        return out

    def weights(self, digested: Digested) -> NDArray[np.int64]:
        """The tokens that articles' shares are shares of, (n,)."""
        tokens, out = digested.stored.whole(), [np.empty(0, np.int64)]
        for batch in digested.batches:
            out.append(weights(tokens.part(*batch)))
            self.scratch.let_go()
        return np.concatenate(out)

    def build(self, digested: Digested, found: tables.Found) -> dict[str, pa.Table]:
        """The report's tables."""
        with self.stage("tables") as stage:
            built = tables.build(
                found, digested.places, self.scratch.table, digested.batches, threads=self.threads
            )
            stage.rows_in = stage.rows_out = len(found.articles)
        return built

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Time a stage, count what it writes to disk, and give back the memory that it leaves behind."""
        with self.profile.stage(name, self.scratch) as stage:
            yield stage
            self.scratch.left()
