"""A scan on Spark, from a source to a report that is there as a whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from dedup.errors import EngineError, InputError, OutputError
from dedup.io.arrow import columns_of
from dedup.io.kept import Kept
from dedup.io.record import names_of
from dedup.io.remote import is_remote
from dedup.lsh import bands_for
from dedup.report.atomic import replaced_folder
from dedup.report.encode import head
from dedup.report.model import Inputs, Report
from dedup.report.saved import FILES, HEADER, kept, load
from dedup.report.write import check as check_local
from dedup.schema import TABLES
from dedup.scratch import Scratch
from dedup.settings import Settings
from dedup.spark import reading
from dedup.spark.cluster import Cluster
from dedup.spark.engine import Engine, is_frame, paths_of
from dedup.spark.reporting import BACK
from dedup.spark.session import check_executors, job, lent, session, session_of
from dedup.spark.storage import Folder
from dedup.store import Articles

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Progress = Callable[[str, int, int | None], None]

_ONE_MACHINE = "local"  # what masters begin with whose executors are all here


class Written(NamedTuple):
    """A report that was written: where, how many rows its tables have, and what was read.

    `copies`: how many of the pairs share copy.
    """

    path: str
    articles: int
    pairs: int
    copies: int
    families: int
    inputs: Inputs


def scan(
    source: Any,
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    master: str | None = None,
    fields: Mapping[str, str] | None = None,
    temp_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    input_format: str | None = None,
    against: Sequence[str | os.PathLike[str]] = (),
    parts: int | None = None,
) -> Report:
    """Find shared copy in a corpus, on Spark; the report is taken into this process's memory.

    `source`: a Spark DataFrame with columns as those of `schema.INPUT`, or all that `dedup.scan` takes. The
    rest is as for `scan_to`.
    """
    chosen, earlier = Settings.of(settings), _kept(against)
    with _handed_back(temp_dir) as folder:
        report = folder.inside("report")
        _scan_to(
            source, report.address, chosen, master=master, fields=fields, temp_dir=temp_dir or folder.address,
            progress=progress, input_format=input_format, earlier=earlier, back=True, parts=parts,
        )  # fmt: skip
        scratch = Scratch(chosen.memory * 10**6, None if is_remote(os.fspath(temp_dir or "")) else temp_dir)
        articles = Articles.stored(report.rows(f"{BACK}.parquet"), scratch, kept=earlier)
        return replace(
            load(report.address),
            texts=articles.texts_by_id(),
            details=articles.details,
            sketches=articles.packed_sketches,
        )


def scan_to(
    source: Any,
    output: str | os.PathLike[str],
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    master: str | None = None,
    fields: Mapping[str, str] | None = None,
    temp_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    input_format: str | None = None,
    against: Sequence[str | os.PathLike[str]] = (),
    keep: bool = False,
    parts: int | None = None,
) -> Written:
    """Find shared copy in a corpus, on Spark, and write the report's tables as a folder of Parquet.

    `output`: a folder or an address (`s3://…/report/`); what stands there is replaced when all is done, or
    left as it is. `master`: the cluster's address, unless a session is active or spark-submit names it.
    `temp_dir`: a folder or an address that all executors reach, for what stages hand on; by default the
    system's for temporary files if the executors are on this machine, else inside `output`. `against` and
    `keep`: as for `dedup.scan` and `report.write`. `parts`: how many partitions to work in, rounded up to a
    power of two; the report does not depend on it.

    Raises `SettingsError`, `InputError`, `OutputError`, `ScratchError`, and `EngineError` where Spark cannot
    be used or a job failed.
    """
    return _scan_to(
        source, output, Settings.of(settings), master=master, fields=fields, temp_dir=temp_dir,
        progress=progress, input_format=input_format, earlier=_kept(against), keep=keep, parts=parts,
    )  # fmt: skip


def _kept(against: Sequence[str | os.PathLike[str]]) -> Kept | None:
    """The articles of earlier reports, if there are any reports."""
    if not against:
        return None
    paths = [os.fspath(folder) for folder in against]  # whole ones, wherever a task runs
    whole = [path if is_remote(path) else str(Path(path).absolute()) for path in paths]
    return Kept([file for path in whole for file in kept(path)])


def _scan_to(
    source: Any,
    output: str | os.PathLike[str],
    chosen: Settings,
    *,
    master: str | None,
    fields: Mapping[str, str] | None,
    temp_dir: str | os.PathLike[str] | None,
    progress: Progress | None,
    input_format: str | None,
    earlier: Kept | None,
    parts: int | None,
    keep: bool = False,
    back: bool = False,
) -> Written:
    """The same; `back`: the report has all articles, as the driver reads them, in place of texts."""
    bands_for(chosen.num_perm, chosen.resemblance, chosen.recall)
    options = reading.Options(dict(fields or {}), input_format, host=socket.gethostname())
    reading.check(options)
    if "-" in paths_of(source):
        raise InputError("standard input is read by engine=local only; write it to a file first")
    target = os.fspath(output)
    if not is_remote(target):
        check_local(f"{target.rstrip(os.sep)}{os.sep}")
    inputs = Inputs()
    with _committed(target) as out, ExitStack() as stack:
        spark = session_of(source) if is_frame(source) else session(master)
        if is_frame(source):
            columns_of(_arrow_schema(source), names_of(options.fields))
        folder = stack.enter_context(_temporary(spark, temp_dir, target))
        check_executors(spark, [one.address for one in (folder, out)])
        stack.enter_context(lent(spark))
        engine = Engine(Cluster(spark), chosen, folder, options, progress or _silent, parts)
        with job(spark):
            counts = engine.run(source, inputs, out, earlier=earlier, keep=keep, back=back)
        out.tidy()
        out.write(HEADER, _header(chosen, inputs))
    return Written(target, *counts, inputs)


def _silent(stage: str, done: int, total: int | None) -> None:
    """Tell nobody."""


def _arrow_schema(frame: Any) -> pa.Schema:
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(frame.schema)


@contextmanager
def _temporary(spark: SparkSession, temp_dir: str | os.PathLike[str] | None, output: str) -> Iterator[Folder]:
    """A folder for what stages hand on; it is removed in the end."""
    if temp_dir is not None:
        base = os.fspath(temp_dir)
    elif str(spark.sparkContext.master).startswith(_ONE_MACHINE):
        base = tempfile.gettempdir()
    elif is_remote(output):
        base = output
    else:
        raise EngineError(
            f"the executors of {spark.sparkContext.master} may be on other machines; name a folder or an "
            "address that all of them reach with --temp-dir (temp_dir=)"
        )
    with _passing(base) as folder:
        folder.make()
        yield folder


@contextmanager
def _passing(base: str) -> Iterator[Folder]:
    """The name of a folder in another that is for this run alone; it is removed in the end."""
    folder = _folder(base).inside(f"_dedup-{secrets.token_hex(8)}")
    try:
        yield folder
    finally:
        folder.remove()


@contextmanager
def _handed_back(temp_dir: str | os.PathLike[str] | None) -> Iterator[Folder]:
    """A folder for a report that this process takes into memory; it is removed in the end."""
    base = os.fspath(temp_dir or "")
    if is_remote(base):
        with _passing(base) as folder:
            yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="dedup-", dir=temp_dir) as path:
            yield _folder(path)


def _folder(path: str) -> Folder:
    return Folder(path if is_remote(path) else str(Path(path).absolute()))


@contextmanager
def _committed(output: str) -> Iterator[Folder]:
    """A folder that takes the place of `output` if all goes well, and is gone if not."""
    if not is_remote(output):
        with replaced_folder(Path(output)) as path:
            yield Folder(str(path.absolute()))
        return
    target = _folder(output)
    _check_replaceable(target)
    with _passing(output) as aside:
        yield aside
        target.take(aside, [*FILES, f"{BACK}.parquet"], HEADER)


def _check_replaceable(target: Folder) -> None:
    """Refuse to replace anything but an earlier report."""
    ours = {HEADER, *FILES}
    others = sorted(name for name in target.names() if name not in ours and not name.startswith("_"))
    if others:
        raise OutputError(
            f"{target.address}: holds more than a report of dedup ({others[0]}); name a new folder"
        )


def _header(settings: Settings, inputs: Inputs) -> bytes:
    from dedup import __version__

    empty = {name: kind.empty_table() for name, kind in TABLES.items()}
    report = Report(**empty, inputs=inputs, settings=settings.answer(), version=__version__, texts={})
    return (json.dumps(head(report), ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
