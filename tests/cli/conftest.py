import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from dedup.cli import main


@pytest.fixture(scope="session")
def example():
    path = Path(__file__).parents[1] / "report" / "example.py"
    spec = importlib.util.spec_from_file_location("cli_example", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Scan:
    """Stands for `dedup.scan`: keeps what it was called with, and returns or raises what it is told."""

    def __init__(self, report):
        self.outcome, self.calls = report, []

    def scan(
        self,
        source,
        settings=None,
        *,
        fields=None,
        temp_dir=None,
        checkpoint=None,
        progress=None,
        profile=None,
        input_format=None,
        against=(),
        engine="local",
        master=None,
    ):
        self.calls.append((source, settings, fields))
        progress("read", 1, None)
        progress("align", 2, 2)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.fixture
def scan(monkeypatch, example):
    double = Scan(example.report())
    monkeypatch.setitem(sys.modules, "dedup.pipeline", SimpleNamespace(scan=double.scan))
    monkeypatch.setattr("dedup.__version__", "0.1.0", raising=False)
    return double


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)

    def run(*arguments, **options):
        return CliRunner().invoke(main, [str(argument) for argument in arguments], **options)

    return run


@pytest.fixture
def news(tmp_path):
    path = tmp_path / "news.jsonl"
    path.write_text("{}\n")
    return path
