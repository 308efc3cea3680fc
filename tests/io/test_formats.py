"""Every format to the same article, by its ending or its first bytes, compressed, in archives, in folders."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import time
import zipfile
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dedup.report.model import LISTED

BODY = "The council voted on Tuesday to close the last of the town's three libraries."
MORE = "Residents had protested for weeks, and said they would go on doing so."
TEXT = f"{BODY}\n\n{MORE}"

NITF = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE nitf SYSTEM "http://www.nitf.org/IPTC/NITF/3.4/specification/dtd/nitf-3-4.dtd">
<nitf xml:lang="en"><head><title>libraries</title>
<docdata><doc-id id-string="urn:x:1" regsrc="AP"/><date.issue norm="20240501T103000Z"/>
<du-key version="3" key="town-libraries"/><doc.copyright holder="The Agency"/></docdata>
<pubdata name="Town Post"/></head>
<body><body.head><hedline><hl1>Last library to close</hl1></hedline>
<byline>By A. Writer</byline><distributor>Reuters</distributor><dateline>TOWN</dateline></body.head>
<body.content><p>{BODY}</p><media><media-reference source="a.jpg"/></media><p>{MORE}</p></body.content>
<body.end><tagline>(Reuters)</tagline></body.end></body></nitf>"""

NEWSML = f"""<newsMessage xmlns="http://iptc.org/std/nar/2006-10-01/"><itemSet>
<newsItem guid="urn:x:1" version="3" xml:lang="en">
<rightsInfo><copyrightHolder literal="The Agency"/></rightsInfo>
<itemMeta><provider literal="Reuters"/><versionCreated>2024-05-01T10:30:00Z</versionCreated>
<link rel="irel:evolvedFrom" residref="urn:x:0"/></itemMeta>
<contentMeta><headline>Last library to close</headline><by>By A. Writer</by><dateline>TOWN</dateline>
<creditline>Reuters/AP</creditline><infoSource><name>AP</name></infoSource><language tag="en"/></contentMeta>
<contentSet><inlineXML contenttype="application/nitf+xml"><nitf xmlns="http://iptc.org/std/NITF/2006-10-18/"><body>
<body.content><p>{BODY}</p><p>{MORE}</p></body.content></body></nitf></inlineXML></contentSet></newsItem>
<newsItem guid="urn:x:2"><contentSet><remoteContent href="a.jpg"/></contentSet></newsItem>
</itemSet></newsMessage>"""

NINJS = {
    "uri": "urn:x:1", "type": "text", "version": "3", "versioncreated": "2024-05-01T10:30:00Z",
    "headline": "Last library to close", "byline": "By A. Writer", "located": "TOWN", "language": "en",
    "body_xhtml": f"<p>{BODY}</p><p>{MORE}</p>", "copyrightholder": "The Agency",
    "infosources": [{"name": "AP"}], "evolvedfrom": "urn:x:0",
}  # fmt: skip

RSS = f"""<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Town Post</title><language>en</language>
<item><guid>urn:x:1</guid><link>https://www.townpost.co.uk/1</link><title>Last library to close</title>
<pubDate>Wed, 01 May 2024 10:30:00 GMT</pubDate><dc:creator>A. Writer</dc:creator>
<source url="https://ap.org">AP</source><description>short</description>
<content:encoded><![CDATA[<p>{BODY}</p><p>{MORE}</p>]]></content:encoded></item></channel></rss>"""

ATOM = f"""<feed xmlns="http://www.w3.org/2005/Atom"><title>Town Post</title><entry><id>urn:x:1</id>
<title>Last library to close</title><link href="https://townpost.co.uk/1"/><updated>2024-05-01T10:30:00Z</updated>
<content type="html">&lt;p&gt;{BODY}&lt;/p&gt;&lt;p&gt;{MORE}&lt;/p&gt;</content></entry></feed>"""

PAGE = f"""<!DOCTYPE html><html lang="en"><head><title>Last library to close - Town Post</title>
<meta property="og:site_name" content="Town Post"><meta property="og:url" content="https://townpost.co.uk/1">
<link rel="canonical" href="https://www.agency.com/libraries">
<meta name="copyright" content="The Agency"><meta property="og:title" content="Last library to close">
<meta property="article:published_time" content="2024-05-01T12:30:00+02:00"></head>
<body><nav><a href="/">Home</a> <a href="/news">News</a></nav><article><h1>Last library to close</h1>
<p>{BODY}</p><p>{MORE}</p></article><footer>Cookie settings</footer></body></html>"""

PUBLISHED = datetime(2024, 5, 1, 10, 30, tzinfo=UTC)


def test_nitf(read, tmp_path):
    (tmp_path / "a.xml").write_text(NITF)
    [article], inputs = read(tmp_path)
    assert not inputs.problems
    assert {name: value for name, value in article.items() if value is not None} == {
        "id": "urn:x:1", "text": TEXT, "title": "Last library to close", "outlet": "Town Post",
        "published": PUBLISHED, "language": "en", "slug": "town-libraries",
        "byline": "By A. Writer", "dateline": "TOWN", "credit": "(Reuters)", "provider": "Reuters",
        "source": "AP", "copyright": "The Agency", "version": "3", "path": str(tmp_path / "a.xml"),
    }  # fmt: skip


def test_newsml(read, tmp_path):
    (tmp_path / "a.xml").write_text(NEWSML)
    [article], inputs = read(tmp_path)
    assert [problem.kind for problem in inputs.problems] == ["skipped"]
    assert {name: value for name, value in article.items() if value is not None} == {
        "id": "urn:x:1", "text": TEXT, "title": "Last library to close", "published": PUBLISHED,
        "language": "en", "byline": "By A. Writer", "dateline": "TOWN", "credit": "Reuters/AP",
        "provider": "Reuters", "source": "AP", "copyright": "The Agency", "version": "3",
        "derived_from": "urn:x:0", "path": str(tmp_path / "a.xml"), "line": 1,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.ninjs"])
def test_ninjs(read, tmp_path, name):
    (tmp_path / name).write_text(json.dumps(NINJS))
    [article], inputs = read(tmp_path)
    assert not inputs.problems
    assert {name: value for name, value in article.items() if value is not None} == {
        "id": "urn:x:1", "text": TEXT, "title": "Last library to close", "outlet": "The Agency",
        "published": PUBLISHED, "language": "en", "byline": "By A. Writer", "dateline": "TOWN",
        "provider": "The Agency", "source": "AP", "version": "3", "derived_from": "urn:x:0",
        "path": str(tmp_path / name), "line": 1,
    }  # fmt: skip


def test_a_feed_whose_markup_no_parser_takes(read, tmp_path):
    (tmp_path / "a.rss").write_text(RSS.replace("http://purl.org/rss", "h\xa0ttp://purl.org/rss"))
    (tmp_path / "z.txt").write_text("last")
    rows, inputs = read(tmp_path)
    assert [row["id"] for row in rows] == ["z.txt"]
    assert ["damaged" in problem.message for problem in inputs.problems] == [True]
    assert inputs.problems[0].path == str(tmp_path / "a.rss")


def test_rss(read, tmp_path):
    (tmp_path / "a.rss").write_text(RSS)
    [article], inputs = read(tmp_path)
    assert not inputs.problems
    assert {name: value for name, value in article.items() if value is not None} == {
        "id": "urn:x:1", "text": TEXT, "title": "Last library to close", "outlet": "townpost.co.uk",
        "url": "https://www.townpost.co.uk/1", "published": PUBLISHED, "language": "en",
        "byline": "A. Writer", "provider": "Town Post", "source": "AP", "path": str(tmp_path / "a.rss"),
        "line": 1,
    }  # fmt: skip


def test_atom(read, tmp_path):
    (tmp_path / "feed.xml").write_text(ATOM)
    [article], _ = read(tmp_path)
    assert (article["id"], article["text"], article["published"]) == ("urn:x:1", TEXT, PUBLISHED)


def test_page(read, tmp_path):
    (tmp_path / "a.html").write_text(PAGE)
    [article], inputs = read(tmp_path)
    assert not inputs.problems
    assert article["text"] == TEXT
    told = ("id", "title", "outlet", "url", "published", "language", "copyright", "derived_from")
    assert [article[name] for name in told] == [
        "a.html", "Last library to close", "Town Post", "https://townpost.co.uk/1", PUBLISHED, "en",
        "The Agency", "https://www.agency.com/libraries",
    ]  # fmt: skip


def warc(*pages: tuple[str, str], status: str = "200 OK", kind: str = "text/html") -> bytes:
    """A WARC of answers, each record compressed by itself."""
    out = bytearray()
    for number, (url, page) in enumerate(pages):
        http = f"HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\n\r\n{page}".encode()
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\n"
            f"WARC-Date: 2024-05-02T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:0000000{number}>\r\n"
            "Content-Type: application/http; msgtype=response\r\n"
            f"Content-Length: {len(http)}\r\n\r\n"
        )
        out += gzip.compress(head.encode() + http + b"\r\n\r\n")
    return bytes(out)


def test_warc(read, tmp_path):
    pages = [(f"https://townpost.co.uk/{number}", PAGE) for number in range(12)]  # enough for processes
    (tmp_path / "a.warc.gz").write_bytes(warc(*pages))
    articles, inputs = read(tmp_path, threads=2)
    assert not inputs.problems
    assert [article["id"] for article in articles] == [f"<urn:uuid:0000000{n}>" for n in range(12)]
    assert [article["line"] for article in articles] == list(range(1, 13))
    assert {article["url"] for article in articles} == {url for url, _ in pages}
    assert {article["text"] for article in articles} == {TEXT}


def test_warc_holds_pages_only(read, tmp_path):
    own = [("https://townpost.co.uk/1", PAGE)]
    whole = warc(*own, status="404 Not Found") + warc(*own, kind="image/png")
    (tmp_path / "a.warc.gz").write_bytes(whole)
    assert read(tmp_path)[0] == []


def test_damaged_warc_keeps_what_stands_before(read, tmp_path):
    whole = warc(*[(f"https://townpost.co.uk/{number}", PAGE) for number in range(3)])
    (tmp_path / "a.warc.gz").write_bytes(whole[: -len(whole) // 6])
    articles, inputs = read(tmp_path)
    assert len(articles) == 2
    assert [problem.kind for problem in inputs.problems] == ["failed"]


@pytest.mark.parametrize(("name", "between"), [("a.csv", ","), ("b.csv", ";"), ("c.tsv", "\t")])
def test_delimited(read, tmp_path, name, between):
    rows = [["id", "text", "outlet"], ["1", f'"{BODY}\n{MORE}"', ""], ["2", BODY, "Town Post"]]
    (tmp_path / name).write_text("\n".join(between.join(row) for row in rows) + "\n")
    articles, inputs = read(tmp_path)
    assert not inputs.problems
    own = [(one["id"], one["text"], one["outlet"], one["line"]) for one in articles]
    assert own == [("1", f"{BODY}\n{MORE}", None, 1), ("2", BODY, "Town Post", 2)]


@pytest.mark.parametrize("count", [1, 20_000])
def test_broken_rows_are_set_aside_with_their_numbers(read, tmp_path, count):
    """Those of another width, and those that are no UTF-8; the other rows keep their places."""
    rows = [f"{n},{BODY} {n}".encode() for n in range(1, 6 * count + 1)]
    for n in range(count):
        rows[6 * n + 1] += b",more"
        rows[6 * n + 3] += b" caf\xe9"
        rows[6 * n + 4] = b"alone"
    (tmp_path / "a.csv").write_bytes(b"id,text\n" + b"\n".join(rows) + b"\n")
    articles, inputs = read(tmp_path)
    sound = [6 * n + at for n in range(count) for at in (1, 3, 6)]
    assert [(int(article["id"]), article["line"]) for article in articles] == [(n, n) for n in sound]
    assert inputs.counts == {"failed": 3 * count}
    said = {
        2: "the row has 3 values under 2 names; it is set aside",
        4: "the row is not valid UTF-8; it is set aside",
        5: "the row has 1 values under 2 names; it is set aside",
    }
    told = [(problem.line, problem.message) for problem in inputs.problems]
    assert len(told) == min(3 * count, LISTED)
    assert all(said[row % 6] == message for row, message in told)
    if count == 1:
        assert sorted(told) == list(said.items())


@pytest.mark.parametrize("content", ["", "id,text\n", "text\nonly\n"])
def test_csv_without_articles_says_so(read, tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    articles, inputs = read(tmp_path)
    assert not articles
    assert str(tmp_path / "a.csv") in [problem.path for problem in inputs.problems]


@pytest.mark.parametrize(
    "content",
    [
        '[{"id": "1", "text": "one"}, {"id": "2", "text": "two"}]',
        '{"id": "1", "text": "one"}\n{"id": "2", "text": "two"}',
        '{\n "id": "1",\n "text": "one"\n}\n{\n "id": "2", "text": "two"}',
        ' [ ]\n[{"id":"1","text":"one"}][{"id":"2","text":"two"}]',
    ],
)
def test_json(read, tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    articles, inputs = read(tmp_path)
    assert not inputs.problems
    assert [(one["id"], one["text"], one["line"]) for one in articles] == [("1", "one", 1), ("2", "two", 2)]


@pytest.mark.parametrize("rest", ["", ", 7", ', {"id": "2", "te', " x]", ', {"id": "2"}]', "]]"])
def test_broken_json_keeps_what_stands_before(read, tmp_path, rest):
    (tmp_path / "a.json").write_text('[{"id": "1", "text": "one"}' + rest)
    articles, inputs = read(tmp_path)
    assert [one["id"] for one in articles] == ["1"]
    assert inputs.failed


def test_a_long_list_is_read_bit_by_bit(read, tmp_path):
    rows = [{"id": str(number), "text": "word " * (number % 1000)} for number in range(1, 3000)]
    (tmp_path / "a.json").write_text(json.dumps([row for row in rows if row["text"]]))
    articles, inputs = read(tmp_path)
    assert not inputs.problems
    assert [(one["id"], one["text"]) for one in articles] == [
        (row["id"], row["text"]) for row in rows if row["text"]
    ]


def table() -> pa.Table:
    return pa.table({"id": ["1", "2"], "text": ["one", "two"]})


@pytest.mark.parametrize("name", ["a.arrow", "a.arrows", "a.parquet", "a.feather.gz", "a.parquet.xz"])
def test_columns(read, tmp_path, name):
    sink = io.BytesIO()
    if "parquet" in name:
        pq.write_table(table(), sink)
    else:
        make = pa.ipc.new_stream if name == "a.arrows" else pa.ipc.new_file
        with make(sink, table().schema) as writer:
            writer.write_table(table())
    pack = {"gz": gzip.compress, "xz": lzma.compress}.get(name.rpartition(".")[2], bytes)
    (tmp_path / name).write_bytes(pack(sink.getvalue()))
    articles, inputs = read(tmp_path)
    assert not inputs.problems
    assert [(one["id"], one["text"], one["line"]) for one in articles] == [("1", "one", 1), ("2", "two", 2)]


@pytest.mark.parametrize(("ending", "pack"), [("bz2", bz2.compress), ("xz", lzma.compress)])
def test_compressed_in_two_streams_with_padding(read, tmp_path, ending, pack):
    data = pack(b'{"id": "1", "text": "one"}\n') + pack(b'{"id": "2", "text": "two"}\n') + b"\0" * 8
    (tmp_path / f"a.jsonl.{ending}").write_bytes(data)
    articles, inputs = read(tmp_path)
    assert not inputs.problems
    assert [one["id"] for one in articles] == ["1", "2"]


def packed(kind: str, members: dict[str, bytes]) -> bytes:
    """An archive."""
    sink = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return sink.getvalue()
    with tarfile.open(fileobj=sink, mode="w:gz" if kind == "tar.gz" else "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archive(read, tmp_path, kind):
    sink = io.BytesIO()
    pq.write_table(table(), sink)
    members = {
        "a/one.txt": BODY.encode(),
        "a/page.html": PAGE.encode(),
        "b.jsonl.gz": gzip.compress(b'{"id":"x","text":"y"}'),
        "c.parquet": sink.getvalue(),
        "inner.zip": packed("zip", {"two.txt": MORE.encode()}),
        "d.bin": b"\0\1",
        ".hidden": b"x", "__MACOSX/e.txt": b"x",
    }  # fmt: skip
    (tmp_path / f"news.{kind}").write_bytes(packed(kind, members))
    articles, inputs = read(tmp_path)
    assert [one["id"] for one in articles] == [
        f"news.{kind}/a/one.txt", f"news.{kind}/a/page.html", "x", "1", "2", f"news.{kind}/inner.zip/two.txt"
    ]  # fmt: skip
    assert [problem.path for problem in inputs.problems] == [f"{tmp_path}/news.{kind}/d.bin"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "C:/out.txt"])
def test_names_that_lead_out_of_an_archive_are_refused(read, tmp_path, kind, name):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / f"a.{kind}").write_bytes(packed(kind, {name: b"text", "good.txt": b"text"}))
    articles, inputs = read(folder)
    assert [one["id"] for one in articles] == [f"a.{kind}/good.txt"]
    assert "leads out of the archive" in inputs.problems[0].message
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_links_in_a_tar_are_not_followed(read, tmp_path):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        info = tarfile.TarInfo("passwd.txt")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    (tmp_path / "a.tar").write_bytes(sink.getvalue())
    articles, inputs = read(tmp_path)
    assert not articles
    assert "link" in next(problem.message for problem in inputs.problems if problem.kind == "skipped")


def test_bombs_are_set_aside(read, tmp_path):
    zeros = b'{"id": "1", "text": "' + b" " * 60_000_000
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(zeros))
    (tmp_path / "b.jsonl.bz2").write_bytes(bz2.compress(zeros))
    (tmp_path / "c.zip").write_bytes(packed("zip", {"a.txt": zeros, "b.txt": b"good"}))
    (tmp_path / "d.jsonl").write_text('{"id": "last", "text": "good"}')
    articles, inputs = read(tmp_path)
    assert [one["text"] for one in articles] == ["good", "good"]
    assert all("raise --max-ratio" in problem.message for problem in inputs.problems)
    assert len(inputs.problems) == 3
    assert any(
        "raise --max-expanded" in problem.message
        for problem in read(tmp_path, max_expanded=10**6)[1].problems
    )


def test_archives_in_archives_end(read, tmp_path):
    data = packed("zip", {"a.txt": b"text"})
    for _ in range(6):
        data = packed("zip", {"inner.zip": data})
    (tmp_path / "a.zip").write_bytes(data)
    articles, inputs = read(tmp_path)
    assert not articles
    assert any("deep; unpack it" in problem.message for problem in inputs.problems)


@pytest.mark.parametrize("cut", [5, 50, -30, -4])
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_cut_short_are_problems(read, tmp_path, kind, cut):
    whole = packed(kind, {"a.txt": BODY.encode() * 50, "b.txt": MORE.encode() * 50})
    (tmp_path / f"a.{kind}").write_bytes(whole[:cut])
    _, inputs = read(tmp_path)
    if kind != "tar" or cut not in (-30, -4):  # a tar ends in zeros that are not missed
        assert inputs.failed


ENTITIES = {
    "bomb": '<!DOCTYPE nitf [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    "file": '<!DOCTYPE nitf [<!ENTITY b SYSTEM "file:///etc/hostname">]>',
    "hidden": '<!DOCTYPE nitf [<!-- <nitf> --><!ENTITY b "x">]>',
    "behind a comment": '<!-- <!DOCTYPE nitf> --><!DOCTYPE nitf [<!ENTITY b "x">]>',
    "net": '<!DOCTYPE nitf [<!ENTITY % b SYSTEM "http://127.0.0.1:9/x"> %b;]>',
}


@pytest.mark.parametrize("document", [NITF, NEWSML, RSS], ids=["nitf", "newsml", "rss"])
@pytest.mark.parametrize("declared", ENTITIES.values(), ids=ENTITIES)
def test_entities_are_refused(read, tmp_path, document, declared):
    body = document.partition('nitf-3-4.dtd">')[2] or document
    body = body.replace('<?xml version="1.0"?>', "").replace(MORE, "&b;")
    (tmp_path / "a.xml").write_text(f'<?xml version="1.0"?>{declared}{body}')
    articles, inputs = read(tmp_path)
    assert not articles
    assert "entities" in inputs.problems[0].message


@pytest.mark.parametrize(
    "page", ["", "<html>", "<html><body>" + "<div>" * 100_000, "<" * 100_000, "\0" * 1000]
)
def test_pages_without_articles_are_told(read, tmp_path, page):
    (tmp_path / "a.html").write_text(page)
    (tmp_path / "b.html").write_text(PAGE)
    articles, inputs = read(tmp_path)
    assert [one["id"] for one in articles] == ["b.html"]
    assert [problem.path for problem in inputs.problems] == [str(tmp_path / "a.html")]


def test_a_page_that_is_too_long_is_told(read, tmp_path):
    (tmp_path / "a.html").write_bytes(b"<html><body><p>" + b"word " * 20_000_000)
    articles, inputs = read(tmp_path)
    assert not articles
    assert inputs.failed == 1


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16", "windows-1251"])
def test_pages_in_other_encodings(read, tmp_path, encoding):
    words = (
        "Жители протестовали неделями, и " * 9 if encoding == "windows-1251" else "Bürger übten Kritik. " * 9
    )
    page = PAGE.replace(MORE, words).replace("<head>", f'<head><meta charset="{encoding}">')
    (tmp_path / "a.html").write_bytes(page.encode(encoding))
    [article], _ = read(tmp_path)
    assert words.split(maxsplit=1)[0] in article["text"]


def test_wrongly_declared_encoding(read, tmp_path):
    page = PAGE.replace(MORE, "Bürger übten Kritik. " * 9).replace("<head>", '<head><meta charset="latin-1">')
    (tmp_path / "a.html").write_bytes(page.encode())
    [article], _ = read(tmp_path)
    assert "Bürger" in article["text"]


@pytest.mark.parametrize("name", ["page", "crawl.bin", "x.php"])
def test_content_tells_what_names_do_not(read, tmp_path, name):
    (tmp_path / name).write_text(PAGE)
    articles, _ = read(tmp_path)
    assert len(articles) == 1


def test_input_format_outdoes_names(tmp_path):
    import dedup.io
    from dedup.report.model import Inputs
    from dedup.settings import Settings

    (tmp_path / "a.txt").write_text('{"id": "1", "text": "one"}\n')
    table = dedup.io.read(tmp_path, inputs=Inputs(), settings=Settings(), input_format="jsonl")
    assert table["id"].to_pylist() == ["1"]
    with pytest.raises(dedup.InputError, match="no format"):
        dedup.io.read(tmp_path, inputs=Inputs(), settings=Settings(), input_format="docx")


def test_pattern_of_paths(read, tmp_path):
    for name in ("a.txt", "b.txt", "c.jsonl"):
        (tmp_path / name).write_text('{"id": "1", "text": "one"}')
    articles, _ = read(str(tmp_path / "*.txt"))
    assert len(articles) == 2


@pytest.mark.parametrize("address", ["https://example.org/a.html", "ftp://example.org/a", "gopher://x/y"])
def test_pages_are_not_fetched(read, address):
    import dedup

    with pytest.raises(dedup.InputError):
        read(address)


@pytest.mark.parametrize("lines", [1, 20])
def test_outlet_is_the_site_of_the_address(read, tmp_path, lines):
    own = {"url": "https://news.town-post.co.uk:443/a?b"}
    rows = [{"id": str(number), "text": "one", **own} for number in range(lines)]
    rows += [
        {"id": "x", "text": "one", "outlet": "Post", **own},
        {"id": "y", "text": "one", "url": "no address"},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)) + ("\n\n" if lines == 1 else ""))
    articles, inputs = read(tmp_path)
    assert not inputs.problems
    assert [one["outlet"] for one in articles] == ["town-post.co.uk"] * lines + ["Post", None]


def test_days_to_come_are_told_beside_fractions_of_seconds(read, tmp_path):
    times = ("2999-01-01T00:00:00Z", "2024-05-01T12:00:00.5Z")
    rows = [json.dumps({"id": time, "text": "one", "published": time}) for time in times]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    articles, inputs = read(tmp_path)
    assert [article["published"].microsecond for article in articles] == [0, 500_000]
    assert [
        "published 2999-01-01 00:00:00+00:00, in the future" in one.message for one in inputs.problems
    ] == [True]


@pytest.mark.parametrize("seconds", [1_714_566_600_000, -(10**12)])
def test_columns_of_years_that_python_cannot_show_are_told(read, tmp_path, seconds):
    times = pa.array([seconds, 1_714_566_600], pa.timestamp("s", "UTC"))
    pq.write_table(
        pa.table({"id": ["1", "2"], "text": ["one", "two"], "published": times}), tmp_path / "a.parquet"
    )
    articles, inputs = read(tmp_path)
    assert [article["published"] is None for article in articles] == [True, False]
    assert [(one.kind, one.line) for one in inputs.problems] == [("warning", 1)]


@pytest.mark.parametrize(
    ("written", "hour"),
    [
        ("Wed, 01 May 2024 12:30:00 +0200", 10),
        ("Wed, 01 May 2024 12:30:00 CEST", 12),
        ("2024-05-01T12:30", 12),
    ],
)
def test_times_of_feeds(read, tmp_path, written, hour):
    """Those of a zone that is not known are taken as UTC, and that is told."""
    (tmp_path / "a.rss").write_text(RSS.replace("Wed, 01 May 2024 10:30:00 GMT", written))
    [article], inputs = read(tmp_path)
    assert article["published"] == datetime(2024, 5, 1, hour, 30, tzinfo=UTC)
    assert [("UTC" in one.message) for one in inputs.problems] == [True] * (hour == 12)


def test_a_time_that_no_calendar_has_is_told(read, tmp_path):
    feed = ATOM.replace("2024-05-01T10:30:00Z", "9999-12-31T23:59:59-12:00")
    (tmp_path / "a.atom").write_text(feed)
    [article], inputs = read(tmp_path)
    assert article["published"] is None
    assert [one.kind for one in inputs.problems] == ["warning"]


@pytest.mark.parametrize("where", ["RSS", "NINJS"])
def test_text_goes_on_behind_a_comment(read, tmp_path, where):
    said = f"{BODY[:20]}<!--more-->{BODY[20:]}"
    if where == "RSS":
        (tmp_path / "a.rss").write_text(RSS.replace(BODY, said))
    else:
        (tmp_path / "a.json").write_text(
            json.dumps({**NINJS, "body_xhtml": f"<!-- ad --><p>{said}</p><p>{MORE}</p>"})
        )
    [article], _ = read(tmp_path)
    assert article["text"] == TEXT


def test_many_declarations_take_no_longer_than_they_should(read, tmp_path):
    (tmp_path / "a.rss").write_text("<rss " + "<!DOCTYPE" * 500_000)
    begun = time.monotonic()
    articles, inputs = read(tmp_path)
    assert not articles
    assert [one.kind for one in inputs.problems if one.path.endswith("a.rss")] == ["failed"]
    assert time.monotonic() - begun < 20


def tar_of(members, cut=None):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data, headers in members:
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(data), headers
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()[:cut]


LONG = f"{BODY} " * 40


@pytest.mark.parametrize(
    ("second", "cut", "kept", "failed"),
    [
        (("b.txt", LONG.encode(), {}), 3000, ["a.txt"], 2),  # the member, and the archive
        ((".", b"b", {}), None, ["a.txt", "c.txt"], 1),
        (("b.txt", b"b", {"GNU.sparse.size": "x"}), None, ["a.txt"], 1),
        (
            ("b.txt", b"b", {"GNU.sparse.map": "0,1", "GNU.sparse.size": f"{2**60}"}),
            None,
            ["a.txt", "c.txt"],
            1,
        ),
    ],
    ids=["cut", "no name", "no number", "holes"],
)
def test_members_that_break_an_archive(read, tmp_path, second, cut, kept, failed):
    first, third = ((name, TEXT.encode(), {}) for name in ("a.txt", "c.txt"))
    (tmp_path / "x.tar").write_bytes(tar_of([first, second, third], cut))
    articles, inputs = read(tmp_path)
    assert [article["id"].removeprefix("x.tar/") for article in articles] == kept
    assert inputs.counts["failed"] == failed


@pytest.mark.parametrize("broken", ["name", "lzma"])
def test_members_that_break_a_zip(read, tmp_path, broken):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", TEXT)
        if broken == "name":
            for name in ("", "."):
                archive.writestr(zipfile.ZipInfo(name), "text")
        else:
            archive.writestr("b.txt", LONG, zipfile.ZIP_LZMA)
        archive.writestr("c.txt", TEXT)
    if broken == "lzma":
        data = bytearray(path.read_bytes())
        data[data.index(b"b.txt") + 30] ^= 0xFF
        path.write_bytes(data)
    articles, inputs = read(tmp_path)
    assert [article["id"].removeprefix("x.zip/") for article in articles] == ["a.txt", "c.txt"]
    assert inputs.counts["failed"] == 1


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_days_to_come_are_told(read, tmp_path, name):
    (tmp_path / name).write_text('{"id": "1", "text": "one", "published": "2999-01-01T00:00:00Z"}')
    [article], inputs = read(tmp_path)
    assert article["published"].year == 2999
    assert [(one.kind, one.line) for one in inputs.problems] == [("warning", 1)]
    assert "in the future" in inputs.problems[0].message


def test_other_xml_is_told(read, tmp_path):
    for name in ("a.xml", "b.xml.gz"):
        data = b"<?xml version='1.0'?><catalogue><book/></catalogue>"
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    _, inputs = read([tmp_path / "a.xml", tmp_path / "b.xml.gz"])
    assert ["neither a page" in problem.message for problem in inputs.problems] == [True, True]


def test_a_row_that_is_too_long_names_the_remedy(read, tmp_path):
    (tmp_path / "a.csv").write_text("id,text\n1," + "x" * 20_000_000 + "\n")
    assert "JSON Lines or Parquet" in read(tmp_path)[1].problems[0].message


@pytest.mark.parametrize("name", ["table", "table.bin", "table.parquet"])
def test_compressed_whatever_its_name(read, tmp_path, name):
    sink = io.BytesIO()
    pq.write_table(table(), sink)
    (tmp_path / name).write_bytes(
        gzip.compress(sink.getvalue()) if name != "table.parquet" else sink.getvalue()
    )
    articles, inputs = read(tmp_path / name)
    assert not inputs.problems
    assert [one["id"] for one in articles] == ["1", "2"]


def test_many_elements_in_one_paragraph_take_no_longer_than_they_should(read, tmp_path):
    inner = "<b>word</b> " * 200_000
    (tmp_path / "a.nitf").write_text(f"<nitf><body><body.content><p>{inner}</p></body.content></body></nitf>")
    [article], _ = read(tmp_path)
    assert article["text"] == " ".join(["word"] * 200_000)


def test_markup_within_text(read, tmp_path):
    body = "<div>One &amp; two<script>no()</script></div><ul><li>three</li><li>four <i>five</i></li></ul>"
    (tmp_path / "a.ninjs").write_text(json.dumps({"uri": "x", "body_html": body}))
    [article], _ = read(tmp_path)
    assert article["text"] == "One & two\n\nthree\n\nfour five"
