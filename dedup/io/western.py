"""Tell Western European text in Windows-1252 (or Latin-1) from text in any other 8-bit encoding.

Every 8-bit encoding decodes as Windows-1252 without an error: Czech, Turkish or Mac text comes out as
words with the wrong letters. So the decoded text must also look written: few accented letters, all of
one language's alphabet, none of them capital inside a word, no symbols inside words.
"""

from __future__ import annotations

import re

# Accented letters by language, lower case. One of these must cover nearly all of a text's; together
# they would also cover Czech and Turkish misread, so they are never joined.
ALPHABETS = (
    "àâæçéèêëîïôœùûüÿ",  # French
    "äöüßéèà",  # German
    "áéíñóúüªº",  # Spanish
    "áâãàçéêíóôõúüªº",  # Portuguese
    "àèéìíîòóùúªº",  # Italian
    "àçèéíïòóúü",  # Catalan
    "ëïéèöüó",  # Dutch; with all it may borrow it would cover Lithuanian misread
    "æøåéèêóòôäöü",  # Danish, Norwegian
    "åäöéàüšž",  # Swedish, Finnish
    "äöõüšž",  # Estonian
    "áðéíóúýþæöø",  # Icelandic, Faroese
)
COVERED = 0.95  # of the accented letters; the rest may be foreign names
MOST = 0.2  # share of characters beyond ASCII; Cyrillic, Greek or Chinese have several times that

_LETTER = "A-Za-zÀ-ÖØ-öø-ÿŒœŠšŽžŸƒ"
_ACCENTED = re.compile("[À-ÖØ-öø-ÿŒœŠšŽžŸƒªº]")
# Signs that may stand between two letters: apostrophes, dashes, the ellipsis, the Catalan middle dot,
# the soft hyphen and the no-break space.
_SYMBOL_IN_WORD = re.compile(rf"(?<=[{_LETTER}])[^\x00-\x7f{_LETTER}‘’–—…·\xad\xa0]+(?=[{_LETTER}])")
# Signs that Latin-2 letters turn into, where no sign stands: Slovene "že" comes out as "¾e".
_SYMBOL_AT_WORD = re.compile(rf"(?<=[{_LETTER}])[¹¼¾¸´¨¤¬¦¯¶¡¿]|[¹²³¼½¾¸´¨¤¬¦¯¶](?=[{_LETTER}])")
_CAPITAL_IN_WORD = re.compile("(?<=[a-zß-öø-ÿœšž])[À-ÖØ-ÞŒŠŽŸ]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")
_UTF8 = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


def western(data: bytes) -> str | None:
    """Decode `data` as Windows-1252 if it is certain enough to be that; otherwise None.

    Data with a single UTF-8 sequence is taken for damaged UTF-8, which this would mangle.
    """
    if _UTF8.search(data):
        return None
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return None
    beyond = len(data) - len(data.decode("ascii", "ignore"))
    if beyond > MOST * len(data):
        return None
    if any(
        pattern.search(text) for pattern in (_CONTROL, _SYMBOL_IN_WORD, _SYMBOL_AT_WORD, _CAPITAL_IN_WORD)
    ):
        return None
    accented = "".join(_ACCENTED.findall(text)).lower()
    if not accented:
        return text
    best = max(sum(map(accented.count, alphabet)) for alphabet in ALPHABETS)
    return text if best >= COVERED * len(accented) else None
