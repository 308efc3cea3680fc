from collections import Counter
from datetime import UTC, datetime
from math import exp

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.agencies import CREDITS as CREDIT_ROWS
from dedup.families import Families
from dedup.outlets import named
from dedup.provenance import (
    CREDITS,
    UNKNOWN,
    Origins,
    Shares,
    Sources,
    agencies,
    agencies_of,
    credited,
    origins,
    relation,
    roles,
)
from dedup.tokens import tokenise

NOON, NIGHT = datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, 23, tzinfo=UTC)


def source(outlet=None, published=None, *credits):
    return outlet, published, credits


PLAIN = source()


def sources_of(members, derived=None):
    return Sources.of(
        {
            "id": pa.array([str(number) for number in range(len(members))], pa.string()),
            "outlet": pa.array([outlet for outlet, _, _ in members], pa.string()),
            "url": pa.nulls(len(members), pa.string()),
            "published": pa.array([published for _, published, _ in members], pa.timestamp("us", tz="UTC")),
            "derived_from": pa.array(derived or [None] * len(members), pa.string()),
        },
        pa.Table.from_pylist(
            [
                {
                    "article": number,
                    "kind": kind,
                    "agency": agency,
                    "start": 3,
                    "end": 5,
                    "words": f"({agency})",
                }
                for number, (_, _, credits) in enumerate(members)
                for kind, agency in credits
            ],
            CREDIT_ROWS,
        ),
    )


def family_of(held):
    """One family, whose members hold so many tokens of its copy."""
    count = len(held)
    spans = np.array([[2, 2 + size] for size in held], np.int32)
    numbers = np.arange(count, dtype=np.int32)
    return Families.of(numbers[:1], np.zeros(count, np.int64), numbers, np.arange(count + 1), spans)


def agency_of(members, shares):
    (found,) = agencies_of(family_of([1] * len(members)), sources_of(members), np.array(shares)).tolist()
    return None if found < 0 else agencies()[found]


def origin_of(members, held, lengths):
    found = origins(family_of(held), sources_of(members), np.array(lengths))
    return int(found.texts[0]), float(found.confidence[0])


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((0.95, 0.92, 1, 1), "verbatim copy"),
        ((0.6, 0.6, 0.9, 0.9), "edited copy"),
        ((0.3, 0.9, 0.35, 0.95), "excerpt"),
        ((0.9, 0.3, 0.95, 0.35), "extended"),
        ((0.3, 0.3, 0.4, 0.4), "partial reuse"),
        ((0.2, 0.2, 0.9, 0.9), "partial reuse"),  # a rewrite: all of it covered, little of it in runs
    ],
)
def test_relations_of_copies(shares, expected):
    assert relation(Shares(*shares, 0.1), {"copy", "phrase"}, same_outlet=False) == expected
    turned = {"excerpt": "extended", "extended": "excerpt"}.get(expected, expected)
    assert (
        relation(Shares(shares[1], shares[0], shares[3], shares[2], 0.1), {"copy"}, same_outlet=False)
        == turned
    )


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ({"template", "quotation", "phrase"}, "template"),
        ({"quotation", "boilerplate"}, "quotations only"),
        ({"boilerplate", "phrase"}, "boilerplate"),
        ({"phrase"}, "stock phrases"),
        (set(), "unrelated"),
    ],
)
def test_relations_without_copies(kinds, expected):
    for same_outlet in (False, True):
        assert relation(Shares(0, 0, 0, 0, 0), kinds, same_outlet=same_outlet) == expected


def test_newer_versions_of_one_outlet_are_updates():
    shares = Shares(0.95, 0.92, 1, 1, 0.8)
    assert relation(shares, {"copy"}, same_outlet=True) == "update"
    assert relation(shares, {"copy"}, same_outlet=False) == "verbatim copy"
    partial = Shares(0.3, 0.3, 0.4, 0.4, 0.1)
    assert relation(partial, {"copy"}, same_outlet=True) == "partial reuse"

    def role(shares, same_outlet, duplicate):
        return roles(*shares.arrays(), np.array([same_outlet]), np.array([duplicate])).tolist()

    assert role(shares, True, False) == ["update"]
    assert role(shares, True, True) == ["verbatim copy"]
    assert role(shares, False, False) == ["verbatim copy"]
    assert role(partial, True, False) == ["partial reuse"]
    assert role(partial, False, True) == ["verbatim copy"]


def test_sources_are_numbered():
    found = sources_of([source("Post", NOON, ("credit", "AP"), ("picture", "dpa")), PLAIN, source("Reuters")])
    assert [found.outlet_names[outlet] for outlet in found.outlets[[0, 2]]] == ["Post", "Reuters"]
    assert found.outlets[1] == -1
    assert found.published.tolist() == [NOON.timestamp() * 10**6, UNKNOWN, UNKNOWN]
    assert found.own.tolist() == [-1, -1, agencies().index("Reuters")]
    assert found.offsets.tolist() == [0, 2, 2, 2]
    assert [CREDITS[kind] for kind in found.kinds] == ["credit", "picture"]
    assert [agencies()[agency] for agency in found.agencies] == ["AP", "dpa"]
    assert (found.starts.tolist(), found.ends.tolist()) == ([3, 3], [5, 5])
    assert found.words.to_pylist() == ["(AP)", "(dpa)"]
    places, rows = found.said(np.array([1, 0, 0], np.int32))
    assert (places.tolist(), rows.tolist()) == ([1, 2], [0, 0])  # pictures' credits are not for text


def test_nothing_is_known_of_nothing():
    found = sources_of([])
    none = np.empty(0, np.int32)
    families = Families.of(none, none.astype(np.int64), none, np.zeros(1, np.int64), none.reshape(0, 2))
    assert found.offsets.tolist() == [0]
    assert len(origins(families, found, np.empty(0, np.int64)).texts) == 0
    assert len(sources_of([PLAIN, PLAIN]).outlets) == 2


def test_the_agency_is_what_members_credit_most():
    wire = source(None, None, ("dateline", "AFP"))
    both = source(None, None, ("credit", "AP"), ("credit", "Reuters"))
    picture = source(None, None, ("picture", "dpa"))
    assert agency_of([wire, both, picture], [0.9, 0.9, 0.9]) == "AFP"
    assert agency_of([source("Reuters"), both], [0.9, 0.1]) == "Reuters"
    assert agency_of([PLAIN, picture], [1, 1]) is None


def test_the_agency_itself_then_its_dateline_then_time_make_the_origin():
    wire, dated = source("AFP", NIGHT), source("Post", NIGHT, ("dateline", "AFP"))
    early, late = source("Star", NOON), source("Globe", NIGHT)
    assert origin_of([late, dated, wire], [9, 9, 9], [9, 9, 9])[0] == 2
    assert origin_of([late, dated], [9, 9], [9, 9])[0] == 1
    assert origin_of([late, early], [9, 9], [9, 9])[0] == 1
    assert origin_of([late, late], [4, 10], [4, 10])[0] == 1
    assert origin_of([late, late], [10, 10], [20, 10])[0] == 1
    confident = origin_of([late, wire], [9, 9], [9, 9])[1]
    unsure = origin_of([late, late], [9, 9], [9, 9])[1]
    assert unsure == 0.5 < confident < 1


SOURCES = st.tuples(
    st.sampled_from([None, "Post", "Star", "AFP", "Reuters", ""]),
    st.sampled_from([None, NOON, NIGHT]),
    st.lists(st.tuples(st.sampled_from(CREDITS), st.sampled_from(["AP", "AFP", "Reuters"])), max_size=3),
)


@given(
    st.lists(st.tuples(SOURCES, st.integers(8, 16)), min_size=1, max_size=6),
    st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 8)), min_size=1, max_size=5), max_size=4),
)
@settings(deadline=None)
def test_origins_are_those_of_plain_counting(texts, drawn):
    """Families of texts, given with the tokens that they hold of the copy."""
    members, lengths = [text for text, _ in texts], [length for _, length in texts]
    families = [dict(sorted((text % len(texts), held) for text, held in family)) for family in drawn]
    numbers = np.repeat(np.arange(len(families)), [len(family) for family in families])
    flat = np.array([text for family in families for text in family], np.int32)
    held = np.array([held for family in families for held in family.values()], np.int32)
    spans = np.stack([np.zeros_like(held), held], axis=1)
    leads = np.array([min(family) for family in families], np.int32)
    grouped = Families.of(leads, numbers.astype(np.int64), flat, np.arange(flat.size + 1), spans)
    found = origins(grouped, sources_of(members), np.array(lengths))
    for number, family in enumerate(families):
        votes = Counter()
        for text, size in family.items():
            outlet, _, credits = members[text]
            said = {agency for kind, agency in credits if kind != "picture"}
            said = {outlet} if outlet in agencies() else said
            for agency in said:
                votes[agency] += (0.01 + size / lengths[text]) / len(said)
        agency = found.agencies[number]
        name = None if agency < 0 else agencies()[agency]
        assert (name is None) == (not votes)
        assert votes[name] == pytest.approx(max(votes.values(), default=0))
        points = []
        times = [members[text][1] for text in family if members[text][1]]
        for text, size in family.items():
            outlet, published, credits = members[text]
            kinds = {kind for kind, said in credits if said == name} - {"picture"}
            points.append(size / max(family.values()) + 0.5 * size / lengths[text])
            if name and outlet == name:
                points[-1] += 3
            elif kinds:
                points[-1] += max({"dateline": 1.5, "declared": 2.0}.get(kind, 1.0) for kind in kinds)
            points[-1] += len(times) > 1 and published == min(times)
        best = points[list(family).index(found.texts[number])]
        assert best == pytest.approx(max(points))
        assert found.confidence[number] == pytest.approx(1 / sum(exp(point - best) for point in points))


def test_credit_is_given_by_agency_or_outlet():
    def told(member, origin, agency, text):
        tokens = tokenise(pa.array(["the original", text], pa.large_string()))
        sources = sources_of([origin, member])
        spans = np.zeros((2, 2), np.int32)
        family = Families.of(
            np.zeros(1, np.int32), np.zeros(2, np.int64), np.arange(2, dtype=np.int32), np.arange(3), spans
        )
        number = -1 if agency is None else agencies().index(agency)
        traced = Origins(np.zeros(1, np.int64), np.ones(1), np.array([number]))
        return credited(
            family, traced, sources, lambda texts, which: named(tokens, texts, sources.outlet_names, which)
        ).tolist()[1:]

    origin = source("The Star")
    assert told(source(None, None, ("credit", "AP")), origin, "AP", "") == [True]
    assert told(source(None, None, ("picture", "AP")), origin, "AP", "") == [False]
    assert told(source(None, None, ("credit", "AFP")), origin, "AP", "") == [False]
    assert told(source("Reuters"), origin, "Reuters", "") == [True]
    assert told(source("Post"), origin, None, "as The Star reported") == [True]
    assert told(source(), origin, None, "as The Star reported") == [True]
    assert told(source("Post"), origin, None, "as the star reported") == [False]
    assert told(source("The Star"), origin, None, "as The Star reported") == [False]
    assert told(source("Post"), source(), None, "None") == [False]
