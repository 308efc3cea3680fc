"""The command line. Commands are thin: options to settings, one library call, one renderer."""

from dedup.cli.group import main

__all__ = ["main"]
