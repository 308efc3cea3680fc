"""The filter: verdicts, what it promises, and that it says what a scan says."""

import gc
import json
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest

import dedup
from dedup.errors import IndexStoreError, InputError, SettingsError
from dedup.online import lists
from dedup.online.index import FORMAT, Index
from dedup.online.rocks import Rocks, telling
from dedup.online.segments import Store, files
from dedup.online.upkeep import exported, stats, verify
from dedup.schema import COPYING

TURNED = {"excerpt": "extended", "extended": "excerpt"}


@pytest.fixture
def story(example):
    draw = random.Random(7)
    return [" ".join(example.story(draw)) for _ in range(6)]


@pytest.fixture
def index(tmp_path):
    return tmp_path / "index"


def article(id, text, **facts):
    return {"id": id, "text": text, **facts}


def told(verdict):
    return verdict.verdict, [(match.id, match.relation) for match in verdict.matches]


def test_verdicts(index, story):
    one, two, other = story[:3]
    changed = one.replace("a", "e", 2)
    with dedup.Filter(index) as own:
        assert told(own.check(article("1", one, outlet="A"))) == ("new", [])
        assert told(own.check(article("2", one.upper(), outlet="B"))) == ("duplicate", [("1", "duplicate")])
        assert told(own.check(article("3", changed, outlet="C"))) == ("copy", [("1", "verbatim copy")])
        assert told(own.check(article("4", changed + " " + other[:100], outlet="A")))[0] == "update"
        half = " ".join(one.split()[:50])
        found = own.check(article("5", f"{two}\n\n{half}", outlet="D"))
        assert (found.verdict, found.matches[0].id) == ("partial", "1")
        assert own.check(article("6", "too short to say")).verdict == "new"


def test_the_evidence(index, story):
    one, two = story[:2]
    text = f"{two}\n\n{one}"
    with dedup.Filter(index) as own:
        own.check(article("1", one))
        found = own.check(article("2", text))
    [match] = found.matches
    assert (match.relation, match.their_containment) == ("extended", 1.0)
    assert match.containment == pytest.approx(0.5)
    [shared] = match.passages
    assert text[shared.start : shared.end] == one.rstrip(".")
    assert one[shared.their_start : shared.their_end] == one.rstrip(".")
    assert found.families
    assert found.origin == "1"


def test_the_same_again_is_told_the_same_and_never_matches_itself(index, story):
    first = article("1", story[0])
    with dedup.Filter(index) as own:
        before = own.check(first)
        assert own.check(first) == before
        assert own.check_many([first, first]) == [before, before]
    with dedup.Filter(index) as own:
        assert own.check(first) == before
        assert stats(own.index)["articles"] == 1


def test_another_text_under_the_same_id_is_a_new_version(index, story):
    with dedup.Filter(index) as own:
        own.check(article("1", story[0]))
        newer = own.check(article("1", story[0] + " " + story[1][:120]))
        assert told(newer) == ("update", [("1", "edited copy")])
        assert own.check(article("1", story[2])).verdict == "update"
        assert own.check(article("1", story[2])).verdict == "update"
        assert own.index.versions("1")[0].number == 2


def test_one_address_makes_an_update(index, story):
    with dedup.Filter(index) as own:
        own.check(article("1", story[0], url="https://a.example/1"))
        newer = own.check(article("2", story[0] + " " + story[1][:120], url="https://a.example/1"))
    assert newer.verdict == "update"


def test_asking_changes_nothing(index, story):
    with dedup.Filter(index) as own:
        own.check(article("1", story[0]))
        asked = own.query(article("2", story[0] + " More."))
        assert asked.verdict == "copy"
        assert own.query(article("3", story[1])).verdict == "new"
        assert own.check(article("4", story[1])).verdict == "new"
        assert stats(own.index)["articles"] == 2
    with dedup.Filter(index, read_only=True) as reader:
        assert reader.query(article("2", story[0] + " More.")) == asked
        with pytest.raises(SettingsError, match="read_only"):
            reader.check(article("5", story[2]))


def test_deleted_articles_are_matched_no_more(index, story):
    with dedup.Filter(index) as own:
        own.check(article("1", story[0]))
        assert own.delete("1")
        assert not own.delete("1")
        assert own.check(article("2", story[0])).verdict == "new"
        assert own.check(article("3", story[0])).verdict == "duplicate"
        assert own.check(article("1", story[1])).verdict == "new"
        assert list(verify(own.index)) == []


def test_who_repeats_a_deleted_article_stands_for_it(index, story):
    with dedup.Filter(index) as own:
        own.check_many(
            [article("1", story[0], agency="Reuters"), article("2", story[0]), article("3", story[0])]
        )
        [name] = own.check(article("4", story[0] + " More.")).families
        assert own.family(name)["origin"] == "1"
        own.delete("1")
        assert own.family(name) == {"family": name, "size": 3, "origin": "2", "members": ["2", "3", "4"]}
        assert [match.id for match in own.query(article("5", story[0])).matches] == ["2"]
        edited = own.query(article("5", story[0] + " And more."))
        assert {"2", "4"} <= {match.id for match in edited.matches}
        assert edited.families == (name,)
        for id in ("3", "2", "4"):
            own.delete(id)
        assert own.family(name) is None
        assert own.check(article("5", story[0] + " And more.")).verdict == "new"
        assert list(verify(own.index)) == []


@pytest.mark.parametrize("size", [1, 4])
def test_a_repeat_stands_for_the_first_that_is_out_of_the_window(index, story, size):
    """All but the last are of one partition, in which only the first is posted."""
    hours = {"first": 0, "again": 30, "third": 40, "edited": 183}
    articles = [
        article(
            id,
            story[0] + (" More." if id == "edited" else ""),
            published=f"2024-05-{1 + at // 24:02}T{at % 24:02}:00:00Z",
        )
        for id, at in hours.items()
    ]
    with dedup.Filter(index, window="6d") as own:
        parts = [own.check_many(articles[at : at + size]) for at in range(0, len(articles), size)]
        verdicts = [verdict for part in parts for verdict in part]
        assert [[match.id for match in verdict.matches] for verdict in verdicts] == [
            [],
            ["first"],
            ["first"],
            ["third"],
        ]
        repeat = article("repeat", story[0], published="2024-05-08T15:00:00Z")
        assert [match.id for match in own.query(repeat).matches] == ["third"]


@pytest.mark.parametrize("window", ["2d", "8d", None])
def test_articles_out_of_order_get_the_same_verdicts_in_batches_of_any_size(tmp_path, example, window):
    articles = example.out_of_order(300)
    given = []
    for size in (1, 7, 256):
        with dedup.Filter(tmp_path / str(size), window=window) as own:
            parts = [own.check_many(articles[at : at + size]) for at in range(0, len(articles), size)]
        given.append([verdict for part in parts for verdict in part])
    assert given[0] == given[1] == given[2]
    assert len({verdict.verdict for verdict in given[0]}) >= 4


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("most", [300, 2**20])
def test_the_size_of_batches_and_segments_makes_no_difference(tmp_path, example, monkeypatch, size, most):
    articles = example.stories(60, copies=4)
    with dedup.Filter(tmp_path / "one") as own:
        whole = own.check_many(articles)
    monkeypatch.setattr(lists, "MOST", most)
    with dedup.Filter(tmp_path / "other") as own:
        parts = [own.check_many(articles[at : at + size]) for at in range(0, len(articles), size)]
    assert [verdict for part in parts for verdict in part] == whole


def test_it_says_what_a_scan_says(index, example):
    """Each article against a scan of it and all before it: the same relations, containments, families."""
    articles = example.stories(40, copies=3, seed=3)
    with dedup.Filter(index) as own:
        verdicts = own.check_many(articles)
    for number in range(1, len(articles)):
        report = dedup.scan(articles[: number + 1])
        latest = articles[number]["id"]
        expected = {}
        for row in report.pairs.to_pylist():
            if latest in (row["left"], row["right"]) and row["relation"] in COPYING:
                right = row["right"] == latest
                name = row["relation"] if right else TURNED.get(row["relation"], row["relation"])
                shares = row["left_containment"], row["right_containment"]
                own_share, theirs = shares[::-1] if right else shares
                expected[row["left"] if right else row["right"]] = name, own_share, theirs
        found = {m.id: (m.relation, m.containment, m.their_containment) for m in verdicts[number].matches}
        assert found == pytest.approx(expected) if not expected else found.keys() == expected.keys()
        for id, (name, *shares) in expected.items():
            assert found[id][0] == name
            assert found[id][1:] == pytest.approx(shares)
        [row] = [row for row in report.articles.to_pylist() if row["id"] == latest]
        assert len(verdicts[number].families) == len(row["families"])
    families = defaultdict(set)
    index = Index(index, read_only=True)
    for spot, facts, _ in index.everything():
        for one in index.families([spot])[0]:
            families[one["family"]].add(facts["id"])
    whole = dedup.scan(articles).families.to_pylist()
    assert sorted(map(sorted, families.values())) == sorted(
        sorted(member["article"] for member in row["members"]) for row in whole
    )
    index.close()


def test_families_keep_their_name(index, story):
    with dedup.Filter(index) as own:
        own.check(article("0", story[0]))
        names = {own.check(article(str(n), story[0].replace("a", "o", n))).families for n in range(1, 30)}
        assert len(names) == 1
        [[name]] = names
        assert own.index.family(name)["size"] == 30


def test_a_story_in_many_copies_stays_cheap(index, story):
    words = story[0].split()
    draw = random.Random(1)
    with dedup.Filter(index) as own:
        for start in range(0, 600, 100):
            own.check_many(
                [
                    article(
                        f"{start + n}", " ".join(w for w in words if draw.random() > 0.02) + f" {start}x{n}"
                    )
                    for n in range(100)
                ]
            )
        [day] = own.index.partitions
        keys = np.concatenate([log.keys for _, log in Store(own.index.rocks, f"p{day}").logs()])
        assert np.diff(own.index.lists([day], np.unique(keys)).bounds).max() <= 64
        assert own.check(article("last", " ".join(words[:60]))).verdict == "copy"


def test_the_window(index, story):
    with dedup.Filter(index, window="7d") as own:
        own.check(article("1", story[0], published="2024-05-01T00:00:00Z"))
        near = own.query(article("2", story[0] + " More.", published="2024-05-07T00:00:00Z"))
        far = own.query(article("2", story[0] + " More.", published="2024-05-09T00:00:00Z"))
        assert (near.verdict, far.verdict) == ("copy", "new")
        repeat = own.query(article("2", story[0], published="2024-05-09T00:00:00Z"))
        assert repeat.verdict == "new"
        own.check(article("3", story[1], published="2024-06-01T00:00:00Z"))
        assert len(own.index.partitions) == 1  # the days before are gone
        assert own.query(article("2", story[0] + " More.", published="2024-05-02T00:00:00Z")).verdict == "new"
    with pytest.raises(SettingsError, match="write it as 12h, 7d or 4w"):
        dedup.Filter(index, window="a week")


@pytest.mark.parametrize("size", [2, 5, 100])
def test_the_window_is_the_same_in_batches_of_any_size(tmp_path, story, size):
    """A partition that begins lets others expire before its first article is judged."""
    articles = []
    for day in range(1, 25):
        articles.append(
            article(f"d{day}", story[day % 6] + f" {day}", published=f"2024-05-{day:02}T12:00:00Z")
        )
        if day % 4 == 0:  # too late for what came before it, and in a partition that may be gone
            late = f"2024-05-{day - 3:02}T11:00:00Z" if day % 8 else "2024-04-02T00:00:00Z"
            articles.append(article(f"late {day}", story[day % 6] + f" {day - 12}", published=late))
    found = {}
    for at_once in (1, size):
        with dedup.Filter(tmp_path / str(at_once), window="7d") as own:
            given = []
            for first in range(0, len(articles), at_once):
                given += own.check_many(articles[first : first + at_once])
            found[at_once] = given, own.index.partitions
    assert found[size] == found[1]
    assert len(found[1][1]) < 12
    assert {verdict.verdict for verdict in found[1][0]} >= {"new", "copy"}


def test_a_late_article_and_one_that_begins_a_partition_come_together(index, story):
    with dedup.Filter(index, window="7d") as own:
        own.check(article("a", story[0], published="2024-05-20T00:00:00Z"))
        late = article("b", story[1], published="2024-05-01T00:00:00Z")
        own.check_many([late, article("c", story[2], published="2024-05-25T00:00:00Z")])
        assert own.check(late).verdict == "new"
        asked = article("asked", story[2], published="2024-05-24T00:00:00Z")
        assert own.query(asked).verdict == "duplicate"


def test_segments_go_with_their_days(index, example, monkeypatch):
    monkeypatch.setattr(lists, "MOST", 50)
    with dedup.Filter(index, window="7d") as own:
        for number, text in enumerate(example.stories(12)):
            own.check({**text, "id": str(number), "published": "2024-05-01T00:00:00Z"})
            time.sleep(0.01)
        assert len(files(index)) == 1
        own.check(article("last", "Something else.", published="2024-07-01T00:00:00Z"))
        assert files(index) == {}
    (index / "p1-0-1.postings").write_bytes(b"of a partition that was dropped by halves")
    dedup.Filter(index).close()
    assert files(index) == {}


def test_a_clock_from_the_future_is_clamped_and_said(index, story):
    with dedup.Filter(index, window="7d") as own:
        found = own.check(article("1", story[0], published="2099-01-01T00:00:00Z"))
        assert "2099" in found.notes[0]
        assert own.check(article("2", story[0] + " More.")).verdict == "copy"


def test_boilerplate_shows_itself_over_time(index, example):
    draw = random.Random(5)
    foot = "\n\n" + " ".join(example.story(draw, 30))
    with dedup.Filter(index) as own:
        verdicts = [
            own.check(
                article(str(n), " ".join(example.story(draw)) + foot, outlet="A", published=f"2024-05-0{n}")
            )
            for n in range(1, 8)
        ]
    assert [verdict.verdict for verdict in verdicts[3:]] == ["new"] * 4


@pytest.mark.parametrize("size", [3, 100])
def test_boilerplate_shows_itself_to_those_behind_only(tmp_path, example, size):
    draw = random.Random(6)
    feet = ["\n\n" + " ".join(example.story(draw, 40)) for _ in range(2)]
    articles = [
        article(
            str(n), " ".join(example.story(draw)) + draw.choice(feet), outlet="A", published=f"2024-05-{n:02}"
        )
        for n in range(1, 25)
    ]
    with dedup.Filter(tmp_path / "one") as own:
        expected = [own.check(one) for one in articles]
    with dedup.Filter(tmp_path / "other") as own:
        parts = [own.check_many(articles[at : at + size]) for at in range(0, 24, size)]
    assert [verdict for part in parts for verdict in part] == expected
    assert {verdict.verdict for verdict in expected} == {"new", "partial"}


def test_other_settings_are_refused_with_both_values(index):
    dedup.Filter(index, settings={"shingle": 4}).close()
    with pytest.raises(IndexStoreError, match=r"shingle=4.*shingle=5"):
        dedup.Filter(index, settings={"shingle": 5})
    with dedup.Filter(index) as own:  # those of the index count
        assert own.index.settings.shingle == 4


def test_what_is_not_asked_for_need_not_be_as_in_the_index(index):
    dedup.Filter(index, settings={"min_tokens": 30}).close()
    with dedup.Filter(index, settings={"threads": 1, "batch_size": 7}) as own:
        assert own.index.settings.min_tokens == 30


def test_numbers_in_a_partition_that_comes_again_are_new(index, story):
    with dedup.Filter(index, window="7d") as own:
        own.check(article("x", story[0], published="2024-01-02"))
        own.check(article("x", story[1], published="2024-01-10"))
        own.check(article("z", story[2], published="2024-01-14"))  # 2 January is dropped
        own.check(article("y", story[3], published="2024-01-02"))
        assert own.delete("x")
        assert own.get("y")
    with dedup.Filter(index, window="7d") as own:
        assert list(verify(own.index)) == []
        assert told(own.check(article("y", story[3], published="2024-01-02"))) == ("new", [])
        family = own.check(article("y2", story[3] + " more of it", published="2024-01-03")).families
        assert own.family(family[0])["members"] == ["y", "y2"]


def test_an_earlier_version_again_is_told_the_same(index, story):
    with dedup.Filter(index) as own:
        first = own.check(article("x", story[0]))
        second = own.check(article("x", story[0] + " and something more"))
        assert (first.verdict, second.verdict) == ("new", "update")
        assert own.check(article("x", story[0])) == first
        assert own.check(article("x", story[0] + " and something more")) == second
        assert own.get("x")[1] == second


def test_damage_to_the_database_is_found(index, example):
    draw = random.Random(3)
    with dedup.Filter(index) as own:
        own.check_many([article(str(n), " ".join(example.story(draw))) for n in range(300)])
        own.index.rocks.compact()
    path = max(index.glob("*.sst"), key=lambda path: path.stat().st_size)
    whole = path.read_bytes()
    for part in (1, 3, 5):
        wrong = bytearray(whole)
        wrong[len(whole) * part // 7] ^= 1
        path.write_bytes(wrong)
        own = Index(index, read_only=True)
        assert any("damaged" in line for line in verify(own))
        own.close()


def test_another_version_is_refused_with_both_values(index):
    dedup.Filter(index).close()
    own = Index(index)
    about = json.loads(own.rocks.get("default", b"about"))
    own.rocks.write([("default", b"about", json.dumps({**about, "format": 99}).encode())])
    own.close()
    with pytest.raises(IndexStoreError, match=f"format 99, this version of dedup reads {FORMAT}"):
        dedup.Filter(index)


def test_nothing_is_told_before_it_is_durable(index, story, monkeypatch):
    done = []

    def spied(name, plain):
        def spy(self, *given, **named):
            done.append(name)
            return plain(self, *given, **named)

        monkeypatch.setattr(Rocks, name, spy)

    spied("write", Rocks.write)
    spied("sync", Rocks.sync)
    with dedup.Filter(index) as own:
        for step in (
            lambda: own.check(article("1", story[0])),
            lambda: own.check_many(article(str(n), f"{n} {story[1]}") for n in range(2, 400)),
            lambda: own.delete("1"),
        ):
            done.clear()
            step()
            assert "write" in done
            assert done[-1] == "sync"


def test_one_writer_at_a_time(index):
    hold = f"import dedup; f = dedup.Filter({str(index)!r}); print('ready', flush=True); input()"
    first = subprocess.Popen([sys.executable, "-c", hold], stdin=-1, stdout=-1, text=True)
    try:
        assert first.stdout.readline() == "ready\n"
        with pytest.raises(IndexStoreError, match=rf"process {first.pid} on "):
            dedup.Filter(index)
        dedup.Filter(index, read_only=True).close()
    finally:
        first.communicate("\n")
    dedup.Filter(index).close()


def test_a_reader_keeps_what_it_opened_while_another_writes(index, example, monkeypatch):
    """Files that the writer replaces in the meantime are still read, though they are many."""
    monkeypatch.setattr(lists, "MOST", 50)
    plain = Rocks._options

    def small(self):
        options = plain(self)
        options.set_target_file_size_base(20_000)
        return options

    monkeypatch.setattr(Rocks, "_options", small)
    draw = random.Random(3)
    texts = [f"{' '.join(example.story(draw))} {draw.randbytes(10_000).hex()}" for _ in range(120)]

    def taken(own, first, stop):
        for number in range(first, stop):
            own.check(article(f"{number}", texts[number]))
            time.sleep(0.01)  # for segments to be written
            if number % 20 == 19:
                own.index.rocks.compact()

    with dedup.Filter(index) as own:
        taken(own, 0, 80)
        assert len(list(index.glob("*.sst"))) > 20
        with dedup.Filter(index, read_only=True) as reader:
            there = set(index.iterdir())
            taken(own, 80, 120)
            assert {path.suffix for path in there - set(index.iterdir())} >= {".sst", ".postings"}
            for number, text in enumerate(texts[:80]):
                found = reader.query(article("asked", f"{text} And so on."))
                assert [match.id for match in found.matches] == [f"{number}"]


def test_several_threads_may_use_one_filter(index, example):
    articles = example.stories(80, copies=3)
    out = {}
    with dedup.Filter(index) as own:

        def run(first):
            for one in articles[first::4]:
                out[one["id"]] = own.check(one)

        threads = [threading.Thread(target=run, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(out) == 80
        assert own.check_many(articles) == [out[one["id"]] for one in articles]
        assert list(verify(own.index)) == []
        assert len(list(exported(own.index))) == 80


@pytest.mark.parametrize(
    "wrong",
    [{"id": "1"}, {"id": "", "text": "a"}, {"id": "1", "text": 5}, "text", {"id": "1", "text": "\ud800"}],
)
def test_what_is_no_article_is_refused(index, wrong):
    with dedup.Filter(index) as own, pytest.raises(InputError):
        own.check(wrong)


def test_a_closed_filter_says_so(index, story):
    own = dedup.Filter(index)
    own.close()
    own.close()
    with pytest.raises(IndexStoreError, match="closed"):
        own.check(article("1", story[0]))


def test_there_is_no_index_to_read(tmp_path):
    with pytest.raises(IndexStoreError, match="there is no index"):
        dedup.Filter(tmp_path / "nothing", read_only=True)


def test_the_number_of_a_deleted_article_goes_to_no_other(index, story):
    with dedup.Filter(index) as own:
        own.check_many(article(f"{number}", text) for number, text in enumerate(story[:3]))
        own.delete("2")
    with dedup.Filter(index) as own:
        assert list(verify(own.index)) == []
        [day] = own.index.partitions
        assert own.index.number(day) == 3
        assert own.check(article("other", story[3])).verdict == "new"
        assert own.check(article("again", story[2])).verdict == "new"
        assert list(verify(own.index)) == []


def test_an_error_after_the_first_on_a_full_disk_says_so_too(tmp_path, monkeypatch):
    """The database then says no more than that there was one before."""
    for free, words in ((2**20, "the disk is full"), (2**40, "Writer has previous error")):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        with pytest.raises(IndexStoreError, match=words), telling(tmp_path):
            raise OSError("IO error: Writer has previous error.")


def test_articles_that_are_gone_are_missed(index, story):
    """Damage to the log or the manifest of the database takes them away without a trace."""
    own = dedup.Filter(index)
    own.check_many([article(str(n), text) for n, text in enumerate(story)])
    shutil.copytree(index, index.with_name("cut"))  # as after a kill
    shutil.copytree(index, index.with_name("flipped"))
    own.close()
    for name in ("cut", "flipped"):
        [log] = [path for path in index.with_name(name).glob("*.log") if path.stat().st_size]
        data = bytearray(log.read_bytes())
        data[len(data) // 2] ^= 1
        log.write_bytes(data if name == "flipped" else b"")
        for read_only in (True, False):
            with pytest.raises(IndexStoreError, match="damaged"):
                dedup.Filter(index.with_name(name), read_only=read_only)
    (index.with_name("cut") / "ARTICLES").unlink()
    with dedup.Filter(index.with_name("cut")) as own:
        assert stats(own.index)["articles"] == 0


def test_damage_is_found(index, story):
    with dedup.Filter(index) as own:
        own.check_many([article(str(n), text) for n, text in enumerate(story)])
        [day] = own.index.partitions
        own.index.rocks.write(
            [(f"a{day}", b"v" + (2).to_bytes(4, "big"), None), (f"p{day}", b"12345", b"123")]
        )
        wrong = list(verify(own.index))
    assert any("has no" in line for line in wrong)
    assert any("damaged" in line for line in wrong)


def test_a_full_disk_is_said_and_nothing_is_lost(index, story, tmp_path):
    """A limit on the size of files stands for a full disk."""
    script = f"""
import json, resource, signal, sys
import dedup
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
own = dedup.Filter({str(index)!r})
done = 0
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    for number in range(10_000):
        words = " ".join(f"w{{number * 300 + n}}" for n in range(300))
        own.check({{"id": str(number), "text": f"{{number}} {{words}}"}})
        done = number + 1
except dedup.IndexStoreError as error:
    print(json.dumps([done, str(error)]))
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    done, message = json.loads(run.stdout.splitlines()[-1])
    assert done > 10
    assert str(index) in message
    with dedup.Filter(index) as own:
        assert stats(own.index)["articles"] >= done
        assert list(verify(own.index)) == []
        again = own.check({"id": "0", "text": "0 " + " ".join(f"w{n}" for n in range(300))})
        assert again.verdict == "new"


def test_what_fails_to_be_written_is_not_counted_as_kept(index, story, monkeypatch):
    monkeypatch.setattr("dedup.online.index._OFTEN", 0)
    with dedup.Filter(index) as own:
        first = own.check(article("1", story[0]))

        def full(*_):
            raise IndexStoreError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(own.index.rocks, "write", full)
            with pytest.raises(IndexStoreError, match="full"):
                own.check(article("2", story[1]))
        assert own.check(article("1", story[0])) == first
    with dedup.Filter(index) as own:
        assert own.check(article("2", story[1])).verdict == "new"


def test_what_is_on_disk_and_not_in_memory_ends_the_filter(index, story, monkeypatch):
    changed = story[0].replace("a", "e", 2)
    with dedup.Filter(index) as own:
        with monkeypatch.context() as patch:
            patch.setattr(lists.Lists, "added", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                own.check(article("1", story[0]))
        with pytest.raises(IndexStoreError, match="closed"):
            own.check(article("2", changed))
    with dedup.Filter(index) as own:
        assert told(own.check(article("2", changed))) == ("copy", [("1", "verbatim copy")])


def test_a_partition_that_could_not_be_made_or_dropped_is_so_later(index, story, monkeypatch):
    def full(*_):
        raise IndexStoreError("the disk is full")

    with dedup.Filter(index, window="1d") as own:
        create = own.index.rocks.create
        with monkeypatch.context() as patch:
            patch.setattr(own.index.rocks, "create", lambda name: (full if name[0] == "a" else create)(name))
            with pytest.raises(IndexStoreError, match="full"):
                own.check(article("1", story[0], published="2024-05-01"))
        assert own.check(article("1", story[0], published="2024-05-01")).verdict == "new"
        with monkeypatch.context() as patch:
            patch.setattr(own.index.rocks, "drop", full)
            with pytest.raises(IndexStoreError, match="full"):
                own.check(article("2", story[0], published="2024-05-09"))
        assert own.check(article("2", story[0], published="2024-05-09")).verdict == "new"
        own.check(article("3", story[0], published="2024-05-20"))
        assert len(own.index.partitions) == 1


@pytest.mark.parametrize("gone", ["deleted", "out of the window"])
def test_who_is_gone_takes_nobodys_place(index, story, example, gone):
    """More share a paragraph than are compared with one; all but the latest are gone."""
    draw = random.Random(3)

    def carrier(id, published):
        own = " ".join(example.story(draw)[:40])
        return article(id, f"{own}\n\n{story[0]}", published=published)

    with dedup.Filter(index, window="7d") as own:
        for number in range(12):
            own.check(carrier(f"old {number}", f"2024-05-06T0{number // 2}:00:00Z"))
        latest = own.check(carrier("latest", "2024-05-06T20:00:00Z"))
        assert len(latest.matches) in range(8, 12)
        if gone == "deleted":
            for number in range(12):
                assert own.delete(f"old {number}")
        found = own.check(carrier("new", "2024-05-13T12:00:00Z"))
        assert [match.id for match in found.matches] == ["latest"]


def test_old_articles_make_no_partitions_of_their_own(index, story, example):
    draw = random.Random(5)
    with dedup.Filter(index, window="7d") as own:
        own.check(article("now", story[0], published="2024-05-20"))
        for year in range(1, 2024, 40):
            text = " ".join(example.story(draw))
            own.check(article(f"{year}", text, published=f"{year:04}-03-04"))
        again = own.check(article("again", f"{text} more", published="2001-03-05"))
        assert len(own.index.partitions) <= 2
        assert told(again)[1] == [("2001", "verbatim copy")]
        assert "is before the window" in again.notes[0]
    with dedup.Filter(index.with_name("other")) as own:
        for year in range(1, 2024, 40):
            own.check(article(f"{year}", f"{year} {story[1]}", published=f"{year:04}-03-04"))
        assert own.index.partitions[0] == 0
        assert len(own.index.partitions) <= 1 + (2024 - 1970) // 40 + 1


def test_too_many_partitions_are_told(index, story, monkeypatch):
    monkeypatch.setattr("dedup.online.judge.PARTITIONS", 2)
    with dedup.Filter(index) as own:
        own.check(article("1", story[0], published="2020-05-20"))
        own.check(article("2", story[1], published="2022-05-20"))
        with pytest.raises(IndexStoreError, match=r"look into 3 partitions; give a --window"):
            own.check(article("3", story[2], published="2024-05-20"))


def test_the_last_time_there_is_counts_as_now(index, story):
    with dedup.Filter(index) as own:
        found = own.check(article("1", story[0], published="9999-12-31T23:59:59.999999Z"))
        assert "9999-12-31T23:59:59+00:00 is in the future" in found.notes[0]
        assert next(exported(own.index))["published"] == "9999-12-31T23:59:59.999999+00:00"


def test_versions_are_known_though_one_between_has_expired(index, story):
    with dedup.Filter(index, window="7d") as own:
        first = own.check(article("x", story[0], published="2024-05-10"))
        own.check(article("x", story[1], published="2024-05-04"))
        own.check(article("x", story[2], published="2024-05-10"))
        own.check(article("y", story[3], published="2024-05-14"))  # 4 May is dropped
        assert own.check(article("x", story[0], published="2024-05-10")) == first
        assert own.delete("x")
        assert own.get("x") is None


def test_who_has_the_words_of_a_deleted_article_is_known(index, story):
    with dedup.Filter(index, window="12h") as own:
        own.check(article("a", story[0], published="2024-05-10T00:00:00Z"))
        assert told(own.check(article("b", story[0], published="2024-05-10T20:00:00Z"))) == ("new", [])
        assert own.delete("a")
        found = own.check(article("c", story[0], published="2024-05-10T21:00:00Z"))
        assert told(found) == ("duplicate", [("b", "duplicate")])


def test_declared_provenance_outranks_guesses(tmp_path):
    story = " ".join(f"word{number} and then" for number in range(60))
    articles = [
        {"id": "a", "text": story, "outlet": "Post", "published": "2024-05-01"},
        {"id": "b", "text": f"{story} more", "outlet": "Wire", "published": "2024-05-02",
         "url": "https://wire.org/9"},
        {"id": "c", "text": f"{story} other", "outlet": "Star", "published": "2024-05-03",
         "derived_from": "http://www.wire.org/9/"},
    ]  # fmt: skip
    with dedup.Filter(tmp_path / "index") as own:
        before, after = own.check_many(articles)[1:]
    assert (before.origin, after.origin) == ("a", "b")
    [family] = dedup.scan(articles).families.to_pylist()
    assert family["origin"] == after.origin
    with dedup.Filter(tmp_path / "other") as own:
        declared = own.check_many([{**articles[0], "credit": "Reuters"}, articles[1]])[1]
    assert declared.origin == "a"


def test_a_batch_leaves_nothing_for_the_search_for_cycles(index, example):
    many = example.stories(120, copies=4)
    with dedup.Filter(index) as own:
        own.check_many(many[:60])
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            own.check_many(many[60:])
            gc.collect()
            assert not [left for left in gc.garbage if type(left).__module__.startswith("dedup")]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()


def test_a_large_family_is_told_alike_in_batches_of_any_size(tmp_path, example):
    draw = random.Random(3)
    words = example.story(draw, 200)
    many = []
    for number in range(50):
        start = draw.randrange(120)
        kept = [word if draw.random() > 0.05 else word[::-1] for word in words[start : start + 80]]
        text = " ".join([*example.story(draw, 30), "\n\n", *kept])
        many.append(article(str(number), text, published=f"2024-05-01T12:{number:02}:00Z"))
    told = []
    for size in (1, 7, 50):
        with dedup.Filter(tmp_path / str(size)) as own:
            cut = [many[at : at + size] for at in range(0, len(many), size)]
            told.append([verdict for part in cut for verdict in own.check_many(part)])
    assert told[0] == told[1] == told[2]
