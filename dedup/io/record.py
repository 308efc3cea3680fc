"""Check one record from any source against the rules for an article."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from numbers import Integral
from reprlib import repr as shortened
from typing import Any

from dedup.errors import InputError
from dedup.io.dates import Zoneless, epoch, moment
from dedup.io.hosts import outlet_of
from dedup.io.place import Found, Place, Row, SetAside
from dedup.schema import INPUT

FIELDS = tuple(field.name for field in INPUT if field.name not in ("path", "line"))
_OPTIONAL = FIELDS[2:]


class Number(str):
    """A JSON number as it was written, so that `id` keeps every digit."""

    __slots__ = ()


def names_of(fields: Mapping[str, str] | None) -> dict[str, str]:
    """Complete `fields` (our name -> the source's name) with our own names.

    Raises `InputError` for a name that is not ours or an empty name of theirs.
    """
    names = {name: name for name in FIELDS}
    for ours, theirs in (fields or {}).items():
        if ours not in names:
            raise InputError(f"fields: there is no field {ours!r}; the fields are {', '.join(FIELDS)}")
        if not isinstance(theirs, str) or not theirs:
            raise InputError(f"fields: {ours}={theirs!r} is not a name; give the source's name for {ours!r}")
        names[ours] = theirs
    return names


def check(record: Mapping[str, Any], names: Mapping[str, str], place: Place, limit: int) -> Iterator[Found]:
    """Yield the record's row, after warnings; or the problem that sets it aside.

    `names` as from `names_of`; `limit` is the longest text allowed, in bytes of UTF-8.
    """
    get = record.get
    try:
        key = _identifier(get(names["id"]), names["id"])
        text = get(names["text"])
        if type(text) is not str:
            text = _string(text, names["text"])
            if text is None:
                raise SetAside(_missing(record, names["text"]))
        size = _size(text, names["text"], limit)
        if not text or text.isspace():
            raise SetAside("the text is only white space" if text else "the text is empty", "skipped")
        size += _size(key, names["id"], limit)
        values: dict[str, str | int | None] = {}
        doubt = None
        for ours in _OPTIONAL:
            if ours == "published":
                values[ours], doubt = published_of(get(names[ours]), names[ours])
                continue
            value = values[ours] = _string(get(names[ours]), names[ours])
            if value:
                size += _size(value, names[ours], limit)
    except SetAside as verdict:
        yield place.problem(str(verdict), verdict.kind)
        return
    if doubt:
        yield place.problem(doubt, "warning")
    if values["outlet"] is None and values["url"]:
        values["outlet"] = outlet_of(str(values["url"]))
    zoneless = isinstance(values["published"], Zoneless)
    yield Row((key, text, *values.values(), place.path, place.line), size, place, zoneless)


def _missing(record: Mapping[str, Any], name: str) -> str:
    """Say that a required field is not there; mappings without `name` and nulls read differently."""
    return f"field {name!r} is null" if name in record else f"missing field {name!r}"


def _identifier(value: Any, name: str) -> str:
    """Take an id: a string, or a number as its decimal text."""
    if isinstance(value, str):
        key = str(value)
    elif absent(value):
        raise SetAside(f"missing field {name!r}: every article needs an id of its own")
    elif isinstance(value, bool) or not isinstance(value, (Integral, float, Decimal)):
        raise SetAside(f"field {name!r} is {described(value)}; an id is a string or a number")
    else:
        try:
            key = float.__repr__(value) if isinstance(value, float) else str(value)
        except ValueError:  # more digits than Python converts
            raise SetAside(f"field {name!r} has too many digits; give it as a string") from None
    if not key:
        raise SetAside(f"field {name!r} is empty: every article needs an id of its own")
    return key


def _string(value: Any, name: str) -> str | None:
    """Take a string, or None where there is no value."""
    if value is None or type(value) is str:
        return value
    if isinstance(value, str) and not isinstance(value, Number):
        return str(value)
    if absent(value):
        return None
    raise SetAside(f"field {name!r} is {described(value)}, not a string")


def _size(value: str, name: str, limit: int) -> int:
    """Length of `value` in bytes of UTF-8; refuses lone surrogates and values longer than `limit`."""
    if value.isascii():
        size = len(value)
    else:
        try:
            size = len(value.encode())
        except UnicodeEncodeError as error:
            found = f"a lone surrogate, \\u{ord(value[error.start]):04x}, at character {error.start}"
            raise SetAside(f"field {name!r} has {found}: it stands for no character") from None
    if size > limit:
        raise SetAside(f"field {name!r} has {size:,} bytes, more than {limit:,}; raise --max-bytes")
    return size


def published_of(value: Any, name: str) -> tuple[int | None, str | None]:
    """Microseconds UTC (`Zoneless` where no zone is given), and the doubt when the value names no time."""
    if value is None or absent(value) or (isinstance(value, str) and not value.strip()):
        return None, None
    try:
        return epoch(value) if isinstance(value, Number) else moment(value), None
    except TypeError:
        raise SetAside(f"field {name!r} is {described(value)}, not a date") from None
    except ValueError as error:
        return None, f"field {name!r}: {shortened(value)} {error}; the article is kept without a date"


def absent(value: Any) -> bool:
    """Tell whether Python code means "no value": None, or NaN and NaT from data frames."""
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124 - only NaN and NaT differ from themselves
    except (TypeError, ValueError):
        return False


def described(value: Any) -> str:
    """Name the type of a value as JSON would."""
    if isinstance(value, (bytes, bytearray)):
        return "bytes"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (Number, int, float)):
        return "a number"
    named = {str: "a string", list: "a list", dict: "an object", type(None): "null"}
    return named.get(type(value), f"of type {type(value).__name__}")
