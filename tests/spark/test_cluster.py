"""A scan by executors of their own: sources, what is left behind, and what goes wrong."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import pyarrow as pa
import pyspark
import pytest
from pyarrow import parquet

import dedup
from benchmarks.corpus import write
from dedup import schema
from dedup.cli import main
from dedup.errors import EngineError, InputError, OutputError, SettingsError
from dedup.report.saved import load
from dedup.spark import scan as spark_scan
from dedup.spark import session as sessions
from dedup.spark.scan import scan_to


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.parquet"
    write(path, 800, seed=5)
    return path


@pytest.fixture(scope="module")
def expected(corpus):
    return dedup.scan(corpus)


def same(found, report):
    for name in schema.TABLES:
        assert getattr(found, name).equals(getattr(report, name)), name


def executors():
    """The processes that Spark runs tasks in."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"CoarseGrainedExecutorBackend" in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are listed in /proc")
@pytest.mark.parametrize("during", ["pair", "align"])
def test_an_executor_that_is_killed_changes_nothing(spark, corpus, expected, tmp_path, during):
    killed = []

    def kill():
        time.sleep(1.0)
        killed.append(executors()[0])
        os.kill(killed[0], signal.SIGKILL)

    told = []

    def progress(stage, done, total):
        if stage == during and total is None:
            threading.Thread(target=kill).start()
        told.append((stage, done, total))

    scan_to(str(corpus), tmp_path / "report", progress=progress, temp_dir=tmp_path, parts=4)
    assert killed
    assert killed[0] not in executors()
    assert {stage for stage, _, _ in told} == {"read", "pair", "align", "report"}
    assert any(total and 0 < done <= total for stage, done, total in told if stage == "pair")
    same(load(tmp_path / "report"), expected)
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_data_frame(spark, corpus, expected):
    frame = spark.read.parquet(str(corpus))
    found = dedup.scan(frame.repartition(3), engine="spark")
    assert found.families.equals(expected.families)
    assert found.pairs.equals(expected.pairs)
    columns = ["path", "line"]
    assert found.articles.drop_columns(columns).equals(expected.articles.drop_columns(columns))
    with pytest.raises(InputError, match="no column 'text'"):
        dedup.scan(frame.drop("text"), engine="spark")


def test_the_command_writes_a_folder(spark, corpus, expected, tmp_path, capsys):
    out = f"{tmp_path}/report/"
    with pytest.raises(SystemExit) as ended:
        main(["scan", "--engine", "spark", str(corpus), "-o", out, "--fail-on-copy"])
    assert ended.value.code == 4
    assert f"wrote {out}: 800 articles" in capsys.readouterr().err
    same(load(out), expected)
    with pytest.raises(SystemExit) as ended:
        main(["report", out, "-o", str(tmp_path / "report.json")])
    assert ended.value.code == 0
    expected.write(tmp_path / "expected.json")
    assert (tmp_path / "report.json").read_bytes() == (tmp_path / "expected.json").read_bytes()


def test_a_job_that_fails_leaves_the_old_report_as_it_was(spark, corpus, tmp_path):
    def fail(batches):
        for _ in batches:
            raise RuntimeError("the disk is gone")
        yield pa.record_batch([])

    report = tmp_path / "report"
    report.mkdir()
    frame = spark.read.parquet(str(corpus)).mapInArrow(fail, "id string, text string")
    with pytest.raises(EngineError, match="the disk is gone"):
        scan_to(frame, report, temp_dir=tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["report"]


def test_a_report_that_cannot_be_written_is_told_before_spark_starts(corpus, tmp_path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(spark_scan, "session", lambda master: pytest.fail("it has started"))
    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(OutputError, match="Permission denied"):
        scan_to(str(corpus), tmp_path / "report")


def test_what_an_engine_cannot_do_is_said(spark, corpus, tmp_path):
    with pytest.raises(SettingsError, match="engine=local"):
        dedup.scan(str(corpus), engine="spark", checkpoint=tmp_path)
    with pytest.raises(SettingsError, match="use local or spark"):
        dedup.scan(str(corpus), engine="flink")
    with pytest.raises(InputError, match="standard input"):
        dedup.scan("-", engine="spark")
    with pytest.raises(EngineError, match="is running on"):
        dedup.scan(str(corpus), engine="spark", master="local[7]")


def command(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "dedup", "scan", "--engine", "spark", *arguments], cwd=cwd,
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


def test_folders_that_executors_do_not_see_are_refused(spark, tmp_path):
    sessions.check_executors(spark, [str(tmp_path), "s3://bucket/of/all"])
    with pytest.raises(EngineError, match=r"is not one folder for the driver and for the executor on"):
        sessions.check_executors(spark, [str(tmp_path), str(tmp_path / "there" / "report")])


def test_relative_paths_and_a_quiet_end(corpus, tmp_path):
    """Executors have a working directory of their own."""
    small = tmp_path / "small.parquet"
    parquet.write_table(parquet.read_table(corpus).slice(0, 200), small)
    arguments = ["--master", "local-cluster[2,1,1024]", "small.parquet", "--temp-dir", ".", "-o", "report/"]
    driver = {"PYSPARK_SUBMIT_ARGS": "--conf spark.driver.host=127.0.0.1 pyspark-shell"}
    ended = command(*arguments, cwd=tmp_path, SPARK_LOCAL_IP="127.0.0.1", **driver)
    assert ended.returncode == 0, ended.stderr
    assert "wrote report/: 200 articles" in ended.stderr
    assert not any(word in ended.stderr for word in ("Traceback", "Exception", " ERROR "))
    with contextlib.chdir(tmp_path):
        expected = dedup.scan("small.parquet")
    assert load(tmp_path / "report").articles.equals(expected.articles)


def test_files_without_the_columns_are_refused(spark, tmp_path):
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"id": ["1"], "body": ["one two three"]}), path)
    (tmp_path / "report").mkdir()
    with pytest.raises(InputError, match=r"t\.parquet: the table has no column 'text'.*--field text=NAME"):
        scan_to(path, tmp_path / "report", temp_dir=tmp_path)
    assert list((tmp_path / "report").iterdir()) == []


def test_no_master(corpus, tmp_path):
    begun = time.monotonic()
    ended = command("--master", "spark://127.0.0.1:9", str(corpus), "-o", f"{tmp_path}/report/")
    assert ended.returncode == 1
    assert "no master answers at spark://127.0.0.1:9" in ended.stderr
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("server", ["https://127.0.0.1:9", "127.0.0.1:9", "http://127.0.0.1:9"])
def test_no_kubernetes(corpus, tmp_path, server):
    ended = command("--master", f"k8s://{server}", str(corpus), "-o", f"{tmp_path}/report/")
    assert ended.returncode == 1
    assert f"no Kubernetes API server answers at k8s://{server} (127.0.0.1:9: " in ended.stderr
    assert "Exception" not in ended.stderr


@pytest.mark.parametrize("master", ["foo", "local[a]", "local-cluster[2]"])
def test_a_master_of_no_kind(corpus, tmp_path, master):
    ended = command("--master", master, str(corpus), "-o", f"{tmp_path}/report/")
    assert ended.returncode == 1
    assert f"master={master} is none that Spark knows; name local[*]" in ended.stderr


def test_a_job_that_is_ended_leaves_nothing(corpus, tmp_path):
    kept, report = tmp_path / "kept", tmp_path / "out" / "report"
    for folder in (kept, report.parent):
        folder.mkdir()
    arguments = ["--temp-dir", str(kept), "-o", f"{report}/", str(corpus)]
    with subprocess.Popen(
        [sys.executable, "-m", "dedup", "scan", "--engine", "spark", *arguments]
    ) as process:
        until = time.monotonic() + 60
        while not any(kept.rglob("home-*")) and time.monotonic() < until:
            time.sleep(0.05)
        assert any(kept.rglob("home-*"))
        assert list(report.parent.glob(".dedup-*"))
        process.terminate()
    assert process.returncode == 128 + signal.SIGTERM
    assert list(kept.iterdir()) == list(report.parent.iterdir()) == []


@pytest.mark.parametrize("ending", [SystemExit(143), KeyboardInterrupt()])
def test_who_ends_a_job_is_heard_through_the_error_of_a_clean_up(ending):
    def stumble():
        try:
            raise ending
        finally:
            raise UnboundLocalError

    spark = Mock()
    with pytest.raises(type(ending)) as raised, sessions.job(spark):
        stumble()
    assert raised.value is ending
    spark.sparkContext.cancelAllJobs.assert_called_once_with()


def test_a_master_without_workers(corpus):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    program = Path(pyspark.__file__).parent / "bin" / "spark-class"
    own = [program, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", port]
    with subprocess.Popen([*own, "--webui-port", "0"], stdout=-3, stderr=-3) as process:
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), 1):
                    break
                time.sleep(0.1)
            code = (
                "import sys, dedup; from dedup.spark import session; session._COMING = 2.0; "
                "dedup.scan(sys.argv[1], engine='spark', master=sys.argv[2])"
            )
            ended = subprocess.run(
                [sys.executable, "-c", code, str(corpus), f"spark://127.0.0.1:{port}"],
                env={**os.environ, "SPARK_LOCAL_IP": "127.0.0.1"},
                capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
        finally:
            process.terminate()
    assert f"spark://127.0.0.1:{port} has given no executor in 2 s" in ended.stderr


def java(folder, version):
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n")
    program.chmod(0o755)
    return str(folder)


def test_no_java_or_another(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", java(tmp_path / "eleven", "11.0.2"))
    with pytest.raises(EngineError, match=r"needs Java 17 or later, and .* is 11.0.2"):
        sessions.check_java()
    monkeypatch.setenv("JAVA_HOME", java(tmp_path / "new", "21"))
    sessions.check_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "none"))
    with pytest.raises(EngineError, match="does not run"):
        sessions.check_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="there is none on this machine"):
        sessions.check_java()


def test_another_pyspark(monkeypatch):
    monkeypatch.setattr("pyspark.__version__", "3.5.1")
    with pytest.raises(EngineError, match=r"PySpark 4.1 or later, this is 3.5.1"):
        sessions.session(None)
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(EngineError, match=r"pip install 'newsdedup\[spark\]'"):
        sessions.session(None)


def test_executors_without_the_package(corpus, tmp_path):
    shim = tmp_path / "shim.py"
    shim.write_text(
        "import runpy, sys\n"
        "sys.modules['dedup'] = None\n"
        "sys.argv = sys.argv[2:]\n"
        "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)\n"
    )
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {shim} "$@"\n')
    python.chmod(0o755)
    ended = command("--master", "local[1]", str(corpus), "-o", f"{tmp_path}/out/", PYSPARK_PYTHON=str(python))
    assert ended.returncode == 1
    assert "the executors have no newsdedup" in ended.stderr
    assert "venv-pack" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_saved_tables_in_parts_are_read_in_order(spark, corpus, expected, tmp_path):
    scan_to(str(corpus), tmp_path / "report", parts=4)
    assert len(list((tmp_path / "report" / "articles.parquet").iterdir())) == 4
    same(load(tmp_path / "report"), expected)
    assert parquet.read_table(tmp_path / "report" / "pairs.parquet").num_rows == expected.pairs.num_rows
