"""The other side of `benchmarks.measure`: `python -m benchmarks.child FOLDER` does the job in the folder.

The function is called with the job's arguments. The time until it returns counts; what it returns is called
afterwards and gives the answer: arrays by name, and facts. A fact named `seconds` stands for the time.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

Answer = dict[str, Any]
Finish = Callable[[], Answer]


def main() -> None:
    """Do the job, and write the answer beside it."""
    folder = Path(sys.argv[1])
    job = json.loads((folder / "job.json").read_text("utf-8"))
    for name in job["imports"]:
        import_module(name)
    module, _, name = job["function"].partition(":")
    function: Callable[..., Finish] = getattr(import_module(module), name)
    started = time.time() - job["begun"]
    begun = time.perf_counter()
    finish = function(**job["arguments"])
    seconds = time.perf_counter() - begun
    answer = finish()
    arrays = {key: value for key, value in answer.items() if isinstance(value, np.ndarray)}
    facts = {key: value for key, value in answer.items() if key not in arrays}
    np.savez(folder / "answer.npz", allow_pickle=False, **arrays)
    whole = {"seconds": facts.pop("seconds", seconds), "started": started, "facts": facts}
    (folder / "answer.json").write_text(json.dumps(whole), "utf-8")


if __name__ == "__main__":
    main()
