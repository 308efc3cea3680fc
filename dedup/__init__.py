"""Find which news articles carry the same copy, where it came from, and what was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dedup.article import Article
    from dedup.comparison import Comparison, Passage, compare
    from dedup.conversion import convert
    from dedup.errors import DedupError, IndexStoreError, InputError, OutputError, SettingsError
    from dedup.minhash import sign
    from dedup.online.filter import Filter
    from dedup.online.verdict import Verdict
    from dedup.pipeline import scan
    from dedup.report.model import Report
    from dedup.settings import Settings

__version__ = "0.1.0"

_HOMES = {
    "Article": "dedup.article",
    "Comparison": "dedup.comparison",
    "DedupError": "dedup.errors",
    "Filter": "dedup.online.filter",
    "IndexStoreError": "dedup.errors",
    "InputError": "dedup.errors",
    "OutputError": "dedup.errors",
    "Passage": "dedup.comparison",
    "Report": "dedup.report.model",
    "Settings": "dedup.settings",
    "SettingsError": "dedup.errors",
    "Verdict": "dedup.online.verdict",
    "compare": "dedup.comparison",
    "convert": "dedup.conversion",
    "scan": "dedup.pipeline",
    "sign": "dedup.minhash",
}

__all__ = [
    "Article",
    "Comparison",
    "DedupError",
    "Filter",
    "IndexStoreError",
    "InputError",
    "OutputError",
    "Passage",
    "Report",
    "Settings",
    "SettingsError",
    "Verdict",
    "compare",
    "convert",
    "scan",
    "sign",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import dedup` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'dedup' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
