from __future__ import annotations

import codecs
import gzip

import pytest

ENGLISH = "The council voted on Tuesday to close the bridge.\n"
FRENCH = "Le maire a été réélu dès le premier tour, à la surprise générale ; « ça va », dit-il.\n"


def only(inputs, kind, path, *words):
    """The one problem is of this kind, at this path, and says these words."""
    [problem] = inputs.problems
    assert problem.kind == kind
    assert problem.path == str(path)
    assert problem.line is None
    for word in words:
        assert word in problem.message


def among(tmp_path, data, name="b.txt"):
    """Put the file between two good ones."""
    (tmp_path / "a.txt").write_text("first article")
    (tmp_path / "c.txt").write_text("last article")
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


BAD = {
    "empty": (b"", "skipped", ["empty"]),
    "only a mark": (codecs.BOM_UTF8, "skipped", ["empty"]),
    "white space": (b" \n\t\r\n", "skipped", ["only white space"]),
    "image": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "skipped", ["a PNG image"]),
    "program": (b"\x7fELF\x02\x01\x01\x00", "skipped", ["a program"]),
    "document": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "failed", ["PDF", "pdftotext"]),
    "compressed": (gzip.compress(b"text"), "failed", ["gzip", ".gz"]),
    "NUL in text": (b"hello wo\x00rld ", "failed", ["NUL", "character 8"]),
    "NUL in even text": (b"hello\x00 worlds", "failed", ["NUL", "character 5"]),
    "binary": (bytes(range(256)) * 2, "failed", ["NUL"]),
    "damaged UTF-8": (
        "Żółć i dąb".encode()[:-1] + b"\xff",
        "failed",
        ["not valid UTF-8", "byte 14", "iconv"],
    ),
    "half UTF-16": (codecs.BOM_UTF16_LE + "abc".encode("utf-16-le")[:-1], "failed", ["UTF-16", "byte 6"]),
    "surrogate in UTF-16": (codecs.BOM_UTF16_LE + b"\x00\xd8a\x00", "failed", ["UTF-16", "byte 2"]),
    "Russian": ("Мэр переизбран в первом туре".encode("cp1251"), "failed", ["byte 0 (0xcc)", "iconv"]),
    "Czech": ("Příliš žluťoučký kůň úpěl ďábelské ódy".encode("cp1250"), "failed", ["byte 1 (0xf8)"]),
    "Polish": ("Zażółć gęślą jaźń, łódź".encode("cp1250"), "failed", ["byte 2"]),
    "Turkish": (
        "Başbakan dün gece yarısı çağrı yaptı, değişiklik yok".encode("cp1254"),
        "failed",
        ["byte 2"],
    ),
    "Slovene": ("Predsednik napoveduje nove ukrepe, češ da že".encode("iso8859-2"), "failed", ["0xe8"]),
    "Lithuanian": ("Prezidentas trečiadienį skelbė naujas priemones".encode("cp1257"), "failed", ["byte 15"]),
    "Thai UTF-16": ("นายกรัฐมนตรีประกาศ".encode("utf-16-le"), "failed", ["control characters"]),
    "ISO-2022-JP": ("首相は5月に発表した".encode("iso2022-jp"), "failed", ["ISO-2022", "iconv"]),
    "Hungarian": ("Az erdőben sűrű köd ült, a nő őrült".encode("cp1250"), "failed", ["byte 6"]),
    "Mac": (FRENCH.encode("mac-roman"), "failed", ["UTF-8"]),
    "DOS": ("Müller aß süße Äpfel für fünf Euro am Tag".encode("cp850"), "failed", ["UTF-8"]),
    "Chinese": ("市长在第一轮连任".encode("gbk"), "failed", ["UTF-8"]),
    "Japanese": ("市長は第一回投票で再選された".encode("shift-jis"), "failed", ["UTF-8"]),
    "UTF-8 cut into Latin-1": ("déjà vu ".encode() + b"caf\xe9", "failed", ["byte 13 (0xe9)"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_file_is_reported_and_the_others_are_read(read, tmp_path, case):
    data, kind, words = BAD[case]
    path = among(tmp_path, data)
    articles, inputs = read(tmp_path)
    assert [article["id"] for article in articles] == ["a.txt", "c.txt"]
    only(inputs, kind, path, *words)


GOOD = {
    "UTF-8": (ENGLISH.encode(), ENGLISH, None),
    "one word": (b"word", "word", None),
    "UTF-8 with mark": (ENGLISH.encode("utf-8-sig"), ENGLISH, None),
    "a stray control": (b"page one of many\x0cpage two\x1a", "page one of many\x0cpage two\x1a", None),
    "line ends stay": (b"one\r\ntwo\r\n", "one\r\ntwo\r\n", None),
    "UTF-16 LE with mark": (codecs.BOM_UTF16_LE + FRENCH.encode("utf-16-le"), FRENCH, None),
    "UTF-16 BE with mark": (codecs.BOM_UTF16_BE + FRENCH.encode("utf-16-be"), FRENCH, None),
    "UTF-32 LE with mark": (codecs.BOM_UTF32_LE + FRENCH.encode("utf-32-le"), FRENCH, None),
    "UTF-32 BE with mark": (codecs.BOM_UTF32_BE + FRENCH.encode("utf-32-be"), FRENCH, None),
    "UTF-16 LE": (ENGLISH.encode("utf-16-le"), ENGLISH, "UTF-16-LE"),
    "UTF-16 BE": (FRENCH.encode("utf-16-be"), FRENCH, "UTF-16-BE"),
    "UTF-16 ellipsis": ("Wait… what".encode("utf-16-le"), "Wait… what", "UTF-16-LE"),
    "UTF-16 Russian": ("Мэр переизбран, 5 мая".encode("utf-16-le"), "Мэр переизбран, 5 мая", "UTF-16-LE"),
    "UTF-16 Chinese": ("市长在第1轮连任,\n很好".encode("utf-16-be"), "市长在第1轮连任,\n很好", "UTF-16-BE"),
    "Latin-1": (b"caf\xe9 au lait", "café au lait", "Windows-1252"),
    "French": (FRENCH.encode("cp1252"), FRENCH, "Windows-1252"),
    "English quotes": (
        b"\x93It\x92s late\x94 \x96 the mayor said\x85",
        "“It’s late” – the mayor said…",
        "Windows-1252",
    ),
    "German": ("Frau Müller aß süße Äpfel für fünf € am Tag".encode("cp1252"), None, "Windows-1252"),
    "Spanish": ("El niño pidió más café, ¿no? 1º".encode("cp1252"), None, "Windows-1252"),
    "Portuguese": (
        "O ministro disse que a eleição é só em março, não há dúvida".encode("cp1252"),
        None,
        "Windows-1252",
    ),
    "Danish": ("Den lille ø på søen er købt af Århus".encode("cp1252"), None, "Windows-1252"),
    "Icelandic": ("Það er þoka á heiðinni og mjög kalt í dag".encode("cp1252"), None, "Windows-1252"),
}


@pytest.mark.parametrize("case", GOOD)
def test_text_is_read_as_it_was_written(read, tmp_path, case):
    data, text, guessed = GOOD[case]
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    [article], inputs = read(path)
    assert article["text"] == (text or data.decode("cp1252"))
    assert (article["id"], article["path"], article["line"]) == ("a.txt", str(path), None)
    if guessed:
        only(inputs, "warning", path, guessed)
        assert (inputs.warnings, inputs.failed, inputs.skipped) == (1, 0, 0)
    else:
        assert not inputs.problems


def test_text_over_the_limit_fails_with_both_figures_and_the_remedy(read, tmp_path):
    path = among(tmp_path, "é".encode() * 51)
    articles, inputs = read(tmp_path, max_bytes=100)
    assert len(articles) == 2
    only(inputs, "failed", path, "102", "100", "--max-bytes")


def test_text_of_the_limit_is_read(read, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 100)
    assert len(read(path, max_bytes=100)[0]) == 1


def test_file_that_is_far_too_long_is_never_opened(read, tmp_path):
    path = among(tmp_path, b"")
    with path.open("r+b") as file:
        file.truncate(2**40)
    articles, inputs = read(tmp_path, max_bytes=100)
    assert len(articles) == 2
    only(inputs, "failed", path, "1,099,511,627,776", "100", "--max-bytes")


def test_compressed_text_stops_at_the_limit(read, tmp_path):
    path = among(tmp_path, gzip.compress(b"x" * 10_000_000), "b.txt.gz")
    articles, inputs = read(tmp_path, max_bytes=1000)
    assert len(articles) == 2
    only(inputs, "failed", path, "1,000", "--max-bytes")


def test_compressed_text_that_is_cut_short_fails_as_a_whole(read, tmp_path):
    path = among(tmp_path, gzip.compress(ENGLISH.encode() * 99)[:-9], "b.txt.gz")
    articles, inputs = read(tmp_path)
    assert len(articles) == 2
    only(inputs, "failed", path, "gzip", "cut short")


def test_compressed_text_is_read(read, tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(FRENCH.encode()))
    [article], inputs = read(path)
    assert (article["id"], article["text"]) == ("a.txt.gz", FRENCH)
    assert not inputs.problems
