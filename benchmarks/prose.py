"""News-like prose of any amount, as arrays of piece numbers: words, sentences, paragraphs, text.

Words are short where they are frequent (Zipf's law of abbreviation) and drawn by Mandelbrot's law. A phrase
is not stored: its words are hashes of its number, and the numbers are drawn by a second Mandelbrot law, so
that runs of words repeat as in news however long the text. Text is never built word by word: Arrow takes
the strings of all pieces at once, and their bytes, side by side, are the articles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Pieces = NDArray[np.int32]  # numbers of strings of a `Language`
Ends = NDArray[np.int8]  # what stands behind each word: numbers of `_ENDS`
Bounds = NDArray[np.int64]

_HEAD = (
    "the of to in a and said on for it at by from is was with that as be its will he has have not are an"
    " would which but were up this had or they were been their who more after his about over also than"
)
_VOCABULARY = 100_000
_SEED = 1935  # of the vocabulary; that of a corpus is another
_RANK_SHIFT, _RANK_POWER = 2.7, 1.05  # Mandelbrot 1953, of single words
_PHRASE_SHARE = 0.036  # of the pieces of a text; this and the next line fit reuters21578 (`corpus --plot`)
_PHRASE_SHIFT, _PHRASE_POWER, _PHRASES = 1.0, 0.8, 1e6
_CAST, _CAST_SHARE, _FIGURE_SHARE = (
    8,
    0.05,
    0.035,
)  # names of a story; words that are one of them, or a figure
_FIGURE = _CAST  # slots: 0 to 7 stand for a name of the story, 8 for a figure
_SLOTS = _CAST + 1
_FIGURES = 10_000
_UNITS = ("km", "tonnes", "dollars", "miles", "short tons", "euros")  # the last three translate the first
_FACTORS = np.array([0.62, 1.1, 0.92])
_DRAWS = 1 << 22  # chances of words are multiples of one in this

_ENDS = (" ", ", ", ". ", ".\n\n", '. "', '," ', "\n", "", "\n\n", ". “", ",” ", ".")
SPACE, COMMA, STOP, BREAK, OPEN, CLOSE, LINE, NONE, SKIP, _CURLY_OPEN, _CURLY_CLOSE, _FULL = range(12)
_BEGINS = np.isin(np.arange(12), [STOP, BREAK, OPEN, LINE, NONE, SKIP, _CURLY_OPEN])  # a capital follows
_FINAL = np.array([_FULL] * 6 + [NONE] * 3 + [_FULL] * 3, np.int8)  # the same at the end of a text
_CURLY = np.array([0, 1, 2, 3, _CURLY_OPEN, _CURLY_CLOSE, *range(6, 12)], np.int8)


class Matter(NamedTuple):
    """Paragraphs: `words` and `ends`, one each a word; paragraph `i` is `bounds[i]:bounds[i + 1]`."""

    words: Pieces
    ends: Ends
    bounds: Bounds

    def chosen(self, paragraphs: NDArray[np.int64]) -> Matter:
        """Some of the paragraphs, in the order given."""
        starts = self.bounds[paragraphs]
        sizes = self.bounds[paragraphs + 1] - starts
        at = _spread(starts, sizes)
        return Matter(self.words[at], self.ends[at], _bounds(sizes))


@dataclass
class Language:
    """Strings by number: slots, words, the same capitalised, figures, units, ends, and what is added."""

    strings: pa.Array
    draws: Pieces  # a uniform choice among them is a word by its chance
    names: Pieces
    spelled: Pieces  # a word in the other spelling
    half: int  # word number + half = the word capitalised
    figures: int  # number of the figure 0
    units: int
    ends: int
    said: int

    def stream(self, draw: np.random.Generator, length: int) -> Pieces:
        """`length` words and slots: single words and phrases of 5 to 12."""
        count = int(length / (1 + _PHRASE_SHARE * 7)) + 200
        parts: list[Pieces] = []
        while length > 0:
            keys = draw.integers(0, 1 << 63, count, np.uint64)
            sizes = np.ones(count, np.int64)
            at = np.flatnonzero(draw.random(count, np.float32) < _PHRASE_SHARE)
            phrases = _phrases(draw, at.size)
            keys[at] = phrases << np.uint64(4)
            sizes[at] = 5 + (_mixed(phrases) & np.uint64(7)).astype(np.int64)
            places = _spread(np.zeros(count, np.int64), sizes).astype(np.uint64)
            slots = _mixed(np.repeat(keys, sizes) + places) & np.uint64(_DRAWS - 1)
            parts.append(self.draws[slots.astype(np.int64)][:length])
            length -= parts[-1].size
        return np.concatenate(parts)

    def paragraphs(self, draw: np.random.Generator, stories: NDArray[np.int64]) -> Matter:
        """One paragraph of 1 to 3 sentences of 8 to 30 words for each of `stories`, which share names."""
        sentences = draw.integers(1, 4, stories.size)
        lengths = draw.integers(8, 31, int(sentences.sum()))
        lasts = np.cumsum(lengths) - 1
        closing = np.cumsum(sentences) - 1
        words = self.stream(draw, int(lengths.sum()))
        ends = np.zeros(words.size, np.int8)
        ends[draw.integers(0, words.size, words.size // 25)] = COMMA
        ends[lasts] = STOP
        ends[lasts[closing]] = BREAK
        bounds = np.concatenate([[0], lasts[closing] + 1])
        inner = np.ones(lengths.size, np.bool_)
        inner[closing - sentences + 1] = False
        spoken = np.flatnonzero(inner & (lengths > 11) & (draw.random(lengths.size) < 0.2))
        ends[lasts[spoken - 1]] = OPEN
        ends[lasts[spoken] - 3] = CLOSE
        speaker = draw.integers(0, _CAST, spoken.size)
        for back, word in ((2, self.said), (1, speaker), (0, (speaker + 1) % _CAST)):
            words[lasts[spoken] - back] = word
        ends[lasts[spoken] - 2] = ends[lasts[spoken] - 1] = SPACE
        at = np.flatnonzero(words < _CAST)
        told = stories[np.searchsorted(bounds, at, "right") - 1]
        cast = self.cast(draw, (int(stories.max(initial=0)) + 1, _CAST))
        words[at] = cast[told, words[at]]
        self.count(draw, words, ends)
        return Matter(words, ends, bounds)

    def cast(self, draw: np.random.Generator, shape: Any) -> Pieces:
        """Names, a few of them in many stories."""
        chosen: Pieces = self.names[(self.names.size * draw.random(shape) ** 2.5).astype(np.int64)]
        return chosen

    def count(self, draw: np.random.Generator, words: Pieces, ends: Ends) -> None:
        """Put figures (1 to 9,999, by Benford's law) into their slots, some with units."""
        at = np.flatnonzero(words == _FIGURE)
        words[at] = self.figures + (10 ** (4 * draw.random(at.size))).astype(np.int32)
        at = at[(draw.random(at.size) < 0.3) & (ends[at] == SPACE)]
        words[at + 1] = self.units + draw.integers(0, 3, at.size)

    def form(self, draw: np.random.Generator, lines: int) -> tuple[Pieces, Ends]:
        """A table whose lines are a few words and two figures, which stay slots."""
        sizes = draw.integers(6, 12, lines)
        words = self.stream(draw, int(sizes.sum()))
        ends = np.zeros(words.size, np.int8)
        lasts = np.cumsum(sizes) - 1
        words[lasts], words[lasts - 2] = _FIGURE, _FIGURE
        ends[lasts], ends[lasts - 2] = LINE, COMMA
        ends[-1] = SKIP
        return words, ends

    def fill(self, draw: np.random.Generator, matter: Matter) -> None:
        """Fill the slots that are left (of forms)."""
        at = np.flatnonzero(matter.words < _CAST)
        matter.words[at] = self.cast(draw, at.size)
        self.count(draw, matter.words, matter.ends)

    def edited(self, draw: np.random.Generator, matter: Matter, shares: NDArray[np.float32]) -> Matter:
        """Change `shares` of the words of each paragraph: six tenths others, two gone, two new."""
        chance = draw.random(matter.words.size, np.float32)
        limits = np.repeat(shares, np.diff(matter.bounds))
        at = np.flatnonzero((chance < limits) & (matter.ends == SPACE))
        part = chance[at] / limits[at]
        words, times = matter.words.copy(), np.ones(matter.words.size, np.int64)
        times[at[(part >= 0.6) & (part < 0.8)]] = 0
        times[at[part >= 0.8]] = 2
        places = np.cumsum(times) - 1
        words, ends = np.repeat(words, times), np.repeat(matter.ends, times)
        new = places[at[(part < 0.6) | (part >= 0.8)]]
        words[new] = self.draws[draw.integers(0, _DRAWS, new.size)]
        bounds = np.concatenate([[0], places + 1])[matter.bounds]
        made = Matter(words, ends, bounds)
        self.fill(draw, made)
        return made

    def translated(self, matter: Matter, chosen: NDArray[np.bool_]) -> None:
        """Give the chosen paragraphs other units, spelling and quotation marks."""
        words, ends, _ = matter
        at = np.flatnonzero(np.repeat(chosen, np.diff(matter.bounds)))
        ends[at] = _CURLY[ends[at]]
        plain = at[words[at] < self.half]
        words[plain] = self.spelled[words[plain]]
        units = at[(words[at] >= self.units) & (words[at] < self.units + 3) & (at > 0)]
        values = words[units - 1] - self.figures
        figures = (values >= 0) & (values < _FIGURES)
        units, values = units[figures], values[figures]
        other = np.rint(values * _FACTORS[words[units] - self.units]).astype(np.int32)
        words[units - 1] = self.figures + np.minimum(other, _FIGURES - 1)
        words[units] += 3

    def texts(self, matter: Matter, bounds: Bounds) -> pa.Array:
        """Texts as Arrow large strings; text `i` is the words `bounds[i]:bounds[i + 1]`, one at least."""
        words, ends, _ = matter
        pieces = np.empty(2 * words.size, np.int32)
        begins = np.empty(words.size, np.bool_)
        begins[1:] = _BEGINS[ends[:-1]]
        begins[bounds[:-1]] = True
        pieces[::2] = words + self.half * (begins & (words < self.half))
        behind = ends.astype(np.int32)
        behind[bounds[1:] - 1] = _FINAL[ends[bounds[1:] - 1]]
        pieces[1::2] = self.ends + behind
        taken = self.strings.take(pa.array(pieces))
        offsets = np.frombuffer(taken.buffers()[1], np.int32)[2 * bounds].astype(np.int64)
        return pa.Array.from_buffers(
            pa.large_string(), bounds.size - 1, [None, pa.py_buffer(offsets), taken.buffers()[2]]
        )


@cache
def language(added: tuple[str, ...] = ()) -> tuple[Language, int]:
    """The language of all corpora; and the number of the first string of `added` (datelines and the like)."""
    draw = np.random.default_rng(_SEED)
    lower, spelled = _words(draw)
    lower = [*[""] * _SLOTS, *lower]
    half = len(lower)
    figures = [f"{figure:,}" for figure in range(_FIGURES)]
    capital = [word[:1].upper() + word[1:] for word in lower]
    strings = [*lower, *capital, *figures, *_UNITS, *_ENDS, *added]
    ranks = np.arange(_VOCABULARY) + 1.0
    chances = (ranks + _RANK_SHIFT) ** -_RANK_POWER
    chances *= (1 - _CAST_SHARE - _FIGURE_SHARE) / chances.sum()
    chances = np.concatenate([np.full(_CAST, _CAST_SHARE / _CAST), [_FIGURE_SHARE], chances])
    edges = np.rint(np.concatenate([[0], np.cumsum(chances)]) * _DRAWS).astype(np.int64)
    first = 2 * half + _FIGURES + len(_UNITS) + len(_ENDS)
    made = Language(
        strings=pa.array(strings),
        draws=np.repeat(np.arange(chances.size, dtype=np.int32), np.diff(edges)),
        names=np.array([n for n in range(_SLOTS, half) if lower[n][0].isupper()], np.int32),
        spelled=np.concatenate([np.arange(_SLOTS, dtype=np.int32), spelled + _SLOTS]).astype(np.int32),
        half=half,
        figures=2 * half,
        units=2 * half + _FIGURES,
        ends=2 * half + _FIGURES + len(_UNITS),
        said=lower.index("said"),
    )
    return made, first


def _words(draw: np.random.Generator) -> tuple[list[str], Pieces]:
    """Words by falling frequency, then other spellings of some; and the other spelling of each."""
    syllables = [
        a + b + c for a in "bcdfghklmnprstvw" for b in "aeiou" for c in ("", "n", "r", "s", "t", "l")
    ]
    chosen = draw.integers(0, len(syllables), (_VOCABULARY * 2, 4)).tolist()
    counts = draw.choice([1, 2, 3, 4], len(chosen), p=[0.05, 0.45, 0.4, 0.1]).tolist()
    head = list(dict.fromkeys(_HEAD.split()))
    made = dict.fromkeys(head)
    made.update(
        dict.fromkeys(
            "".join([syllables[n] for n in row[:count]]) for row, count in zip(chosen, counts, strict=True)
        )
    )
    rest = list(made)[len(head) : _VOCABULARY]
    order = np.argsort(np.array([len(word) for word in rest]) + 2.5 * draw.standard_normal(len(rest)))
    words = [*head, *(rest[n] for n in order.tolist())]
    for number in range(203, _VOCABULARY, 4):
        words[number] = words[number].capitalize()
    spelled = np.arange(_VOCABULARY, dtype=np.int32)
    others = [n for n, word in enumerate(words) if len(word) > 4 and word.endswith(("or", "er"))]
    spelled[others] = np.arange(_VOCABULARY, _VOCABULARY + len(others))
    words += [words[n][:-2] + {"or": "our", "er": "re"}[words[n][-2:]] for n in others]
    return words, np.concatenate([spelled, spelled[others]])


def _phrases(draw: np.random.Generator, count: int) -> NDArray[np.uint64]:
    """Numbers of phrases; chance of number `n`: (n + shift) ** -power, by the inverse of its integral."""
    power = 1 - _PHRASE_POWER
    low, high = _PHRASE_SHIFT**power, (_PHRASES + _PHRASE_SHIFT) ** power
    draws = (low + (high - low) * draw.random(count)) ** (1 / power)
    numbers: NDArray[np.uint64] = (draws - _PHRASE_SHIFT).astype(np.uint64)
    return numbers


def _mixed(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hashes of the keys (the finaliser of SplitMix64: Steele, Lea and Flood 2014)."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


def _spread(starts: Bounds, sizes: Bounds) -> Bounds:
    """`starts[i], starts[i] + 1, ...`, `sizes[i]` of them, for each i."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if ends.size else 0
    return np.repeat(starts - ends + sizes, sizes) + np.arange(total)


def _bounds(sizes: Bounds) -> Bounds:
    return np.concatenate([[0], np.cumsum(sizes)])
