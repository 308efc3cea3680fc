"""The page in a real browser: its figures, its list, two articles side by side, and what strangers put in it.

Needs Chromium and Playwright. Without them these tests are skipped, unless DEDUP_BROWSER=required is set.
"""

import json
import os
import re
import shutil
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

import dedup
from dedup import schema
from dedup.report.circulation import circulation
from dedup.report.encode import head
from dedup.report.figures import overview
from dedup.report.model import Inputs, Report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None and os.environ.get("DEDUP_BROWSER") != "required":
    pytest.skip("no Chromium is installed", allow_module_level=True)

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
STORY = (
    "GENEVA (Reuters) - The lake froze over on Monday for the first time in ninety years, and the mayor told "
    "people to stay off the ice until engineers had measured it. Schools in the old town closed at noon. "
    "Ferries will not run before Friday, the company said, and trains to the airport are full. "
    "“Nobody alive has seen this,” said the harbour master, who keeps the town's weather book."
)
EDITED = (
    STORY.replace("GENEVA (Reuters) - ", "")
    .replace("on Monday", "on Tuesday")
    .replace("Schools in the old town closed at noon. ", "")
)
LONGER = f"{EDITED} Bakers gave away bread to those who queued for news, our reporter in the port writes."
WORDS = ("quarterly", "earnings", "rose", "sharply", "as", "exporters", "of", "machinery", "booked", "orders")
OTHER = " ".join(f"{word} {place}" for place, word in enumerate(WORDS * 4))
EVIL = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'
URDU = 2 * (
    "جنیوا کی جھیل نوے برس میں پہلی بار جم گئی اور میئر نے لوگوں سے کہا کہ "
    "وہ برف سے دور رہیں جب تک ماہرین اسے ناپ نہ لیں۔ "
)
CHINESE = 2 * (
    "日内瓦湖九十年来首次结冰，市长告诉人们在工程师完成测量之前不要踏上冰面。"
    "老城区的学校中午关闭。渡轮在星期五之前不会运行。"
)
INJECT = """(() => {
  const script = document.createElement("script");
  script.textContent = "window.hacked = 1";
  document.body.append(script);
})()"""


def article(id, text, outlet=None, hours=0, **more):
    return {"id": id, "text": text, "outlet": outlet, "published": NOON + timedelta(hours=hours), **more}


@pytest.fixture(scope="module")
def report():
    return dedup.scan(
        [
            article("wire", STORY, "Reuters", title="Lake freezes over", url="https://example.org/lake"),
            article("post", EDITED, "Post", 2, title="Stay off the ice"),
            article("herald", LONGER, "Herald", 30),
            article("evil-1", f"{OTHER} {EVIL}", EVIL, 1, title=EVIL, url="javascript:window.hacked=1"),
            article("evil-2 \u202egnp", f"{OTHER} {EVIL}", "bidi \u202etxet", 3, title="x" * 1_000_000),
            article("urdu-1", URDU, "Jang", 1, language="ur"),
            article("urdu-2", f"{URDU} مزید تفصیل بعد میں۔", "Dawn", 2, language="ur"),
            article("zh-1", CHINESE, "新华", 1, language="zh"),
            article("zh-2", f"𠀀𠀁 {CHINESE.replace('中午', '下午')}", "日报", 2, language="zh"),
        ]
    )


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def written(report, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    report.write(path)
    return path


class Opened:
    """A page, and whatever went wrong in it or was asked of the network."""

    def __init__(self, browser, path, fragment="", **options):
        self.page = browser.new_context(**options).new_page()
        self.errors, self.requests = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("request", lambda asked: self.requests.append(asked.url))
        self.page.goto(f"{path.as_uri()}{fragment}")
        self.page.wait_for_selector("html[data-ready]", timeout=20_000)


@pytest.fixture
def opened(browser, written):
    made = []

    def open_(fragment="", **options):
        made.append(Opened(browser, written, fragment, **options))
        return made[-1].page

    yield open_
    for one in made:
        assert one.errors == []
        assert [url for url in one.requests if not url.startswith(("file:", "data:", "blob:"))] == []
        one.page.context.close()


def until(holds, seconds=10):
    """Wait until something holds (the page's policy lets no checker in)."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def found(page, words):
    until(lambda: page.locator("#found").inner_text().startswith(words))


def shows(page, left, right):
    until(lambda: page.locator("#sides").get_attribute("data-shown") == f"{left} {right}")


def view(report, left, right):
    family = next(
        row["family"]
        for row in report.families.to_pylist()
        if {left, right} <= {member["article"] for member in row["members"]}
    )
    return f"#/{family}/{left}/{right}"


def test_figures_are_those_of_the_tables(report, opened):
    page = opened()
    figures, travel = overview(report), circulation(report)
    tiles = {
        tile.locator("dt").inner_text(): tile.locator("dd").all_inner_texts()
        for tile in page.locator(".tiles > div").all()
    }
    assert tiles["Articles"][0] == f"{figures.articles:,}"
    assert tiles["Families"] == [f"{figures.families:,}", f"{figures.in_families:,} articles in them"]
    assert tiles["Copied text"][0] == f"{100 * figures.copied:.0f}%"
    assert tiles["Credit given"][0] == f"{travel.credited:,}"
    assert tiles["Inputs"][0] == f"{head(report)['inputs']['read']:,}"
    assert page.locator(".family").count() == report.families.num_rows
    assert sorted(int(size.split()[0]) for size in page.locator(".family .size").all_inner_texts()) == sorted(
        report.families.column("size").to_pylist()
    )


def test_search_sort_and_filters(report, opened):
    page = opened()
    search = page.get_by_label("Search")
    search.fill("reuters lake")
    found(page, "1 of")
    assert "Lake freezes over" in page.locator(".family").inner_text()
    search.fill("no such words")
    found(page, "0 of")
    search.fill("")
    page.get_by_label("At least").fill("3")
    until(lambda: page.locator(".family").count() == 1)
    page.get_by_label("At least").fill("2")
    page.get_by_label("Sort by").select_option("first")
    until(lambda: page.locator(".family").count() > 1)
    assert "Lake freezes over" in page.locator(".family").first.inner_text()
    page.get_by_label("From", exact=True).fill("2030-01-01")
    until(lambda: page.locator(".family").count() == 0)


def test_members_and_what_they_are_made_of(report, opened):
    page = opened()
    family = page.locator(".family", has_text="Lake freezes over")
    family.locator("summary").click()
    rows = family.locator("tbody tr")
    until(lambda: rows.count() == 3)
    assert "origin" in rows.first.inner_text()
    said = rows.first.locator(".bar").get_attribute("aria-label")
    row = next(row for row in report.articles.to_pylist() if row["id"] == "wire")
    shares = [(part["share"], part["kind"]) for part in row["composition"]]
    assert said == ", ".join(f"{100 * share:.{0 if share >= 0.1 else 1}f}% {kind}" for share, kind in shares)
    assert (
        family.locator("a", has_text="Lake freezes over").get_attribute("href") == "https://example.org/lake"
    )
    assert "Reuters" in family.locator(".evidence").inner_text()


def test_marks_stand_at_the_right_words(report, opened):
    page = opened(view(report, "wire", "post"))
    left, right = page.locator(".text").all()
    assert re.sub(r"\s+", " ", left.inner_text()) == STORY
    assert re.sub(r"\s+", " ", right.inner_text()) == EDITED
    assert left.locator("mark").all_inner_texts() == ["Monday"]
    assert right.locator("mark").all_inner_texts() == ["Tuesday"]
    assert left.locator("del").all_inner_texts() == ["Schools in the old town closed at noon"]
    passages = [
        row
        for row in report.passages.to_pylist()
        if {row["left"], row["right"]} == {"wire", "post"} and row["kind"] == "copy"
    ]
    texts = {"wire": STORY, "post": EDITED}
    row = passages[0]
    expected = {
        row[side]: texts[row[side]][row[f"{side}_start"] : row[f"{side}_end"]] for side in ("left", "right")
    }
    assert left.locator(".passage.copy").inner_text() == expected["wire"]
    assert right.locator(".passage.copy").inner_text() == expected["post"]


def test_characters_beyond_the_basic_plane_shift_nothing(report, opened):
    page = opened(view(report, "zh-1", "zh-2"))
    left, right = page.locator(".text").all()
    assert left.locator("mark").all_inner_texts() == ["中", "中"]
    assert right.locator("mark").all_inner_texts() == ["下", "下"]
    assert right.inner_text().startswith("𠀀𠀁 日内瓦湖")


def test_right_to_left_text_runs_from_the_right(report, opened):
    page = opened(view(report, "urdu-1", "urdu-2"))
    assert page.locator(".text").first.evaluate("node => getComputedStyle(node).direction") == "rtl"
    assert page.locator(".text").first.get_attribute("lang") == "ur"


def test_keyboard_and_links(report, opened):
    page = opened(view(report, "wire", "post"))
    page.keyboard.press("n")
    assert page.locator(".here").all_inner_texts() == ["Monday", "Tuesday"]
    page.keyboard.press("n")
    assert page.locator(".here").all_inner_texts() == ["Schools in the old town closed at noon"]
    page.keyboard.press("p")
    assert page.locator(".here").all_inner_texts() == ["Monday", "Tuesday"]
    page.keyboard.press("j")
    shows(page, "wire", "herald")
    assert "Bakers gave away bread" in page.locator(".text").nth(1).inner_text()
    for side, words in (("Left article", "Herald · herald"), ("Right article", "Post · post")):
        select = page.get_by_label(side)
        select.select_option(label=select.locator("option", has_text=words).text_content())
    shows(page, "herald", "post")
    again = opened(page.evaluate("location.hash"))
    assert again.locator(".text").first.inner_text() == page.locator(".text").first.inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("#overview:not([hidden])")


def test_strangers_text_does_nothing(report, opened):
    page = opened()
    for family in page.locator(".family summary").all():
        family.click()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src='x']").count() == 0
    assert [
        link
        for link in page.locator("a").evaluate_all("all => all.map(a => a.protocol)")
        if link not in {"https:", "file:"}
    ] == []
    assert "\u202e" not in page.locator("body").inner_text()
    assert "\\u202egnp" in page.locator("#list").inner_text()
    assert "</script><script>window.hacked=1" in page.locator("#list").inner_text()
    left, right = (row["id"] for row in report.articles.to_pylist() if row["id"].startswith("evil"))
    page.locator(".family", has_text="hacked").get_by_role("link", name="Side by side").first.click()
    page.wait_for_selector("#sides:not([hidden]) .passage")
    assert EVIL in page.locator(".text").first.inner_text()
    assert page.evaluate("window.hacked") is None
    assert (left, right) == ("evil-1", "evil-2 \u202egnp")


def test_the_policy_forbids_what_is_not_the_pages_own(browser, written):
    one = Opened(browser, written)
    with suppress(Exception):
        one.page.evaluate(INJECT)
    assert one.page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in error for error in one.errors)
    one.page.context.close()


def test_light_dark_and_phone(opened):
    shades = [
        opened(color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert shades[0] != shades[1]
    phone = opened(viewport={"width": 360, "height": 740})
    phone.locator(".family summary").first.click()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(report, browser, written, scheme):
    axe = pytest.importorskip("axe_playwright_python.base").AXE_FILE_PATH
    for fragment in ("", view(report, "wire", "post")):
        # The checker is a script of its own, which the page's policy would not run.
        page = Opened(browser, written, fragment, bypass_csp=True, color_scheme=scheme).page
        if not fragment:
            page.locator(".family summary").first.click()
        page.evaluate(axe.read_text("utf-8"))
        wrong = page.evaluate("axe.run()")["violations"]
        assert [
            (one["id"], one["nodes"][0]["html"]) for one in wrong if one["impact"] in {"serious", "critical"}
        ] == []
        page.context.close()


def large(families, members):
    """A report of many families, made by hand: two articles of each share one passage."""
    ids = [f"{number:07}" for number in range(families * members)]
    text = " ".join(f"word{number % 97}" for number in range(300))
    names = [f"{number // members:016x}" for number in range(len(ids))]
    count = len(ids)
    part = {"kind": "copy", "start": 0, "end": 900, "share": 0.9}
    columns = {
        "id": ids,
        "title": [f"Title {id}" for id in ids],
        "outlet": [f"outlet{n % 300}" for n in range(count)],
        "published": [NOON + timedelta(minutes=n % 5000) for n in range(count)],
        "families": [[name] for name in names],
        "composition": [[{**part, "family": name}] for name in names],
    }
    same = {"characters": len(text), "tokens": 300, "status": "ok", "agencies": ["AP"], "credits": []}
    same |= {"copied": 0.9, "quoted": 0.0, "boilerplate": 0.0}
    rows = {field.name: columns.get(field.name, [same.get(field.name)] * count) for field in schema.ARTICLES}
    groups = [ids[first : first + members] for first in range(0, count, members)]
    member = {"role": "edited copy", "share": 0.9, "origin_share": 0.9, "credited": False}
    told = {
        "family": names[::members], "size": [members] * families, "origin": [own[0] for own in groups],
        "agency": ["AP"] * families, "confidence": [0.9] * families, "evidence": [[]] * families,
        "members": [[{"article": id, **member} for id in own] for own in groups],
    }  # fmt: skip
    span = {"left_start": 0, "left_end": 900, "right_start": 0, "right_end": 900}
    shared = [
        {"left": own[0], "right": own[1], **span, "matched_tokens": 150, "similarity": 1.0, "kind": "copy"}
        for own in groups
    ]
    return Report(
        pa.table(rows, schema.ARTICLES), pa.Table.from_pylist(shared, schema.PASSAGES),
        schema.PAIRS.empty_table(), pa.table(told, schema.FAMILIES), Inputs(count), {}, "0",
        dict.fromkeys(ids, text),
    )  # fmt: skip


def test_five_thousand_families_open_in_time(browser, tmp_path):
    path = tmp_path / "large.html"
    large(5_000, 20).write(path)
    assert path.stat().st_size < 60_000_000
    begun = time.perf_counter()
    one = Opened(browser, path)
    taken = time.perf_counter() - begun
    assert one.page.locator("#found").inner_text() == "5,000 families"
    assert one.page.locator(".family").count() < 200  # the rest is drawn as one scrolls
    one.page.get_by_label("Search").fill("Title 0099999")
    found(one.page, "1 of")
    one.page.context.close()
    assert taken < 2


def test_what_a_page_cannot_hold_is_said(browser, tmp_path, monkeypatch):
    monkeypatch.setattr("dedup.report.html.TEXTS", 3_000)
    monkeypatch.setattr("dedup.report.html._BLOCK", 1_000)
    path = tmp_path / "cut.html"
    report = large(30, 2)
    report.write(path)
    one = Opened(browser, path)
    missing = one.page.evaluate("unpack('index').then((index) => index.block.filter((b) => b < 0).length)")
    assert 0 < missing < 60
    assert (
        f"The texts of {missing} articles are not in this page" in one.page.locator("main").first.inner_text()
    )
    family = report.families.to_pylist()[-1]
    left, right = (member["article"] for member in family["members"])
    one.page.goto(f"{path.as_uri()}#/{family['family']}/{left}/{right}")
    one.page.wait_for_selector("#sides:not([hidden]) .text")
    assert "not in this page" in one.page.locator(".text").first.inner_text()
    one.page.context.close()


def test_json_and_page_say_the_same(report, opened, tmp_path):
    report.write(tmp_path / "report.json")
    said = json.loads((tmp_path / "report.json").read_bytes())
    index = opened().evaluate("unpack('index')")
    told = {
        family["name"]: [index["id"][member[0]] for member in family["members"]]
        for family in index["families"]
    }
    assert told == {
        row["family"]: [member["article"].replace("\u202e", "\\u202e") for member in row["members"]]
        for row in said["families"]
    }
