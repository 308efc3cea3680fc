"""The profile of a scan, for people: a table on standard error."""

from __future__ import annotations

import sys

from dedup.profile import Profile, Stage


def render_profile(profile: Profile, color: str) -> None:
    """Print one line a stage: seconds, also of all cores, speed in text, rows in and out, bytes spilled."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("stage", "seconds", "core seconds", "MB/s", "in", "out", "spilled"):
        table.add_column(name, justify="left" if name == "stage" else "right", no_wrap=True)
    whole = Stage("all", profile.seconds, sum(stage.busy for stage in profile.stages))
    whole.spilled = sum(stage.spilled for stage in profile.stages)
    for stage in (*profile.stages, whole):
        rate = profile.text_bytes / 1e6 / stage.seconds if stage.seconds else 0.0
        counts = (stage.rows_in, stage.unit_in), (stage.rows_out, stage.unit_out)
        rows = [f"{count:,} {unit}" if stage is not whole else "" for count, unit in counts]
        spilled = f"{stage.spilled / 1e6:,.0f} MB" if stage.spilled else ""
        table.add_row(stage.name, f"{stage.seconds:.2f}", f"{stage.busy:.2f}", f"{rate:,.1f}", *rows, spilled)
    plain = color == "never" or (color == "auto" and not sys.stderr.isatty())
    Console(stderr=True, no_color=plain, width=None if sys.stderr.isatty() else 110).print(table)
