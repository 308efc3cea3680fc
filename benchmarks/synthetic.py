"""Made-up news with a known truth: who carries whose copy, what was done to it, and what is no copy at all.

Every story is random prose over a vocabulary with Zipf frequencies, with names, figures, units, quotations
and paragraphs. An agency's original is carried by outlets that verify, trim, extend, reorder, merge, edit,
convert or re-head it; outlets add their own boilerplate; forms with other figures stand for earnings,
weather and results.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

AGENCIES = ("Reuters", "AFP", "AP", "dpa")
OUTLETS = tuple(
    f"{place} {name}" for place in ("North", "South", "East", "West") for name in ("Post", "Star", "Echo")
)
_START = datetime(2024, 3, 1, 6, tzinfo=UTC)


@dataclass
class Corpus:
    """Articles as `dedup.scan` takes them, and the truth about them, by article id."""

    articles: list[dict[str, Any]] = field(default_factory=list)
    family: dict[str, str] = field(default_factory=dict)  # of the story that is most of the article
    origin: dict[str, str] = field(default_factory=dict)  # family -> article
    relation: dict[str, str] = field(default_factory=dict)  # of a member to its family's origin
    copied: dict[str, list[tuple[int, int]]] = field(
        default_factory=dict
    )  # paragraphs taken over, characters
    templates: set[str] = field(default_factory=set)
    boilerplate: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # characters


class _Writer:
    """Writes prose; the same seed writes the same."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        syllables = [c + v + e for c in "bcdfghklmnprstvw" for v in "aeiou" for e in ("", "n", "r", "s", "l")]
        self.words = sorted(
            {"".join(self.draw.choices(syllables, k=self.draw.randint(1, 4))) for _ in range(12_000)}
        )
        self.draw.shuffle(self.words)
        self.weights = [1 / (rank + 3) for rank in range(len(self.words))]
        self.names = [word.capitalize() for word in self.words[-2000:]]

    def word(self) -> str:
        return self.draw.choices(self.words, self.weights)[0]

    def sentence(self, names: list[str]) -> str:
        words = self.draw.choices(self.words, self.weights, k=self.draw.randint(9, 26))
        for _ in range(self.draw.randint(0, 2)):
            words[self.draw.randrange(len(words))] = self.draw.choice(names)
        if self.draw.random() < 0.3:
            unit = self.draw.choice(("km", "tonnes", "people", "dollars"))
            words[self.draw.randrange(len(words))] = f"{self.draw.randint(2, 900)} {unit}"
        text = " ".join(words)
        text = text[:1].upper() + text[1:]
        if self.draw.random() < 0.15:
            return f'"{text}," said {self.draw.choice(names)}.'
        return f"{text}."

    def paragraph(self, names: list[str]) -> str:
        return " ".join(self.sentence(names) for _ in range(self.draw.randint(2, 4)))

    def story(self, paragraphs: int) -> list[str]:
        names = self.draw.sample(self.names, 6)
        return [self.paragraph(names) for _ in range(paragraphs)]

    def edited(self, text: str, share: float) -> str:
        """Replace, drop or add words, `share` of them."""
        out = []
        for word in text.split(" "):
            chance = self.draw.random()
            if chance < share * 0.6:
                out.append(self.word())
            elif chance < share * 0.8:
                continue
            elif chance < share:
                out += [word, self.word()]
            else:
                out.append(word)
        return " ".join(out)

    def converted(self, text: str) -> str:
        """Translate figures and units."""
        out = text.split(" ")
        factors = {"km": (0.62, "miles"), "tonnes": (1.1, "short tons"), "dollars": (0.92, "euros")}
        for at in range(1, len(out)):
            unit = out[at].strip('.,"')
            if unit in factors and out[at - 1].isdigit():
                factor, name = factors[unit]
                out[at - 1] = str(round(int(out[at - 1]) * factor))
                out[at] = out[at].replace(unit, name)
        return " ".join(out)


def corpus(families: int = 150, singles: int = 150, seed: int = 7) -> Corpus:
    """Make a corpus; with the defaults about a thousand articles."""
    return _Maker(seed).made(families, singles)


class _Maker:
    def __init__(self, seed: int) -> None:
        self.writer = _Writer(seed)
        self.draw = self.writer.draw
        self.out = Corpus()
        self.boxes = {outlet: self.writer.paragraph(self.writer.names[:9]) for outlet in OUTLETS}
        self.spare: list[list[str]] = []  # stories that round-ups are merged with

    def made(self, families: int, singles: int) -> Corpus:
        for number in range(families):
            self._family(f"f{number:03}", _START + timedelta(hours=3 * number))
        for number in range(singles):
            when = _START + timedelta(hours=2 * number)
            self._add(
                f"own{number:03}",
                self.draw.choice(OUTLETS),
                when,
                self.writer.story(self.draw.randint(4, 10)),
            )
        for form in range(4):
            self._forms(form)
        self.draw.shuffle(self.out.articles)
        return self.out

    def _family(self, name: str, when: datetime) -> None:
        agency = self.draw.choice(AGENCIES)
        story = self.writer.story(self.draw.randint(6, 12))
        place = self.draw.choice(self.writer.names).upper()
        origin = f"{name}-0"
        head = [f"{place} ({agency}) - {story[0]}", *story[1:]]
        self._add(origin, agency, when, head, copied=())
        self.out.family[origin] = name
        self.out.origin[name] = origin
        size = 2 + min(int(self.draw.paretovariate(1.1)), 24)
        outlets = self.draw.choices(OUTLETS, k=size)
        for number, outlet in enumerate(outlets, 1):
            make, relation = self.draw.choice(_WAYS)
            text, taken = make(self.writer, story)
            later = when + timedelta(minutes=self.draw.randint(20, 1400))
            credit = [f"({agency})"] if self.draw.random() < 0.6 else []
            id = f"{name}-{number}"
            self._add(id, outlet, later, [*text, *credit], copied=taken)
            self.out.family[id] = name
            self.out.relation[id] = relation

    def _forms(self, form: int) -> None:
        """Many articles of one form: the same words, other figures and names."""
        frame = [self.writer.draw.choices(self.writer.words, k=5) for _ in range(12)]
        for number in range(40):
            id = f"form{form}-{number:02}"
            lines = [f"{' '.join(words)} {self._figure()} vs {self._figure()}" for words in frame]
            lines.insert(
                0, f"{self.draw.choice(self.writer.names)} {self.draw.choice(self.writer.names)} Corp"
            )
            when = _START + timedelta(hours=5 * number)
            self._add(id, self.draw.choice(AGENCIES), when, ["\n".join(lines)], boxed=False)
            self.out.templates.add(id)

    def _figure(self) -> int:
        return self.draw.randint(10, 9999)

    def _add(
        self,
        id: str,
        outlet: str,
        when: datetime,
        paragraphs: list[str],
        copied: Any = (),
        boxed: bool = True,
    ) -> None:
        """Put an article into the corpus; `copied` are the places of the paragraphs that are copy."""
        text, spans, at = "", [], 0
        for number, paragraph in enumerate(paragraphs):
            text += ("\n\n" if text else "") + paragraph
            at = len(text)
            if number in copied:
                spans.append((at - len(paragraph), at))
        self.out.copied[id] = spans
        if boxed and outlet in self.boxes:
            self.out.boilerplate[id] = [(len(text) + 2, len(text) + 2 + len(self.boxes[outlet]))]
            text += "\n\n" + self.boxes[outlet]
        self.out.articles.append({"id": id, "text": text, "outlet": outlet, "published": when.isoformat()})


Made = tuple[list[str], range]


def _edit(share: float) -> Callable[[_Writer, list[str]], Made]:
    return lambda writer, story: ([writer.edited(p, share) for p in story], range(len(story)))


def _trim(writer: _Writer, story: list[str]) -> Made:
    kept = writer.draw.randint(max(2, len(story) // 4), len(story) // 2)
    return list(story[:kept]), range(kept)


def _extend(writer: _Writer, story: list[str]) -> Made:
    own = writer.story(writer.draw.randint(len(story) // 2 + 1, len(story)))
    return [*story, *own], range(len(story))


def _reorder(writer: _Writer, story: list[str]) -> Made:
    rest = story[1:]
    writer.draw.shuffle(rest)
    return [story[0], *[writer.edited(p, 0.08) for p in rest]], range(len(story))


def _merge(writer: _Writer, story: list[str]) -> Made:
    half = story[: max(3, len(story) // 2)]
    return [*half, *writer.story(len(half) + 2)], range(len(half))


def _convert(writer: _Writer, story: list[str]) -> Made:
    return [writer.converted(writer.edited(p, 0.12)) for p in story], range(len(story))


def _rehead(writer: _Writer, story: list[str]) -> Made:
    return [writer.story(1)[0], *story[1:]], range(1, len(story))


_WAYS: tuple[tuple[Callable[[_Writer, list[str]], Made], str], ...] = (
    (_edit(0.0), "verbatim copy"),
    (_edit(0.02), "verbatim copy"),
    (_edit(0.12), "edited copy"),
    (_edit(0.2), "edited copy"),
    (_reorder, "edited copy"),
    (_convert, "edited copy"),
    (_rehead, "edited copy"),
    (_trim, "excerpt"),
    (_extend, "extended"),
    (_merge, "partial reuse"),
)
