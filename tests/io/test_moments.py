"""Times of a column are those that each of its values is by itself."""

import itertools

import pyarrow as pa
import pytest

from dedup.io.dates import Zoneless
from dedup.io.moments import moments
from dedup.io.record import published_of

DAYS = (
    "26-FEB-1987", " 5-mar-1987", "1 May 2024", "Wed, 01 May 2024", "Wed, 1-May-2024", "31 december 9999",
    "2024-05-01", "30 Feb 2024", "2024-13-01", "0001-01-01", "1 May 0099", "1 Sept 2024", "1 Foo 2024",
)  # fmt: skip
CLOCKS = ("12:30", "T23:59:59", "15:01:01.79", "15:01:01.1234567", "24:00", "9:30", "12:30.5", "12:30:60")
ZONES = (
    "", "Z", " Z", " GMT", "GMT", " UTC", " EST", "+0200", " +0530", "-05:30", " -0000", "+24:00", "-12:60",
)  # fmt: skip
WRITTEN = [
    day + clock.join((" ", zone)) if clock[0] != "T" else day + clock + zone
    for day, clock, zone in itertools.product(DAYS, CLOCKS, ZONES)
] + list(DAYS)


def test_what_a_column_tells_is_what_each_value_tells():
    known = 0
    for written in WRITTEN:
        times, zoneless = moments(pa.array([written, None]))
        assert not times[1].is_valid
        assert not zoneless[1].as_py()
        if times[0].is_valid:
            known += 1
            time, doubt = published_of(written, "published")
            if doubt is None:
                assert (times[0].as_py(), zoneless[0].as_py()) == (time, isinstance(time, Zoneless)), written
            else:
                assert "years 1 to 9999" in doubt, written
    assert known > 100


@pytest.mark.parametrize(
    "written", ["26-FEB-1987 15:01:01.79", "Wed, 01 May 2024 12:30:00 GMT", "1 May 2024"]
)
def test_common_forms_are_known(written):
    times, _ = moments(pa.array([written]))
    assert times[0].as_py() == published_of(written, "published")[0]


def test_one_that_is_not_known_leaves_the_others():
    times, _ = moments(pa.array(["1 May 2024", "yesterday", None]))
    assert [time.is_valid for time in times] == [True, False, False]


def test_a_day_of_no_calendar_leaves_all_to_be_looked_at():
    assert moments(pa.array(["1 May 2024", "30 Feb 2024"]))[0].null_count == 2
