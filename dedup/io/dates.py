"""Published times: ISO 8601, RFC 2822, months by name, epoch seconds, Python's own, as microseconds UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
_EPOCH = EPOCH.replace(tzinfo=None)

# The years 1 to 9999, which Python's datetime can show again.
EARLIEST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
LATEST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND

LONGEST = 100  # characters of a date; what follows is too slow for a text in the wrong field

# "2024-05-01 12:00:00 +0200" and "... UTC": common in news feeds, one space away from ISO 8601.
_TWELVE = re.compile(r"(?<![\d:])(\d{1,2}):(\d{2}(?::\d{2})?)\s*([AaPp])\.?[Mm]\b\.?")
_SPACED_ZONE = re.compile(r"\s+(?:(?:UTC|GMT|[zZ])|([+-]\d\d:?\d\d))$")
# "26-FEB-1987 15:01:01.79" and "1 May 2024": ISO 8601 but for the day.
_NAMED_MONTH = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3,9})[- ](\d{4})(?!\d)")
_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
)  # fmt: skip
MONTHS = {short: number for number, name in enumerate(_NAMES, 1) for short in (name, name[:3])}
# Digits alone are epoch seconds, except eight (YYYYMMDD); other lengths are too easily mistaken.
_SECONDS = re.compile(r"\d{9,11}(?:\.\d+)?")
_DIGITS = re.compile(r"[\d.]+")
DAY = len("2024-05-01")  # characters up to which ISO 8601 names a day and no time of it


class Instant(int):
    """A time that is already in microseconds since 1970 UTC."""


class Zoneless(Instant):
    """The same, of a time of day that was given without a zone, and taken as UTC."""


def moment(value: Any) -> int:
    """Turn a published time into microseconds since 1970-01-01 UTC; without a zone it is UTC (`Zoneless`).

    Takes an `Instant`, a `datetime`, a `date`, a string (ISO 8601, RFC 2822, either with the month by name,
    epoch seconds) or a number (epoch seconds). Raises `ValueError` with the reason when the value names no
    time, `TypeError` when it is none of these types.
    """
    if isinstance(value, Instant):
        within(value)
        return value
    if isinstance(value, datetime):
        return _microseconds(value)
    if isinstance(value, date):
        return int(_microseconds(datetime(value.year, value.month, value.day)))
    if isinstance(value, str):
        return _written(value.strip())
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise TypeError(type(value).__name__)
    return epoch(value)


def epoch(seconds: Any) -> int:
    """Turn a number (or its decimal text) of seconds since 1970 into microseconds."""
    try:
        microseconds = round(float(seconds) * 1e6)
    except (ValueError, OverflowError):
        raise ValueError("is no number of seconds since 1970") from None
    if LATEST < microseconds <= LATEST * 1000:
        raise ValueError("looks like milliseconds since 1970; give seconds")
    return within(microseconds)


def within(microseconds: int) -> int:
    """Refuse times outside the years 1 to 9999."""
    if EARLIEST <= microseconds <= LATEST:
        return microseconds
    raise ValueError("is outside the years 1 to 9999")


def _written(text: str) -> int:
    if len(text) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} characters, which no date is")
    if _SECONDS.fullmatch(text):
        return epoch(text)
    if len(text) != 8 and _DIGITS.fullmatch(text):
        raise ValueError("is neither YYYYMMDD nor seconds since 1970")
    text = _TWELVE.sub(_of_day, text, count=1)
    iso = _SPACED_ZONE.sub(lambda match: match[1] or "+00:00", _NAMED_MONTH.sub(_iso, text, 1))
    try:
        when = datetime.fromisoformat(iso)
        if len(iso) <= DAY:
            return int(_microseconds(when))
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            example = "2024-05-01T12:30:00Z or Wed, 01 May 2024 12:30:00 GMT"
            raise ValueError(f"is no date as in {example}") from None
    return _microseconds(when)


def _of_day(clock: re.Match[str]) -> str:
    """A time on a clock of twelve hours as one on a clock of twenty-four."""
    hour = int(clock[1]) % 12 + (12 if clock[3] in "pP" else 0)
    return f"{hour:02}:{clock[2]}" if 1 <= int(clock[1]) <= 12 else clock[0]


def _iso(day: re.Match[str]) -> str:
    """A day whose month is named in English, in full or by three letters, as ISO 8601 has it."""
    month = MONTHS.get(day[2].lower())
    return day[0] if month is None else f"{day[3]}-{month:02}-{int(day[1]):02}"


def _microseconds(when: datetime) -> int:
    if when.tzinfo is None:
        return Zoneless(within((when - _EPOCH) // MICROSECOND))
    return within((when - EPOCH) // MICROSECOND)
