"""Run a piece of work in a process of its own; measure its time, the memory of its process tree, its disk.

Memory is RSS summed over the process and all its descendants, sampled every 50 ms: pages that processes
share count once for each. `anonymous` leaves out pages of files, which the system can drop. Disk is what
stands in the process's temporary folder and in files that it holds open but has deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_EVERY = 0.05  # seconds
_DISK_EVERY = 10  # samples
_PAGE = os.sysconf("SC_PAGE_SIZE")
_POOLS = ("OMP", "OPENBLAS", "MKL", "RAYON", "NUMBA")  # all take their threads from NAME_NUM_THREADS
_ROOT = Path(__file__).parents[1]


@dataclass
class Run:
    """What one process did. Times are seconds, sizes bytes."""

    seconds: float = 0.0  # the work, without what follows
    started: float = 0.0  # interpreter and libraries
    peak: int = 0  # RSS
    anonymous: int = 0
    disk: int = 0
    failed: str = ""  # the last line of what it said, if it failed
    facts: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    def plain(self) -> dict[str, Any]:
        """All but the arrays, for JSON."""
        return {name: value for name, value in asdict(self).items() if name != "arrays"}


def measured(
    function: str,
    *,
    imports: list[str],
    cores: int,
    scratch: Path,
    timeout: float = 3600,
    **arguments: Any,
) -> Run:
    """Run `function` ("module:name") with `arguments` on `cores` cores (see `benchmarks.child`)."""
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        job = {"function": function, "imports": imports, "arguments": arguments, "begun": time.time()}
        (folder / "job.json").write_text(json.dumps(job), "utf-8")
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.child", str(folder)],
                stdout=said,
                stderr=said,
                env=_environment(folder / "tmp", cores),
                cwd=_ROOT,
                start_new_session=True,
            )
            try:
                run = _watched(process, folder / "tmp", sorted(os.sched_getaffinity(0))[:cores], timeout)
            finally:
                _end(process)
        return _read(run, process.returncode, folder)


def tree(root: int) -> list[int]:
    """A process and all its descendants."""
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = _text(entry / "stat")
            if stat:
                children[int(stat.rpartition(")")[2].split()[1])].append(int(entry.name))
    found = [root]
    for process in found:
        found += children[process]
    return found


def _environment(temporary: Path, cores: int) -> dict[str, str]:
    pools = {f"{pool}_NUM_THREADS": str(cores) for pool in _POOLS}
    quiet = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    return {**os.environ, **pools, **quiet, "TMPDIR": str(temporary)}


def _watched(process: subprocess.Popen[bytes], folder: Path, cores: list[int], timeout: float) -> Run:
    """Sample a process until it ends."""
    os.sched_setaffinity(process.pid, cores)
    run = Run()
    until = time.monotonic() + timeout
    samples = 0
    while process.poll() is None:
        everyone = tree(process.pid)
        sizes = [memory(one) for one in everyone]
        run.peak = max(run.peak, sum(all for all, _ in sizes))
        run.anonymous = max(run.anonymous, sum(own for _, own in sizes))
        if samples % _DISK_EVERY == 0:
            run.disk = max(run.disk, _disk(everyone, folder))
        if time.monotonic() > until:
            _end(process)
            run.failed = f"took longer than {timeout:.0f} s"
        samples += 1
        time.sleep(_EVERY)
    return run


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, and its descendants."""
    if process.poll() is None:
        for one in tree(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        process.wait()


def _read(run: Run, code: int, folder: Path) -> Run:
    """Add what the process wrote."""
    if code and not run.failed:
        said = (folder / "said").read_text("utf-8", "replace").strip().splitlines()
        run.failed = said[-1] if said else f"exit code {code}"
    if not run.failed:
        answer = json.loads((folder / "answer.json").read_text("utf-8"))
        run.seconds, run.started, run.facts = answer["seconds"], answer["started"], answer["facts"]
        with np.load(folder / "answer.npz") as arrays:
            run.arrays = dict(arrays)
    return run


def memory(process: int) -> tuple[int, int]:
    """RSS of a process, and the part of it that is no file's, in bytes; 0 when it is gone."""
    sizes = _text(Path(f"/proc/{process}/statm")).split()
    return (int(sizes[1]) * _PAGE, (int(sizes[1]) - int(sizes[2])) * _PAGE) if len(sizes) > 2 else (0, 0)


def _disk(processes: list[int], folder: Path) -> int:
    """Bytes on disk of files in `folder`, and of deleted files that the processes hold open."""
    sizes: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):  # passes over folders that are gone by now
        for name in names:
            _count(Path(place, name), sizes)
    for process in processes:
        try:
            handles = list(Path(f"/proc/{process}/fd").iterdir())
        except OSError:
            continue
        for handle in handles:
            try:
                target = str(handle.readlink())
            except OSError:
                continue
            if target.endswith(" (deleted)") and not target.startswith(("/memfd:", "/dev/")):
                _count(handle, sizes)
    return sum(sizes.values())


def _count(path: Path, sizes: dict[tuple[int, int], int]) -> None:
    """Note the size of a file, once for each file."""
    try:
        stat = path.stat()
    except OSError:
        return
    sizes[stat.st_dev, stat.st_ino] = stat.st_blocks * 512


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
