// Two articles side by side: what both hold, and what was changed within it.

const LONG = 4000000; // units of text in a passage pair from which on words are not compared

function pieces(characters, passages, dims) {
  // Cuts of one text: passages as they come, whatever lies between, and what is dimmed of that.
  const cuts = [];
  let at = 0;
  for (const passage of passages) {
    if (passage.end <= at) continue;
    if (passage.start > at) cuts.push({ start: at, end: passage.start });
    cuts.push({ ...passage, start: Math.max(at, passage.start) });
    at = passage.end;
  }
  if (at < characters.length) cuts.push({ start: at, end: characters.length });
  return cuts.flatMap((cut) => (cut.passage === undefined ? dimmed(cut, dims) : [cut]));
}

function dimmed(cut, dims) {
  const out = [];
  let at = cut.start;
  for (const [start, end] of dims) {
    const first = Math.max(at, start);
    const last = Math.min(cut.end, end);
    if (first >= last) continue;
    if (first > at) out.push({ start: at, end: first });
    out.push({ start: first, end: last, dim: true });
    at = last;
  }
  if (at < cut.end) out.push({ start: at, end: cut.end });
  return out;
}

function marked(text, spans) {
  // Text with spans [start, end, tag, class, number] marked.
  const nodes = [];
  let at = 0;
  for (const [start, end, tag, kind, number] of spans) {
    nodes.push(safe(text.slice(at, start)));
    nodes.push(make(tag, { class: kind, tabIndex: -1, "data-difference": number }, safe(text.slice(start, end))));
    at = end;
  }
  nodes.push(safe(text.slice(at)));
  return nodes;
}

function compared(left, right, passages) {
  // The differences within each passage, numbered through, as spans of either side.
  let count = 0;
  return passages.map(([a, b, x, y, kind]) => {
    const ours = left.slice(a, b);
    const theirs = right.slice(x, y);
    const spans = { left: [], right: [] };
    if (kind !== "copy" || ours.length + theirs.length > LONG) return spans;
    for (const found of differences(ours, theirs)) {
      const both = found.left && found.right;
      if (found.left) spans.left.push([...found.left, both ? "mark" : "del", both ? "changed" : "dropped", count]);
      if (found.right) spans.right.push([...found.right, both ? "mark" : "ins", both ? "changed" : "added", count]);
      count += 1;
    }
    return spans;
  });
}

function fill(pane, characters, passages, side, spans, dims) {
  const own = passages.map(([a, b, x, y, kind], passage) => ({
    start: side === "left" ? a : x, end: side === "left" ? b : y, whole: side === "left" ? a : x, kind, passage,
  })).sort((one, other) => one.start - other.start);
  pane.replaceChildren(...pieces(characters, own, dims).map((cut) => {
    const text = characters.slice(cut.start, cut.end);
    if (cut.passage === undefined) return cut.dim ? make("span", { class: "dim" }, safe(text)) : document.createTextNode(safe(text));
    const shift = characters.slice(cut.whole, cut.start).length;
    const kept = spans[cut.passage][side].filter(([start]) => start >= shift).map(([start, end, ...rest]) => [start - shift, end - shift, ...rest]);
    return make("span", { class: `passage ${cut.kind}`, "data-passage": cut.passage, title: cut.kind }, ...marked(text, kept));
  }));
}

function dimsOf(index, article) {
  return index.composition[article].filter(([kind]) => ["boilerplate", "quotation"].includes(index.parts[kind])).map(([, start, end]) => [start, end]);
}

function inStep(one, other) {
  // Scrolling one pane moves the other to the same passage.
  let leading = null;
  let timer = 0;
  const follow = (from, to) => () => {
    if (leading && leading !== from) return;
    leading = from;
    clearTimeout(timer);
    timer = setTimeout(() => { leading = null; }, 150);
    const anchors = [[0, 0]];
    for (const node of from.querySelectorAll("[data-passage]")) {
      const twin = to.querySelector(`[data-passage="${node.dataset.passage}"]`);
      if (twin) anchors.push([node.offsetTop, twin.offsetTop], [node.offsetTop + node.offsetHeight, twin.offsetTop + twin.offsetHeight]);
    }
    anchors.push([from.scrollHeight, to.scrollHeight]);
    anchors.sort((a, b) => a[0] - b[0]);
    const at = from.scrollTop + from.clientHeight / 3;
    const next = Math.max(1, anchors.findIndex(([y]) => y > at));
    const [[a, x], [b, y]] = [anchors[next - 1], anchors[next]];
    to.scrollTop = x + (b > a ? ((at - a) / (b - a)) * (y - x) : 0) - to.clientHeight / 3;
  };
  one.addEventListener("scroll", follow(one, other), { passive: true });
  other.addEventListener("scroll", follow(other, one), { passive: true });
}

function paneNode(index, family, article, side, choose) {
  const select = make("select", { "aria-label": `${side === "left" ? "Left" : "Right"} article` },
    ...family.members.map(([one, role]) => make("option", { value: one, selected: one === article },
      `${index.roles[role]} · ${[outletOf(index, one), index.id[one]].filter(Boolean).join(" · ")}`)));
  select.addEventListener("change", () => choose(Number(select.value)));
  const facts = [outletOf(index, article), when(index.published[article]), index.url[article] ? null : index.id[article]];
  const text = make("div", { class: "text", tabIndex: 0, dir: "auto", role: "region", "aria-label": `Text of ${named(index, article)}` });
  if (index.language[article]) text.lang = index.language[article];
  const address = index.url[article];
  const node = make("section", { class: "pane" },
    make("header", {}, make("h2", { dir: "auto", class: "name" }, named(index, article)),
      make("p", { class: "more" }, ...facts.filter(Boolean).flatMap((fact, place) => [place ? " · " : "", make("bdi", {}, fact)]),
        ...(address ? [" · ", make("a", { href: address, rel: "noopener noreferrer external" }, "original page")] : [])),
      select), text);
  return { node, text };
}

class Sides {
  constructor(index, main, go) {
    this.index = index;
    this.main = main;
    this.go = go;
  }

  async show(family, left, right) {
    const turn = (this.turns || 0) + 1;
    Object.assign(this, { family, left, right, at: -1, total: 0, turns: turn });
    const { index, main } = this;
    const panes = [
      paneNode(index, family, left, "left", (other) => this.go(family, other, right)),
      paneNode(index, family, right, "right", (other) => this.go(family, left, other)),
    ];
    this.count = make("span", { class: "count", role: "status" });
    this.copied = make("button", { type: "button", onclick: () => this.copy() }, "Copy link");
    const button = (name, key, work) => make("button", { type: "button", onclick: work, "aria-keyshortcuts": key }, `${name} `, make("kbd", { "aria-hidden": "true" }, key));
    main.replaceChildren(
      make("nav", { class: "tools", "aria-label": "Side by side" },
        make("a", { href: "#families" }, "← All families"),
        button("Previous difference", "p", () => this.step(-1)), button("Next difference", "n", () => this.step(1)),
        button("Previous member", "k", () => this.turn(-1)), button("Next member", "j", () => this.turn(1)),
        this.copied, this.count),
      make("h1", { tabIndex: -1 }, "Side by side"),
      make("p", { class: "more" }, make("span", { class: "passage" }, "in both"), " · ", make("del", {}, "only on the left"), " · ",
        make("ins", {}, "only on the right"), " · ", make("mark", { class: "changed" }, "other words"), " · ",
        make("span", { class: "passage quotation" }, "shared quotation"), " · ", make("span", { class: "dim" }, "boilerplate")),
      make("div", { class: "panes" }, panes[0].node, panes[1].node));
    await this.compare(panes[0].text, panes[1].text);
    if (turn !== this.turns) return; // another view was asked for in the meantime
    inStep(panes[0].text, panes[1].text);
    this.panes = [panes[0].text, panes[1].text];
    main.dataset.shown = `${index.id[left]} ${index.id[right]}`;
    main.querySelector("h1").focus({ preventScroll: true });
  }

  async compare(leftPane, rightPane) {
    const { index, family, left, right } = this;
    const texts = await Promise.all([textOf(index, left), textOf(index, right)]);
    let passages = left === right || texts.includes(null) ? [] : await passagesOf(index, family, left, right);
    if (texts.includes(null)) {
      const panes = [leftPane, rightPane];
      texts.forEach((text, side) => { panes[side].textContent = text === null ? "The text of this article is not in this page, to keep it small enough to open." : safe(text); });
      return;
    }
    const [ours, theirs] = texts.map((text) => new Characters(text));
    const known = passages.length > 0;
    if (!known && left !== right) passages = this.found(ours, theirs);
    const spans = compared(ours, theirs, passages);
    fill(leftPane, ours, passages, "left", spans, dimsOf(index, left));
    fill(rightPane, theirs, passages, "right", spans, dimsOf(index, right));
    this.total = new Set([...this.main.querySelectorAll("[data-difference]")].map((node) => node.dataset.difference)).size;
    const said = left === right ? "the same article on both sides" : known ? plural(passages.length, "passage", "passages") : `${plural(passages.length, "run", "runs")} of words found in this page: the scan compared both with others of the family`;
    this.said = `${said}, ${plural(this.total, "difference", "differences")}`;
    this.count.textContent = this.said;
  }

  found(ours, theirs) {
    if (ours.points || theirs.points) {
      const units = runs(ours.text, theirs.text);
      const points = (text, at) => Array.from(text.slice(0, at)).length;
      return units.map(([a, b, x, y]) => [points(ours.text, a), points(ours.text, b), points(theirs.text, x), points(theirs.text, y), "copy"]);
    }
    return runs(ours.text, theirs.text).map((span) => [...span, "copy"]);
  }

  step(by) {
    if (!this.total) return;
    this.at = (this.at + by + this.total + (this.at < 0 && by < 0 ? 1 : 0)) % this.total;
    for (const node of this.main.querySelectorAll(".here")) node.classList.remove("here");
    const places = this.panes.map((pane) => pane.querySelector(`[data-difference="${this.at}"]`));
    const first = places.find(Boolean);
    if (!first) return;
    for (const node of places.filter(Boolean)) node.classList.add("here");
    first.scrollIntoView({ block: "center" });
    first.focus({ preventScroll: true });
    this.count.textContent = `difference ${this.at + 1} of ${this.total}`;
  }

  turn(by) {
    const order = this.family.members.map(([article]) => article).filter((article) => article !== this.left);
    if (!order.length) return;
    const place = order.indexOf(this.right);
    this.go(this.family, this.left, order[(place + by + order.length) % order.length]);
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(location.href);
      this.copied.textContent = "Link copied";
    } catch {
      this.count.textContent = "The link to this view is the address of the page.";
    }
  }
}
