"""Exit codes."""

from __future__ import annotations

FAILED = 1  # the run could not be done
USAGE = 2  # click's own code for wrong usage
INPUT_FAILED = 3  # done, but some input could not be read
COPY_FOUND = 4  # asked for with --fail-on-copy; goes before INPUT_FAILED
INTERRUPTED = 130  # as shells report SIGINT
BROKEN_PIPE = 141  # as shells report SIGPIPE: the reader of standard output has gone

_HELP = """\b
Exit codes:
  0    done
  1    the run failed
  2    wrong usage
  3    done, but some input could not be read
{}  130  interrupted
  141  the reader of standard output has gone
"""
HELP = _HELP.format("")
HELP_ON_COPY = _HELP.format("  4    with --fail-on-copy: shared copy was found (goes before 3)\n")


def code(*, copy_found: bool, input_failed: bool) -> int:
    """Return the exit code of a run that was done."""
    if copy_found:
        return COPY_FOUND
    return INPUT_FAILED if input_failed else 0
