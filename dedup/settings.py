"""All settings in one place: name, default, rule, help. The command's options are made from these."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dedup.errors import SettingsError


def _setting(default: Any, help: str, low: float, high: float, *, answer: bool = True) -> Any:
    """Declare one setting: inclusive bounds, and whether it can change the answer."""
    return field(default=default, metadata={"help": help, "low": low, "high": high, "answer": answer})


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything that can change an answer, and the settings that only change speed.

    Raises `SettingsError` when a value breaks its rule.
    """

    shingle: int = _setting(5, "tokens in a shingle", 2, 32)
    guarantee: int = _setting(
        12, "every shared verbatim run of at least this many tokens is found, boilerplate aside", 2, 64
    )
    num_perm: int = _setting(128, "permutations in a MinHash signature", 1, 65536)
    seed: int = _setting(1, "seed of the permutations", 0, 2**32 - 1)
    resemblance: float = _setting(0.5, "resemblance at which the stated recall holds", 0.01, 1.0)
    recall: float = _setting(
        0.95, "share of the pairs at that resemblance that banding finds", 0.01, 0.999999
    )
    min_tokens: int = _setting(12, "articles with fewer tokens are too short to judge", 1, 1_000_000)
    copy_share: float = _setting(
        0.2, "share of an article that must be another's copy to join its family", 0.01, 1.0
    )
    max_bytes: int = _setting(
        100_000_000, "articles with a longer text (UTF-8 bytes) are set aside", 1, 2**31 - 1
    )
    max_expanded: int = _setting(
        10**12,
        "compressed files and archives that expand to more bytes are set aside",
        1,
        2**62,
        answer=False,
    )
    max_ratio: int = _setting(
        200, "compressed files that expand to more times their size are set aside", 1, 10**9, answer=False
    )
    threads: int = _setting(0, "threads; 0 takes every core", 0, 1024, answer=False)
    batch_size: int = _setting(4096, "articles handled at once", 1, 2**20, answer=False)
    memory: int = _setting(
        4000,
        "megabytes of memory to stay within (500 or more); what does not fit goes to disk",
        64,
        10**9,
        answer=False,
    )

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = getattr(self, spec.name)
            whole = isinstance(spec.default, int)
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                kind = "a whole number" if whole else "a number"
                raise SettingsError(f"{spec.name}={value!r} is not {kind}; the default is {spec.default}")
            low, high = spec.metadata["low"], spec.metadata["high"]
            if not low <= value <= high:  # also refuses NaN
                raise SettingsError(
                    f"{spec.name}={value} is outside {low} to {high}; the default is {spec.default}"
                )
        if self.guarantee < self.shingle:
            raise SettingsError(
                f"guarantee={self.guarantee} is smaller than shingle={self.shingle}: a run shorter than "
                f"a shingle cannot be found; use guarantee={self.shingle} or more, or a smaller shingle"
            )

    @property
    def cores(self) -> int:
        """How many threads there are to be."""
        return self.threads or os.cpu_count() or 1

    @property
    def window(self) -> int:
        """Winnowing window in shingles: a run of `guarantee` tokens holds one full window."""
        return self.beside + 1

    @property
    def beside(self) -> int:
        """The tokens of a guaranteed run besides one of its shingles."""
        return self.guarantee - self.shingle

    def answer(self) -> dict[str, int | float]:
        """The settings that can change an answer, for reports and indexes."""
        return {spec.name: getattr(self, spec.name) for spec in fields(self) if spec.metadata["answer"]}

    @classmethod
    def of(cls, settings: Settings | Mapping[str, Any] | None) -> Settings:
        """Take settings as users give them: nothing, a mapping of names, or `Settings`."""
        if settings is None:
            return cls()
        if isinstance(settings, Settings):
            return settings
        known = {spec.name for spec in fields(cls)}
        if not isinstance(settings, Mapping):
            raise SettingsError(f"settings={settings!r} is neither dedup.Settings nor a mapping of names")
        for name in settings:
            if name not in known:
                raise SettingsError(f"no setting is called {name!r}; there are {', '.join(sorted(known))}")
        return cls(**settings)

    def asdict(self) -> dict[str, int | float]:
        """All settings by name."""
        return asdict(self)
