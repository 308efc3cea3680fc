from datetime import UTC, datetime

import pytest

from dedup.agencies import Credit
from dedup.provenance import Shares, Source, agency_of, credited, origin_of, relation, role

NOON, NIGHT = datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, 23, tzinfo=UTC)


def source(outlet=None, published=None, *credits):
    return Source(outlet, published, tuple(Credit(kind, agency, 0, 1) for kind, agency in credits))


PLAIN = source()


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
    assert relation(Shares(*shares, 0.1), {"copy", "phrase"}, PLAIN, PLAIN) == expected
    turned = {"excerpt": "extended", "extended": "excerpt"}.get(expected, expected)
    assert relation(Shares(*shares, 0.1).turned(), {"copy"}, PLAIN, PLAIN) == turned


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
    assert relation(Shares(0, 0, 0, 0, 0), kinds, PLAIN, PLAIN) == expected


def test_newer_versions_of_one_outlet_are_updates():
    shares = Shares(0.95, 0.92, 1, 1, 0.8)
    assert relation(shares, {"copy"}, source("Post"), source("Post")) == "update"
    assert relation(shares, {"copy"}, source("Post"), source("Star")) == "verbatim copy"
    assert role(shares, source("Post"), source("Post"), duplicate=False) == "update"
    assert role(shares, source("Post"), source("Post"), duplicate=True) == "verbatim copy"


def test_the_agency_is_what_members_credit_most():
    wire = source(None, None, ("dateline", "AFP"))
    both = source(None, None, ("credit", "AP"), ("credit", "Reuters"))
    picture = source(None, None, ("picture", "Getty"))
    assert agency_of([wire, both, picture], [0.9, 0.9, 0.9]) == "AFP"
    assert agency_of([source("Reuters"), both], [0.9, 0.1]) == "Reuters"
    assert agency_of([PLAIN, picture], [1, 1]) is None


def test_the_agency_itself_then_its_dateline_then_time_make_the_origin():
    wire, dated = source("AFP", NIGHT), source("Post", NIGHT, ("dateline", "AFP"))
    early, late = source("Star", NOON), source("Globe", NIGHT)
    assert origin_of([late, dated, wire], [1, 1, 1], [1, 1, 1], "AFP")[0] == 2
    assert origin_of([late, dated], [1, 1], [1, 1], "AFP")[0] == 1
    assert origin_of([late, early], [1, 1], [1, 1], None)[0] == 1
    assert origin_of([late, late], [0.4, 1], [1, 1], None)[0] == 1
    confident = origin_of([late, wire], [1, 1], [1, 1], "AFP")[1]
    unsure = origin_of([late, late], [1, 1], [1, 1], None)[1]
    assert unsure == 0.5 < confident < 1


def test_credit_is_given_by_agency_or_outlet():
    origin = source("The Star")
    assert credited(source(None, None, ("credit", "AP")), origin, "AP", "")
    assert not credited(source(None, None, ("picture", "AP")), origin, "AP", "")
    assert credited(source("Post"), origin, None, "as The Star reported")
    assert not credited(source("The Star"), origin, None, "as The Star reported")
