import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def alone():
    """The module `alone.py` beside this file: supersteps without Spark."""
    spec = importlib.util.spec_from_file_location("spark_alone", Path(__file__).with_name("alone.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def scan_alone(alone):
    """A scan by the supersteps, without Spark."""
    return alone.scan_alone
