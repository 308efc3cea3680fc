"""WARC, as crawlers write it: each page that was answered with success is one article."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from dedup.io.blocks import Stream
from dedup.io.file import File
from dedup.io.html import LONGEST, Page, Waiting
from dedup.io.place import Found, Place, reason
from dedup.io.reading import Reading

_PAGES = ("text/html", "application/xhtml+xml")


def read(file: File, source: Iterator[bytes], place: Place, _: Reading) -> Iterator[Found | Waiting]:
    """Yield the pages of an archive; places are the file and the record's number.

    Pages go by the records' ids, so that one that was crawled twice is there twice.
    """
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    number = 0
    try:
        records = ArchiveIterator(
            cast(Any, Stream(source)),
            record_types=WarcRecordType.any_type,
            parse_http=True,
            auto_decode="all",
        )
        for number, record in enumerate(records, 1):
            if record.record_type != WarcRecordType.response:
                continue
            yield from _page(record, Place(file.shown, number))
    except OSError as error:
        yield Place(file.shown, number + 1).problem(f"{reason(error)}; the records before are kept")
    except BaseException as error:  # the library's panics are no exceptions
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        yield Place(file.shown, number + 1).problem(
            f"the WARC is damaged ({error}); the records before are kept"
        )
    if not number:
        yield place.problem("the file holds no WARC record")


def _page(record: Any, place: Place) -> Iterator[Found | Waiting]:
    kind = (record.http_content_type or "").lower()
    if kind not in _PAGES:
        return
    if record.http_headers is None or record.http_headers.status_code != 200:
        return
    url, key = record.headers.get("WARC-Target-URI"), record.record_id
    data = record.reader.read(LONGEST + 1)
    stated = record.headers.get("WARC-Truncated")
    if len(data) > LONGEST:
        yield place.problem(f"the page has more than {LONGEST:,} bytes; it is no article")
    elif not data:
        yield place.problem("the page is empty", "skipped")
    else:
        if stated:
            yield place.problem(f"the page was cut short by the crawler ({stated})", "warning")
        yield Waiting(Page(data, url, key, "WARC-Record-ID"), place)
