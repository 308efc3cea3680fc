"""Explain: what each stage found in two articles, what it kept and dropped, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dedup.align import FOLLOWED, LONG, SEED, align
from dedup.article import Article
from dedup.candidates import BRIEF, banded, signatures_of
from dedup.comparison import Comparison
from dedup.kernels import align as kernels
from dedup.kernels.ready import ready
from dedup.kernels.runs import seed
from dedup.kernels.sentences import rework
from dedup.kernels.tokenise import BOILERPLATE, NUMBER, QUOTED
from dedup.lsh import band_hashes, bands_for
from dedup.provenance import LIGHTLY, VERBATIM, WHOLE
from dedup.schema import COPIES, PASSAGE_KINDS
from dedup.settings import Settings
from dedup.shingles import Shingles, shingle
from dedup.tokens import Tokens, tokenise
from dedup.weigh import mark_navigation
from dedup.winnow import winnow

_SHOWN = 8  # fingerprints, bands and runs told one by one


@dataclass(frozen=True, slots=True)
class Step:
    """One finding of a stage. Places are characters, left start and end, right start and end."""

    stage: str  # tokenise, weigh, candidate, seed, chain, sentences, passage, relation
    outcome: str  # found, kept, dropped, none
    reason: str
    places: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two texts on their way through the stages."""

    tokens: Tokens
    shingles: Shingles
    settings: Settings
    runs: NDArray[np.int32]  # (n, 3): left, right, length
    evidence: NDArray[np.int64]  # (n,) their tokens outside shared quotations and boilerplate

    def places(self, a: int, b: int, x: int, y: int) -> tuple[int, int, int, int]:
        """Token places as characters."""
        left, right = self.tokens.offsets[:2]
        starts, ends = self.tokens.starts, self.tokens.ends
        return (
            int(starts[left + a]),
            int(ends[left + b - 1]),
            int(starts[right + x]),
            int(ends[right + y - 1]),
        )


def explain(comparison: Comparison, settings: Settings | None = None) -> tuple[Step, ...]:
    """The evidence behind a comparison, stage by stage, in the order of the stages."""
    chosen = Settings.of(settings)
    ready()
    pair = _pair(comparison.left, comparison.right, chosen)
    return tuple(
        step
        for stage in (_tokens, _candidate, _seeds, _chains, _sentences, _passages)
        for step in stage(pair)
    ) + tuple(_relation(comparison))


def _pair(left: Article, right: Article, settings: Settings) -> _Pair:
    tokens = tokenise(pa.array([left.text, right.text], pa.large_string()))
    mark_navigation(tokens)
    one, other = np.zeros(1, np.int32), np.ones(1, np.int32)
    texts = tokens.hashes, tokens.offsets, one, other
    runs = seed(*texts, SEED, FOLLOWED, LONG, settings.guarantee, np.empty(2, np.int64))
    middle = int(tokens.offsets[1])
    evidence = np.zeros(len(runs), np.int64)
    for number, (a, x, length) in enumerate(runs.tolist()):
        ours, theirs = tokens.flags[a : a + length], tokens.flags[middle + x : middle + x + length]
        idle = (ours & theirs & QUOTED) | ((ours | theirs) & BOILERPLATE)
        evidence[number] = int((idle == 0).sum())
    return _Pair(tokens, shingle(tokens, settings.shingle), settings, runs, evidence)


def _tokens(pair: _Pair) -> Iterator[Step]:
    for name, count in zip(("left", "right"), pair.tokens.lengths.tolist(), strict=True):
        short = count < pair.settings.min_tokens
        yield Step(
            "tokenise",
            "dropped" if short else "kept",
            f"{name} has {count:,} tokens" + (", too few for a scan to judge" if short else ""),
        )
    for side, name in enumerate(("left", "right")):
        flags = pair.tokens.flags[slice(*pair.tokens.offsets[side : side + 2])]
        idle, quoted = (int(np.count_nonzero(flags & flag)) for flag in (BOILERPLATE, QUOTED))
        reason = f"in {name} {idle:,} tokens are boilerplate and {quoted:,} stand in quotation marks"
        yield Step("weigh", "found", reason)


def _candidate(pair: _Pair) -> Iterator[Step]:
    """By which fingerprints and bands a scan would compare the two."""
    settings = pair.settings
    own = [_fingerprints(pair.shingles.part(side, side + 1), settings) for side in (0, 1)]
    shared = sorted((own[0][key], own[1][key]) for key in own[0].keys() & own[1].keys())
    total = min(len(one) for one in own)
    outcome = "found" if shared else "none"
    yield Step("candidate", outcome, f"{len(shared):,} shared fingerprints, of {total:,} in the shorter one")
    k = settings.shingle
    for a, x in shared[:_SHOWN]:
        stop = min(a + k, int(pair.tokens.lengths[0])), min(x + k, int(pair.tokens.lengths[1]))
        yield Step("candidate", "found", "a shared fingerprint", pair.places(a, stop[0], x, stop[1]))
    brief = np.flatnonzero(~banded(pair.shingles, settings)).tolist()
    if brief:
        names = " and ".join(("left", "right")[side] for side in brief)
        yield Step("candidate", "none", f"no bands: {names} so brief that all shingles are fingerprints")
        return
    bands = bands_for(settings.num_perm, settings.resemblance, settings.recall)
    signatures, owners, starts = signatures_of(pair.tokens, pair.shingles, settings, bands)
    keys = band_hashes(signatures, bands)
    offsets, ends = pair.tokens.offsets, np.append(starts[1:], pair.tokens.offsets[2])
    found = 0
    for one, other in product(*(np.flatnonzero(owners == side).tolist() for side in (0, 1))):
        agreeing = np.flatnonzero(keys[one] == keys[other])
        if not agreeing.size:
            continue
        found += 1
        spans = [  # of a block, or of the whole text
            (int(starts[at] - offsets[side]), int(ends[at] - offsets[side]))
            if at < starts.size
            else (0, int(pair.tokens.lengths[side]))
            for side, at in ((0, one), (1, other))
        ]
        alike = float((signatures[one] == signatures[other]).mean())
        yield Step(
            "candidate",
            "found",
            f"signatures agree in {agreeing.size} of {bands.bands} bands (the first: {agreeing[0] + 1}); "
            f"estimated resemblance {alike:.2f}",
            pair.places(*spans[0], *spans[1]),
        )
    if not found:
        yield Step("candidate", "none", f"no two signatures agree in any of {bands.bands} bands")


def _fingerprints(shingles: Shingles, settings: Settings) -> dict[int, int]:
    """A text's fingerprints and where they stand: all its shingles if it is brief, else those winnowed."""
    if shingles.hashes.size <= BRIEF:
        return {hash: place for place, hash in enumerate(shingles.hashes.tolist())}
    prints = winnow(shingles, settings.window)
    return dict(zip(prints.hashes.tolist(), prints.places.tolist(), strict=True))


def _seeds(pair: _Pair) -> Iterator[Step]:
    lengths = pair.runs[:, 2]
    longest = int(lengths.max(initial=0))
    yield Step(
        "seed",
        "found" if longest else "none",
        f"{len(pair.runs):,} runs of {SEED} or more equal words, the longest of {longest}",
    )
    for number in np.argsort(-lengths, kind="stable")[:_SHOWN].tolist():
        a, x, length = pair.runs[number].tolist()
        rest = length - int(pair.evidence[number])
        reason = f"a run of {length}" + (f", {rest} of them quoted or boilerplate" if rest else "")
        yield Step("seed", "found", reason, pair.places(a, a + length, x, x + length))


def _chains(pair: _Pair) -> Iterator[Step]:
    """Each chain of runs, and whether it is enough for a copy."""
    chain_of = kernels.chains(pair.runs, kernels.CHAINED, kernels.GAP)
    shorter = int(pair.tokens.lengths.min())
    least = min(kernels.COPY_TOKENS, max(shorter // 2, kernels.CHAINED))
    for chain in np.unique(chain_of[chain_of >= 0]).tolist():
        own = pair.runs[chain_of == chain]
        evidence, reached = 0, 0
        for (a, _, length), worth in zip(
            own.tolist(), pair.evidence[chain_of == chain].tolist(), strict=True
        ):
            evidence += worth if a >= reached else min(worth, max(0, a + length - reached))
            reached = max(reached, a + length)
        a, b = int(own[:, 0].min()), int((own[:, 0] + own[:, 2]).max())
        x, y = int(own[:, 1].min()), int((own[:, 1] + own[:, 2]).max())
        enough = min(evidence, y - x) >= least
        yield Step(
            "chain",
            "kept" if enough else "dropped",
            f"{len(own)} runs of {kernels.CHAINED} or more, {evidence} words of evidence; a copy has {least}",
            pair.places(a, b, x, y),
        )


def _sentences(pair: _Pair) -> Iterator[Step]:
    """Each fragment of similar sentences, and whether it is enough for a copy."""
    one, other = np.zeros(1, np.int32), np.ones(1, np.int32)
    bounds = np.array([0, len(pair.runs)])
    tokens = pair.tokens
    spans = rework(
        tokens.hashes, tokens.flags, tokens.offsets, one, other, pair.runs, bounds, np.empty(2, np.int64)
    )
    if not len(spans):
        yield Step("sentences", "none", "no sentences are alike enough")
    shorter = int(tokens.lengths.min())
    for a, b, x, y in spans.tolist():
        least, most = sorted((b - a, y - x))
        matched = {
            a2 + t
            for a2, x2, length in pair.runs.tolist()
            for t in range(length)
            if a <= a2 + t < b and x <= x2 + t < y
        }
        needed = min(kernels.FRAGMENT_TOKENS, shorter // 2)
        reason = f"similar sentences, {b - a} and {y - x} words, {len(matched)} of them in runs"
        kept = False
        if least < needed:
            reason += f"; {needed} on each side are needed"
        elif least < kernels.BALANCE * most:
            reason += "; one side is too long for the other"
        elif least < kernels.SURE_TOKENS and len(matched) < kernels.SURE_MATCHED * least:
            reason += f"; so short a one needs {kernels.SURE_MATCHED:.0%} in runs"
        else:
            kept = True
        yield Step("sentences", "kept" if kept else "dropped", reason, pair.places(a, b, x, y))


def _passages(pair: _Pair) -> Iterator[Step]:
    """What chains and sentences become: joined, trimmed, weighed."""
    found = align(pair.tokens, np.array([[0, 1]], np.int32), pair.settings, threads=1)
    middle = int(pair.tokens.offsets[1])
    for a, b, x, y, matched, kind in found.passages.tolist():
        name = PASSAGE_KINDS[kind]
        reason = f"{matched} words in common"
        if name in {"copy", "template"}:
            ours = int((pair.tokens.flags[a:b] & NUMBER).sum())
            theirs = int((pair.tokens.flags[middle + x : middle + y] & NUMBER).sum())
            reason += f", {ours} and {theirs} figures"
        told = {
            "copy": "counts as copy",
            "template": "most figures differ: a template, no copy",
            "quotation": "both sides quote it: no copy",
            "boilerplate": "boilerplate: no copy",
            "phrase": "too little for a copy: a stock phrase",
        }[name]
        yield Step(
            "passage", "kept" if name == "copy" else "dropped", f"{reason}; {told}", pair.places(a, b, x, y)
        )


def _relation(comparison: Comparison) -> Iterator[Step]:
    shares = (
        f"{comparison.left_containment:.0%} of left and {comparison.right_containment:.0%} of right stand in "
        f"shared runs within copies"
    )
    rule = (
        f"{VERBATIM:.0%} of both would be a verbatim copy; copies that cover {WHOLE:.0%} of an article, "
        f"{LIGHTLY:.0%} of it in runs, make it all the other's copy"
    )
    outcome = "kept" if comparison.relation in COPIES else "found"
    yield Step("relation", outcome, f"{comparison.relation}: {shares}; {rule}")
    yield Step(
        "relation",
        "found",
        f"overlap of wording, an indication only: {comparison.left_overlap:.0%} of left, "
        f"{comparison.right_overlap:.0%} of right",
    )
