"""`dedup info`: versions, processor, settings, and what the settings promise."""

from __future__ import annotations

import json
import platform
import sys
from typing import TYPE_CHECKING, Any

import click

from dedup.cli.options import Command, color_option, settings_of, settings_options
from dedup.cli.talk import output_console

if TYPE_CHECKING:
    from rich.console import Console

    from dedup.settings import Settings

_LIBRARIES = ("numpy", "numba", "pyarrow", "xxhash", "click", "rich", "datasketch")
_VECTORS = ("sse4.2", "avx", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512vbmi", "neon", "sve", "sve2")
_STEPS = tuple(step / 10 for step in range(1, 11))  # resemblances at which the curve is shown


@click.command(cls=Command)
@click.option("--format", type=click.Choice(["terminal", "json"]), default="terminal", show_default=True)
@color_option
@settings_options
def info(format: str, color: str, **values: Any) -> None:
    """Show versions, processor, settings, and which pairs the settings find."""
    facts = gather(settings_of(values))
    if format == "json":
        click.echo(json.dumps(facts, ensure_ascii=False, indent=1))
    else:
        _show(facts, output_console(color))


def gather(settings: Settings) -> dict[str, Any]:
    """Return everything the command shows, as JSON carries it."""
    from dedup import __version__

    return {
        "version": __version__,
        "python": platform.python_version(),
        "libraries": {name: _installed(name) for name in _LIBRARIES},
        "processor": _processor(),
        "kernels": _kernels(),
        "settings": _settings(settings),
        "banding": _banding(settings),
        "winnowing": {
            "guarantee": settings.guarantee,
            "window": settings.window,
            "density": 2 / (settings.window + 1),  # Schleimer, Wilkerson, Aiken 2003, section 3.2
        },
    }


def _installed(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> dict[str, Any]:
    """Return the processor as the kernels' compiler sees it."""
    import os

    from llvmlite import binding

    features = binding.get_host_cpu_features()
    usable = getattr(os, "sched_getaffinity", None)
    return {
        "machine": platform.machine(),
        "name": binding.get_host_cpu_name(),
        "cores": len(usable(0)) if usable else os.cpu_count(),
        "vectors": [name for name in _VECTORS if features.get(name)],
    }


def _kernels() -> dict[str, Any]:
    """Return where compiled kernels are kept, and whether there are any."""
    from dedup.kernels.ready import cache_folder, compiled

    return {"cache": str(cache_folder() or "nowhere"), "compiled": compiled()}


def _settings(settings: Settings) -> list[dict[str, Any]]:
    """Return the settings with their rules."""
    from dataclasses import fields

    return [
        {
            "name": spec.name,
            "value": getattr(settings, spec.name),
            "default": spec.default,
            "low": spec.metadata["low"],
            "high": spec.metadata["high"],
            "help": spec.metadata["help"],
        }
        for spec in fields(settings)
    ]


def _banding(settings: Settings) -> dict[str, Any]:
    """Return bands and rows, and the chance that a pair becomes a candidate at each resemblance."""
    from dedup.lsh import bands_for, recall_at

    bands = bands_for(settings.num_perm, settings.resemblance, settings.recall)
    return {
        "bands": bands.bands,
        "rows": bands.rows,
        "values_used": bands.bands * bands.rows,
        "num_perm": settings.num_perm,
        "curve": [{"resemblance": step, "recall": float(recall_at(step, bands))} for step in _STEPS],
    }


def _show(facts: dict[str, Any], console: Console) -> None:
    """Print the facts for people."""
    from dedup.report.quotes import say

    say(console, (f"dedup {facts['version']}", "bold"), f", Python {facts['python']} on {sys.platform}")
    libraries = (f"{name} {found or 'not installed'}" for name, found in facts["libraries"].items())
    say(console, ", ".join(libraries), indent=2)
    processor, kernels = facts["processor"], facts["kernels"]
    say(
        console,
        f"{processor['machine']} {processor['name']}, {processor['cores']} cores, "
        f"{' '.join(processor['vectors']) or 'no vector features known'}",
        indent=2,
    )
    state = "compiled" if kernels["compiled"] else "compiled when they are first needed"
    say(console, f"kernels: {state}; kept in {kernels['cache']}", indent=2)
    console.print()
    say(console, ("Settings", "bold"))
    for entry in facts["settings"]:
        changed = "" if entry["value"] == entry["default"] else f" (default {entry['default']:,})"
        value = f"{entry['name']:<12}{entry['value']:>13,}{changed}  "
        say(console, value, (entry["help"], "dim"), indent=2, hang=27)
    _show_promises(facts["banding"], facts["winnowing"], console)


def _show_promises(banding: dict[str, Any], winnowing: dict[str, Any], console: Console) -> None:
    """Print which pairs the settings find: the S-curve for edited copy, the guarantee for verbatim copy."""
    from dedup.report.quotes import percent, say

    console.print()
    say(console, ("Edited copy: chance that a pair becomes a candidate, by resemblance", "bold"))
    used = f"{banding['values_used']} of {banding['num_perm']} signature values used"
    say(console, f"{banding['bands']} bands of {banding['rows']} rows, {used}", indent=2)
    room = max(10, min(50, console.width - 24))
    for point in banding["curve"]:
        bar = "█" * round(point["recall"] * room)
        say(console, f"{point['resemblance']:.1f}  {percent(point['recall']):>5}  {bar}", indent=2)
    console.print()
    say(console, ("Verbatim copy", "bold"))
    kept = f"windows of {winnowing['window']} shingles, {winnowing['density']:.3f} of all shingles kept"
    say(console, f"every shared run of {winnowing['guarantee']} words or more is found: {kept}", indent=2)
