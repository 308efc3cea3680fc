import json
import subprocess
import sys

import pytest

from dedup.cli.info import gather
from dedup.settings import Settings

HEAVY = ("numpy", "numba", "pyarrow", "rich")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["scan", "--help"], ["scan", "missing.txt"], ["info", "-h"]]
)
def test_help_and_usage_errors_import_nothing_heavy(arguments):
    code = (
        "import sys\nfrom dedup.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_module_and_help():
    done = subprocess.run([sys.executable, "-m", "dedup", "-h"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: dedup [OPTIONS] COMMAND")
    for command in ("scan", "compare", "info"):
        assert f"  {command} " in done.stdout


def test_version(run, monkeypatch):
    monkeypatch.setattr("dedup.__version__", "1.2.3", raising=False)
    assert run("--version").stdout == "dedup 1.2.3\n"


def test_every_setting_is_an_option_with_default_and_bounds(run):
    text = " ".join(run("scan", "--help").stdout.split())
    for name, default in Settings().asdict().items():
        assert f"--{name.replace('_', '-')} " in text
        assert f"[default: {default};" in text


def test_info(run, monkeypatch):
    monkeypatch.setattr("dedup.__version__", "1.2.3", raising=False)
    result = run("info")
    assert result.exit_code == 0
    assert result.stdout.startswith("dedup 1.2.3, Python 3.")
    assert "bands of" in result.stdout
    assert "density" in json.loads(run("info", "--format", "json").stdout)["winnowing"]


def test_info_keeps_the_promise_it_shows(monkeypatch):
    monkeypatch.setattr("dedup.__version__", "1.2.3", raising=False)
    facts = gather(Settings(resemblance=0.7, recall=0.9))
    curve = {point["resemblance"]: point["recall"] for point in facts["banding"]["curve"]}
    assert curve[0.7] >= 0.9
    assert curve[1.0] == 1.0
    assert list(curve.values()) == sorted(curve.values())
    assert facts["banding"]["values_used"] <= 128
    assert facts["winnowing"]["density"] == pytest.approx(2 / 9)


def test_settings_that_cannot_keep_the_promise_are_wrong_usage(run, monkeypatch):
    monkeypatch.setattr("dedup.__version__", "1.2.3", raising=False)
    result = run("info", "--num-perm", "1", "--resemblance", "0.1")
    assert result.exit_code == 2
    assert "raise num_perm" in result.stderr
