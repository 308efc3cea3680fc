import pytest

from dedup.report.visible import encodable, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zürich, 東京 😀", "Zürich, 東京 😀"),
        ("one\ntwo\tthree\r", "one two three "),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\x9b31m\x7f", "\\x9b31m\\x7f"),
        ("a\u202eb\u2066c\u200ed\ufeff", "a\\u202eb\\u2066c\\u200ed\\ufeff"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\u2028b\u00a0c", "a b c"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("", ""),
    ],
)
def test_visible(text, shown):
    assert visible(text) == shown


def test_every_character_is_safe():
    shown = visible("".join(map(chr, range(0x110000))))
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in shown)
    assert not set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(shown)
    assert not any(0xD800 <= ord(character) < 0xE000 for character in shown)


def test_undecodable_paths_can_be_written():
    assert encodable("caf\udce9.txt") == "caf\\udce9.txt"
