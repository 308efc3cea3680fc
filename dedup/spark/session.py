"""The Spark session: one that is there, or a new one; whether it can run a scan is found out first."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dedup.errors import DedupError, EngineError
from dedup.io.remote import is_remote

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_JAVA = 17
_PATIENCE = 10.0  # seconds
_COMING = 60.0  # seconds in which a cluster of its own kind of Spark's gives a first executor
_MASTERS = r"local(\[(\*|[1-9]\d*)(,\d+)?\])?|local-cluster\[\d+,\d+,\d+\]|spark://.+|k8s://.+|yarn"
_PORTS = {"https": 443, "http": 80}
_CALLING = "An error occurred while calling"  # what py4j says first; what was thrown comes next
_REMEDY = "pip install 'newsdedup[spark]'"
SETTINGS = {  # of a session of our own
    "spark.app.name": "dedup scan",
    "spark.io.compression.codec": "zstd",
    "spark.python.unix.domain.socket.enabled": "true",  # 40 ms less a task than TCP and its late answers
}
_SAYING = ("PYSPARK_GATEWAY_PORT", "SPARK_HOME", "SPARK_CONF_DIR")  # where they are, a master may be named
_HERE = {  # of one whose executors are all on this machine
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}
_MEANWHILE = {  # of any, while it works for us: a row of messages may hold megabytes
    "spark.sql.execution.arrow.maxRecordsPerBatch": "256",
    "spark.sql.adaptive.enabled": "false",
}


def session(master: str | None) -> SparkSession:
    """The session that is active, or a new one on `master` (None: what spark-submit says, or this machine).

    Raises `EngineError` where there is no PySpark, no Java, or another of either than is needed, and where
    the master does not answer.
    """
    try:
        import pyspark
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise EngineError(f"engine=spark needs PySpark 4.1 or later ({error}); {_REMEDY}") from error
    if tuple(int(part) for part in pyspark.__version__.split(".")[:2]) < (4, 1):
        raise EngineError(
            f"engine=spark needs PySpark 4.1 or later, this is {pyspark.__version__}; {_REMEDY}"
        )
    running = active()
    if running is not None:
        if master is not None and running.sparkContext.master != master:
            raise EngineError(
                f"a Spark session is running on {running.sparkContext.master}, not on {master}; stop it, or "
                "leave out master"
            )
        return running
    check_java()
    builder, settings = SparkSession.builder, dict(SETTINGS)
    if master is None and not any(name in os.environ for name in _SAYING):
        master = "local[*]"
    if master is not None:
        _check_master(master)
        builder = builder.master(master)
        if master.startswith("local"):
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
            settings |= _HERE
    for name, value in settings.items():
        builder = builder.config(name, value)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        return builder.getOrCreate()
    except Exception as error:
        raise _ended(error) or EngineError(
            f"Spark does not start on {master or 'its default master'}: {_cause(error)}; see that SPARK_HOME "
            "and SPARK_CONF_DIR, where they are set, are those of PySpark 4, or name another --master"
        ) from error


def active() -> SparkSession | None:
    """The session that is active, if there is one."""
    loaded: Any = sys.modules.get("pyspark.sql")
    return None if loaded is None else loaded.SparkSession.getActiveSession()


def stop() -> None:
    """Stop the session that is active, so that a cluster counts its application as finished."""
    with suppress(Exception):  # its Java may be gone by now
        found = active()
        if found is not None:
            found.stop()


def session_of(frame: Any) -> SparkSession:
    """The session of a DataFrame; that of Spark Connect has no context to run a scan in: `EngineError`."""
    found: SparkSession = frame.sparkSession
    if "connect" in type(found).__module__:
        raise EngineError(
            "the DataFrame is one of Spark Connect; scan its files (paths, with master), or one of a classic "
            "session"
        )
    return found


@contextmanager
def lent(spark: SparkSession) -> Iterator[None]:
    """The session with the settings that a scan needs; the user's come back in the end."""
    before = {name: spark.conf.get(name, None) for name in _MEANWHILE}
    try:
        for name, value in _MEANWHILE.items():
            spark.conf.set(name, value)
        yield
    finally:
        with suppress(Exception):  # the session may have been stopped
            for name, old in before.items():
                if old is None:
                    spark.conf.unset(name)
                else:
                    spark.conf.set(name, old)


def _check_master(master: str) -> None:
    """Refuse the address of a cluster that nobody answers at; Spark itself would try for a minute."""
    if not re.fullmatch(_MASTERS, master):
        raise EngineError(
            f"master={master} is none that Spark knows; name local[*], spark://HOST:PORT, yarn or "
            "k8s://https://HOST:PORT"
        )
    kind, _, rest = master.partition("://")
    if kind == "yarn" and not any(os.environ.get(name) for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR")):
        raise EngineError("master=yarn needs HADOOP_CONF_DIR, the folder of the cluster's settings; set it")
    if kind == "spark":
        reasons = _refusals(rest.split(","))
        if reasons:
            raise EngineError(
                f"no master answers at {master} ({reasons}); start one (sbin/start-master.sh), or name "
                "another with --master"
            )
    if kind == "k8s":
        server = urlsplit(rest if "://" in rest else f"https://{rest}")
        reasons = _refusals([f"{server.hostname}:{server.port or _PORTS.get(server.scheme)}"])
        if reasons:
            raise EngineError(
                f"no Kubernetes API server answers at {master} ({reasons}); `kubectl cluster-info` tells its "
                "address, or name another with --master"
            )


def _refusals(places: Iterable[str]) -> str:
    """Why none of some places, HOST:PORT, can be connected to; nothing if one can."""
    reasons = []
    for place in places:
        host, _, port = place.rpartition(":")
        try:
            socket.create_connection((host, int(port)), _PATIENCE).close()
        except (OSError, ValueError) as error:
            reasons.append(f"{place}: {error}")
        else:
            return ""
    return "; ".join(reasons)


def check_java() -> None:
    """Refuse to go on without a Java that Spark 4 runs on."""
    home = os.environ.get("JAVA_HOME")
    java = f"{home}/bin/java" if home else shutil.which("java")
    remedy = f"install Java {_JAVA} or later and set JAVA_HOME to where it is"
    if java is None:
        raise EngineError(
            f"engine=spark needs Java {_JAVA} or later, and there is none on this machine; {remedy}"
        )
    try:
        said = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=60, check=True
        ).stderr
    except (OSError, subprocess.SubprocessError) as error:
        raise EngineError(f"{java} does not run ({error}); {remedy}") from error
    version = said.partition('"')[2].partition('"')[0]
    major = version.split(".")[0]
    if not major.isdigit() or int(major) < _JAVA:
        raise EngineError(
            f"engine=spark needs Java {_JAVA} or later, and {java} is {version or 'another'}; {remedy}"
        )


def check_executors(spark: SparkSession, folders: Sequence[str]) -> None:
    """Refuse to go on where executors lack this very version of the package, or have another Python.

    Or where they do not see some folders that the driver made; addresses are not looked at.
    """
    from dedup import __version__

    here = [folder for folder in folders if not is_remote(folder)]
    wanted = __version__, "{}.{}".format(*sys.version_info)

    def look(batches: Iterable[Any]) -> Iterator[Any]:
        import os
        import socket
        import sys

        import pyarrow as pa

        try:
            import dedup

            found = dedup.__version__
        except ImportError:
            found = ""
        missing = next((folder for folder in here if not os.path.isdir(folder)), "")  # noqa: PTH112
        told = found, "{}.{}".format(*sys.version_info), socket.gethostname(), missing
        for batch in batches:
            yield pa.record_batch([pa.array([value] * len(batch)) for value in told], names)

    names = ["dedup", "python", "host", "missing"]
    _await_executors(spark)
    count = max(1, min(spark.sparkContext.defaultParallelism, 64))
    try:
        frame = spark.range(count, numPartitions=count)
        rows = frame.mapInArrow(look, ", ".join(f"{name} string" for name in names)).collect()
    except Exception as error:
        raise _ended(error) or EngineError(
            f"the executors cannot run Python with PyArrow: {_cause(error)}; {_PACKED}"
        ) from error
    for row in rows:
        if row.dedup != wanted[0]:
            what = f"have newsdedup {row.dedup}, not {wanted[0]}" if row.dedup else "have no newsdedup"
            raise EngineError(f"the executors {what}; {_PACKED}")
        if row.python != wanted[1]:
            raise EngineError(f"the executors have Python {row.python}, not {wanted[1]}; {_PACKED}")
        if row.missing:
            raise EngineError(
                f"{Path(row.missing).parent} is not one folder for the driver and for the executor on "
                f"{row.host}; name folders or addresses that all reach: --temp-dir (temp_dir=) for what "
                "stages hand on, another -o for the report"
            )


def _await_executors(spark: SparkSession) -> None:
    """Refuse to wait for ever where a standalone cluster has no workers, or none with room."""
    context: Any = spark.sparkContext
    if not context.master.startswith("spark://") or _is_dynamic(spark):
        return
    until = time.monotonic() + _COMING
    while context._jsc.sc().getExecutorMemoryStatus().size() < 2:  # the driver counts as one
        if time.monotonic() > until:
            raise EngineError(
                f"{context.master} has given no executor in {_COMING:.0f} s: it has no workers, or none with "
                "the cores and the memory that are asked for; start some (sbin/start-worker.sh), or ask for "
                "less (spark.executor.memory, spark.cores.max)"
            )
        time.sleep(0.1)


def _is_dynamic(spark: SparkSession) -> bool:
    """Do executors come only when there is work for them?"""
    return spark.sparkContext.getConf().get("spark.dynamicAllocation.enabled", "false") == "true"


_PACKED = (
    "pack this environment (venv-pack -o dedup.tar.gz), send it along with --archives dedup.tar.gz#env, and "
    "set PYSPARK_PYTHON=env/bin/python"
)


def _cause(error: BaseException) -> str:
    """What went wrong, on one line: the last words of Python's traceback, or of Java's."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    traces = [place for place, line in enumerate(lines) if line.startswith("Traceback (most recent")]
    for line in lines[traces[-1] :] if traces else []:
        if re.match(r"[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)\b", line):
            return line.removeprefix("dedup.errors.")
    causes = [line.partition("Caused by:")[2].strip() for line in lines if "Caused by:" in line]
    thrown = [line.removeprefix(": ") for line in lines[1:2] if lines[0].startswith(_CALLING)]
    return [lines[0], *thrown, *causes][-1]


def _ended(error: BaseException) -> BaseException | None:
    """The interrupt or the exit that an error is or hides, if there is one.

    PySpark closes sockets in `finally`, those too that SIGTERM or Ctrl+C kept it from opening, and that error
    takes the place of who asked to end.
    """
    found: BaseException | None = error
    while isinstance(found, Exception):
        found = found.__context__
    return found


@contextmanager
def job(spark: SparkSession) -> Iterator[None]:
    """What Spark throws comes out as an `EngineError`; who ends it ends the jobs that are running too."""
    try:
        yield
    except DedupError:
        raise
    except BaseException as error:
        ended = _ended(error)
        if ended is None:
            raise EngineError(f"the Spark job failed, and nothing was written: {_cause(error)}") from error
        with suppress(Exception):  # the session may have been stopped
            spark.sparkContext.cancelAllJobs()  # nobody is to write to what is removed now
        raise ended from None
