"""Made-up articles: stories of their own, and copies of them by other outlets."""

import random

OUTLETS = ("Reuters", "Daily Echo", "Evening Star", "Morning Post", "Courier")


def story(draw, words=120):
    """Sentences of words nobody else uses."""
    out = []
    for number in range(words):
        word = "".join(draw.choice("bcdfghklmnprstvw") + draw.choice("aeiou") for _ in range(3))
        start = number % 12 == 0
        out.append((word.capitalize() if start else word) + ("." if number % 12 == 11 else ""))
    return out


def edited(draw, words):
    """Some words changed, the end cut off, or a paragraph put before."""
    words = [word if draw.random() > 0.03 else word[::-1] for word in words]
    kind = draw.randrange(3)
    if kind == 1:
        return words[: int(len(words) * 0.8)]
    return [*story(draw, 40), "\n\n", *words] if kind == 2 else words


def stories(count, copies=2, seed=1):
    """`count` articles, families of up to `copies` and one; mappings as a filter takes them."""
    draw = random.Random(seed)
    out = []
    while len(out) < count:
        words = story(draw)
        versions = [words, *(edited(draw, words) for _ in range(draw.randint(0, copies)))]
        for version in versions:
            out.append(" ".join(version))
    draw.shuffle(out)
    return [
        {
            "id": f"{number:04}",
            "text": text,
            "outlet": draw.choice(OUTLETS),
            "published": f"2024-05-{1 + number * 20 // count:02}T12:00:00Z",
        }
        for number, text in enumerate(out[:count])
    ]


def out_of_order(count, seed=1):
    """`count` articles from the same few outlets, with boilerplate, ids again and clocks that jump."""
    draw = random.Random(seed)
    originals = [story(draw, draw.randint(24, 84)) for _ in range(12)]
    boilerplate = [" ".join(story(draw, 15)) for _ in OUTLETS]
    out, hours = [], 0
    for number in range(count):
        hours += draw.randint(0, 6)
        words = draw.choice(originals) if draw.random() < 0.6 else story(draw, draw.randint(24, 60))
        if draw.random() < 0.5:
            words = edited(draw, words)
        outlet = draw.randrange(len(OUTLETS))
        paragraphs = [" ".join(words), *([boilerplate[outlet]] if draw.random() < 0.5 else [])]
        at = max(0, hours + draw.choice((0, 0, 0, -30, -60, 30, 100, -100)))
        out.append(
            {
                "id": str(draw.randrange(count)) if draw.random() < 0.1 else f"a{number}",
                "text": "\n\n".join(paragraphs),
                "outlet": OUTLETS[outlet],
                "published": f"2024-{1 + at // 24 // 28:02}-{1 + at // 24 % 28:02}T{at % 24:02}:00:00Z",
            }
        )
    return out
