import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def example():
    """The module `example.py` beside this file: made-up articles."""
    spec = importlib.util.spec_from_file_location("online_example", Path(__file__).with_name("example.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
