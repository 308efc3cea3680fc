"""How good the answers are, with the settings a user gets: `python -m benchmarks.accuracy --data DIR`.

One run over labelled and natural news (folders of Parquet tables, see each set below) and over made-up news
with known truth. It prints one table, and with `--out FOLDER` writes it there as accuracy.md and
accuracy.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import dedup
from benchmarks.oracle import overlaps, repeated
from benchmarks.plagdet import Spans, score
from benchmarks.synthetic import Corpus, corpus
from dedup.evaluation import Agreement, auc, best_threshold
from dedup.schema import COPIES, COPYING, ROLES
from dedup.tokens import tokenise


@dataclass(frozen=True)
class Figure:
    """One measured figure; `bar` and `aim` as text, with the direction: "≥ .88"."""

    set: str
    measure: str
    value: float
    bar: str = ""
    aim: str = ""

    @property
    def met(self) -> bool | None:
        """Does the value reach the bar? None without a bar."""
        if not self.bar:
            return None
        limit = float(self.bar.split()[1])
        return self.value >= limit if self.bar[0] == "≥" else self.value <= limit


Rows = Iterator[Figure]


def _table(folder: Path, name: str = "articles") -> pa.Table:
    return pq.read_table(folder / f"{name}.parquet")


def _texts(folder: Path) -> dict[str, str]:
    table = _table(folder)
    return dict(zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True))


def best_f1(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """F1 at the threshold that is best for it."""
    threshold = best_threshold(scores, labels)
    chosen = np.asarray(scores, float) >= threshold
    return Agreement.of(chosen, np.asarray(labels, bool)).f1


def pan(folder: Path) -> Rows:
    """PAN 2013 text alignment: plagdet per kind and over all; the listed pairs in one scan."""
    texts = _texts(folder)
    cases: dict[tuple[str, str], list[Spans]] = defaultdict(list)
    for row in _table(folder, "spans").to_pylist():
        place = row["left_start"], row["left_end"], row["right_start"], row["right_end"]
        cases[row["left"], row["right"]].append(place)
    found = defaultdict(list)
    alarms = 0
    pairs = _table(folder, "pairs").to_pylist()
    for row in pairs:
        key = row["left"], row["right"]
        passages = dedup.compare(texts[row["left"]], texts[row["right"]]).passages
        places = [
            (p.left_start, p.left_end, p.right_start, p.right_end) for p in passages if p.kind == "copy"
        ]
        found[row["set"]].append((cases[key], places))
        alarms += row["set"].startswith("01") and bool(places)
    bars = {"02": ("≥ .96", "≥ .98"), "03": ("≥ .88", "≥ .92"), "04": ("≥ .88", "≥ .91")}
    whole = score([item for items in found.values() for item in items])
    yield Figure("pan13-train", "plagdet, over all", whole.plagdet, "≥ .88", "≥ .92")
    yield Figure("pan13-train", "precision", whole.precision)
    yield Figure("pan13-train", "recall", whole.recall)
    yield Figure("pan13-train", "granularity", whole.granularity)
    for kind in sorted(found):
        if kind.startswith("01"):
            yield Figure("pan13-train", f"{kind}: pairs with a false alarm", alarms, "≤ 10", "≤ 2")
        else:
            yield Figure(
                "pan13-train", f"{kind}: plagdet", score(found[kind]).plagdet, *bars.get(kind[:2], ())
            )
    report = dedup.scan(_table(folder).select(["id", "text"]))
    # Exact repeats are compared once, and a passage may be a quotation on both sides.
    first = {row["id"]: row["duplicate_of"] or row["id"] for row in report.articles.to_pylist()}
    listed = {frozenset((first[row["left"]], first[row["right"]])): row["set"] for row in pairs}
    copying = {
        frozenset((row["left"], row["right"]))
        for row in report.pairs.to_pylist()
        if row["relation"] in COPYING | {"quotations only"}
    }
    families = {row["id"]: set(row["families"]) for row in report.articles.to_pylist()}
    for kind in sorted(found):
        own = [pair for pair, other in listed.items() if other == kind]
        share = sum(
            pair in copying or bool(set.intersection(*(families[id] for id in pair))) for pair in own
        ) / len(own)
        yield Figure(
            "pan13-train", f"{kind}: listed pairs found by scan", share, "≥ 1" if kind[:2] == "02" else ""
        )
    yield Figure("pan13-train", "unlisted pairs found by scan", len(copying - set(listed)))


def _outside_quotations(text: str) -> np.ndarray[Any, Any]:
    """Which characters of a text lie in words outside its quotation marks."""
    from dedup.kernels.tokenise import QUOTED

    tokens = tokenise(pa.array([text], pa.large_string()))
    inside = np.zeros(len(text), np.bool_)
    for start, end, flag in zip(tokens.starts, tokens.ends, tokens.flags, strict=True):
        inside[start:end] = not flag & QUOTED
    return inside


def basil(folder: Path) -> Rows:
    """Independent reports of one event: nothing in them is a copy."""
    events = defaultdict(list)
    for row in _table(folder).to_pylist():
        events[row["event"]].append(row["text"])
    called, marked, total = 0, 0, 0
    for texts in events.values():
        reused = [np.zeros(len(text), np.bool_) for text in texts]
        for left, right in combinations(range(len(texts)), 2):
            found = dedup.compare(texts[left], texts[right])
            called += found.relation in COPIES
            for p in found.passages:
                if p.kind == "copy":
                    reused[left][p.left_start : p.left_end] = True
                    reused[right][p.right_start : p.right_end] = True
        for text, own in zip(texts, reused, strict=True):
            words = _outside_quotations(text)
            marked += int((own & words).sum())
            total += int(words.sum())
    yield Figure("basil", "pairs called copies", called, "≤ 0", "≤ 0")
    yield Figure("basil", "text outside quotations marked as reused", marked / total, "≤ .02", "≤ .005")


def counter(folder: Path) -> Rows:
    """COUNTER: newspaper copy wholly, partly or not derived from agency text, in Urdu."""
    texts = _texts(folder)
    labels, derived, called = [], [], 0
    for row in _table(folder, "pairs").to_pylist():
        found = dedup.compare(texts[row["left"]], texts[row["right"]])
        labels.append(row["label"])
        derived.append(found.right_overlap)
        called += row["label"] == "ND" and found.relation in COPIES
    some, whole = [label != "ND" for label in labels], [label == "WD" for label in labels]
    yield Figure("counter-dev", "not derived, called copies", called / labels.count("ND"), "≤ .02", "≤ 0")
    yield Figure("counter-dev", "derived: AUC of overlap", auc(derived, some), "≥ .90", "≥ .94")
    yield Figure("counter-dev", "derived: best F1", best_f1(derived, some))
    yield Figure("counter-dev", "wholly derived: AUC of overlap", auc(derived, whole), "≥ .95", "≥ .97")
    yield Figure("counter-dev", "wholly derived: best F1", best_f1(derived, whole))


def webis(folder: Path) -> Rows:
    """Near-duplicate judgements on web pages."""
    texts = _texts(folder)
    figures: dict[str, list[float]] = defaultdict(list)
    labels, sets = [], []
    for row in _table(folder, "pairs").to_pylist():
        found = dedup.compare(texts[row["left"]], texts[row["right"]])
        labels.append(int(row["label"]) >= 1)
        sets.append(row["set"])
        figures["containment of both"].append(min(found.left_containment, found.right_containment))
        figures["resemblance"].append(found.resemblance)
    for name, values in figures.items():
        bars = ("≥ .93", "≥ .96") if name == "containment of both" else ()
        yield Figure("webis-dev", f"best F1 of {name}", best_f1(values, labels), *bars)
        yield Figure("webis-dev", f"AUC of {name}", auc(values, labels))
        for part in sorted(set(sets)):
            own = [place for place, other in enumerate(sets) if other == part]
            f1 = best_f1([values[p] for p in own], [labels[p] for p in own])
            yield Figure("webis-dev", f"best F1 of {name}, {part} alone", f1)


def natural(k: int) -> Callable[[Path], Rows]:
    """Recall against the exact oracle of `k`-token shingles, and of verbatim runs."""

    def run(folder: Path) -> Rows:
        table = _table(folder).select(["id", "text"])
        report = dedup.scan(table)
        kept = set(report.articles["id"].to_pylist())
        table = table.filter(pa.array([id in kept for id in table["id"].to_pylist()])).sort_by("id")
        tokens = tokenise(table["text"].combine_chunks().cast(pa.large_string()))
        ids = table["id"].to_pylist()
        place = {id: number for number, id in enumerate(ids)}
        rows = report.articles.to_pylist()
        first = [place[row["duplicate_of"] or row["id"]] for row in rows]
        families = [set(row["families"]) for row in rows]
        told = {(place[row["left"]], place[row["right"]]) for row in report.pairs.to_pylist()}

        def explained(left: int, right: int) -> bool:
            one, other = sorted((first[left], first[right]))
            pair = (left, right) in told or one == other or (one, other) in told
            return pair or bool(families[left] & families[right])

        found = overlaps(tokens, k, 8)
        for least, bar, aim in ((0.5, "≥ 1", "≥ 1"), (0.2, "≥ .98", "≥ 1")):
            pairs = found.pairs[found.containment >= least].tolist()
            share = sum(explained(left, right) for left, right in pairs) / len(pairs)
            yield Figure(
                folder.name, f"recall of {len(pairs)} pairs at containment ≥ {least}", share, bar, aim
            )
        guarantee = dedup.Settings().guarantee
        idle, covered = np.zeros((2, tokens.hashes.size), np.bool_)

        def mark(marks: np.ndarray[Any, Any], id: str, start: int, end: int) -> None:
            own = slice(tokens.offsets[place[id]], tokens.offsets[place[id] + 1])
            a, b = np.searchsorted(tokens.starts[own], [start, end])
            marks[own.start + a : own.start + b] = True

        for row in rows:
            for part in row["composition"]:
                if part["kind"] == "boilerplate":
                    mark(idle, row["id"], part["start"], part["end"])
        for side in ("left", "right"):
            columns = (report.passages[f"{side}{name}"].to_pylist() for name in ("", "_start", "_end"))
            for id, start, end in zip(*columns, strict=True):
                mark(covered, id, start, end)
        runs = repeated(tokens, guarantee, idle)
        short = np.array([row["status"] == "short" for row in rows])
        runs &= ~np.repeat(short, tokens.lengths)
        yield Figure(
            folder.name,
            f"tokens in shared runs of {guarantee} or more, boilerplate aside, that passages cover",
            float(covered[runs].mean()),
            "≥ 1",
        )
        yield Figure(folder.name, "pairs in the report", report.pairs.num_rows)

    return run


def _b_cubed(truth: dict[str, str], found: dict[str, str]) -> tuple[float, float]:
    """B-cubed F1 (Bagga & Baldwin 1998) and adjusted Rand index of one clustering against another."""
    cells = Counter((truth[id], found[id]) for id in truth)
    true_sizes, found_sizes = Counter(truth.values()), Counter(found[id] for id in truth)
    precision = sum(n * n / found_sizes[f] for (_, f), n in cells.items()) / len(truth)
    recall = sum(n * n / true_sizes[t] for (t, _), n in cells.items()) / len(truth)

    def pairs(counts: Iterable[int]) -> float:
        return sum(n * (n - 1) / 2 for n in counts)

    both, one, other = pairs(cells.values()), pairs(true_sizes.values()), pairs(found_sizes.values())
    expected = one * other / pairs([len(truth)])
    return 2 * precision * recall / (precision + recall), (both - expected) / ((one + other) / 2 - expected)


def synthetic(_: Path) -> Rows:
    """Made-up news with known families, origins, relations, boilerplate and templates."""
    truth = corpus()
    report = dedup.scan(truth.articles)
    best: dict[str, tuple[float, str, str]] = {}
    origins = {}
    for family in report.families.to_pylist():
        origins[family["family"]] = family["origin"]
        for member in family["members"]:
            own = member["share"], family["family"], member["role"]
            best[member["article"]] = max(best.get(member["article"], own), own)
    everything = [article["id"] for article in truth.articles]
    f1, rand = _b_cubed(
        {id: truth.family.get(id, id) for id in everything},
        {id: best[id][1] if id in best else id for id in everything},
    )
    yield Figure("synthetic", "families: B-cubed F1", f1, "≥ .97", "≥ .99")
    yield Figure("synthetic", "families: adjusted Rand index", rand)
    right = sum(origins.get(best[id][1]) == id for id in truth.origin.values() if id in best)
    yield Figure("synthetic", "origins found", right / len(truth.origin), "≥ .95", "≥ .98")
    roles = Counter((truth.relation[id], best[id][2] if id in best else "none") for id in truth.relation)
    agree = sum(count for (one, other), count in roles.items() if one == other)
    yield Figure("synthetic", "relations right", agree / sum(roles.values()))
    for name in ROLES:
        others = {other: count for (one, other), count in sorted(roles.items()) if one == name}
        for other, count in others.items():
            yield Figure("synthetic", f"relation {name}, found {other}", count / sum(others.values()))
    yield from _not_copies(truth, report)


def _not_copies(truth: Corpus, report: dedup.Report) -> Rows:
    """How much of templates and boilerplate is taken for copy, and of copy for anything else."""
    marks: dict[str, dict[str, np.ndarray[Any, Any]]] = {}
    for row, article in zip(
        report.articles.to_pylist(), sorted(truth.articles, key=lambda a: str(a["id"])), strict=True
    ):
        kinds = {kind: np.zeros(len(article["text"]), np.bool_) for kind in ("copy", "boilerplate")}
        for part in row["composition"]:
            if part["kind"] in kinds:
                kinds[part["kind"]][part["start"] : part["end"]] = True
        marks[row["id"]] = kinds

    def share(kind: str, spans: dict[str, list[tuple[int, int]]]) -> float:
        parts = [marks[id][kind][start:end] for id, own in spans.items() for start, end in own]
        return float(np.concatenate(parts).mean())

    forms = {
        article["id"]: [(0, len(article["text"]))]
        for article in truth.articles
        if article["id"] in truth.templates
    }
    yield Figure("synthetic", "template text taken for copy", share("copy", forms), "≤ .01", "≤ 0")
    yield Figure("synthetic", "boilerplate taken for copy", share("copy", truth.boilerplate), "≤ .01", "≤ 0")
    yield Figure("synthetic", "boilerplate recognised", share("boilerplate", truth.boilerplate))
    yield Figure("synthetic", "copied text recognised", share("copy", truth.copied))


SETS: dict[str, Callable[[Path], Rows]] = {
    "pan13-train": pan,
    "basil": basil,
    "counter-dev": counter,
    "webis-dev": webis,
    "fnc1": natural(5),
    "reuters21578": natural(5),
    "zh-inews": natural(12),
    "synthetic": synthetic,
}


def _line(figure: Figure) -> str:
    met = {True: "yes", False: "NO", None: ""}[figure.met]
    value = f"{figure.value:.4f}" if figure.value % 1 else f"{figure.value:.0f}"
    return f"| {figure.set} | {figure.measure} | {value} | {figure.bar} | {figure.aim} | {met} |"


def main() -> None:
    """Run the sets and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled sets")
    parser.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS), help="only these")
    parser.add_argument("--out", type=Path, help="folder for accuracy.md and accuracy.json")
    options = parser.parse_args()
    lines = ["| set | measure | value | bar | aim | met |", "|---|---|---|---|---|---|"]
    print(*lines, sep="\n")
    figures, seconds = [], {}
    for name in options.sets:
        begun = time.perf_counter()
        for figure in SETS[name](options.data / name):
            figures.append(figure)
            lines.append(_line(figure))
            print(lines[-1], flush=True)
        seconds[name] = round(time.perf_counter() - begun, 1)
    lines.append(
        f"\n{sum(seconds.values()):.0f} s in all: {', '.join(f'{n} {s}' for n, s in seconds.items())}"
    )
    print(lines[-1])
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "accuracy.md").write_text("\n".join(lines) + "\n", "utf-8")
        facts = {
            "version": dedup.__version__,
            "python": platform.python_version(),
            "settings": dedup.Settings().asdict(),
            "seconds": seconds,
            "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
        }
        (options.out / "accuracy.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
