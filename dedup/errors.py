"""Errors a user can meet. Each message names the value, the rule and the remedy."""

from __future__ import annotations


class DedupError(Exception):
    """Base of every error that `dedup` raises on purpose."""


class SettingsError(DedupError, ValueError):
    """A setting has a value that its rule forbids."""


class InputError(DedupError, ValueError):
    """A source as a whole cannot be read (a single bad record is a `Problem`, not an error)."""


class ScratchError(DedupError, OSError):
    """Temporary files could not be written; nothing else was touched."""


class CheckpointError(DedupError, ValueError):
    """A checkpoint is of another scan, damaged, or none at all."""


class OutputError(DedupError, OSError):
    """A report could not be written; what stood there before is untouched."""


class IndexStoreError(DedupError, OSError):
    """An index cannot be opened, read or written; what it promised so far is kept."""


class EngineError(DedupError, RuntimeError):
    """An engine is not there, or a job of its failed; nothing was written."""
