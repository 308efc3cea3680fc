// The list of families: searched, sorted, and drawn as one scrolls.

const AT_ONCE = 40;
const MEMBERS = 100;
const HEADS = ["Article", "Role", "Published", "Share that is this copy", "What it is made of", "Credit", "Compare"];

function describeFamilies(index) {
  index.families.forEach((family, number) => {
    const articles = family.members.map(([article]) => article);
    const times = articles.map((article) => index.published[article]).filter(Boolean).sort();
    family.number = number;
    family.first = times[0] || "";
    family.last = times[times.length - 1] || "";
    family.pickup = times.length > 1 ? Date.parse(times[1]) - Date.parse(times[0]) : Infinity;
    family.uncredited = family.members.filter((member) => member[0] !== family.origin && member[4] === false).length;
    family.roles = new Set(family.members.map((member) => index.roles[member[1]]));
    family.words = [
      family.name, family.agency, family.lead, ...family.roles,
      ...articles.flatMap((article) => [
        index.id[article], index.title[article], index.outlets[index.outlet[article]], index.published[article],
        ...index.credits[article],
      ]),
    ].filter(Boolean).join("\n").toLowerCase();
  });
}

const ORDERS = {
  size: (one, other) => other.members.length - one.members.length,
  first: (one, other) => (one.first || "~").localeCompare(other.first || "~"),
  pickup: (one, other) => (one.pickup === other.pickup ? 0 : one.pickup - other.pickup),
  uncredited: (one, other) => other.uncredited - one.uncredited,
  confidence: (one, other) => (other.confidence ?? -1) - (one.confidence ?? -1),
};

function chosenFamilies(index, form) {
  const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const role = form.elements.role.value;
  const least = Number(form.elements.least.value) || 0;
  const from = form.elements.from.value;
  const to = form.elements.to.value;
  return index.families
    .filter((family) => family.members.length >= least)
    .filter((family) => !role || family.roles.has(role))
    .filter((family) => !from || (family.last && family.last.slice(0, 10) >= from))
    .filter((family) => !to || (family.first && family.first.slice(0, 10) <= to))
    .filter((family) => words.every((word) => family.words.includes(word)))
    .sort((one, other) => ORDERS[form.elements.sort.value](one, other) || one.number - other.number);
}

function named(index, article) {
  return index.title[article] || index.id[article];
}

function outletOf(index, article) {
  return index.outlet[article] < 0 ? "" : index.outlets[index.outlet[article]];
}

function familyNode(index, family) {
  const heading = family.origin < 0 ? family.name : named(index, family.origin);
  const facts = [family.agency, family.origin < 0 ? "" : outletOf(index, family.origin), family.first && when(family.first)];
  const node = make("details", { class: "family", id: `family-${family.name}` },
    make("summary", {},
      make("span", { class: "size" }, String(family.members.length), make("small", {}, "articles")),
      make("b", { class: "name", dir: "auto" }, heading),
      make("span", { class: "facts" }, ...facts.filter(Boolean).flatMap((fact, place) => [place ? " · " : "", make("bdi", {}, fact)])),
      make("span", { class: "lead", dir: "auto" }, family.lead || "")));
  node.addEventListener("toggle", () => {
    if (node.open && node.childElementCount === 1) node.append(bodyNode(index, family));
  });
  return node;
}

function bodyNode(index, family) {
  const body = make("div", { class: "body" });
  if (family.origin < 0) body.append(make("p", {}, "No likely origin."));
  else {
    const doubt = family.confidence === null ? "" : ` (confidence ${family.confidence.toFixed(2)})`;
    body.append(make("p", {}, "Likely origin: ", make("b", { dir: "auto" }, named(index, family.origin)), doubt));
  }
  const evidence = family.evidence.map(([kind, value, words, article]) => make("li", {},
    `${kind}: `, make("bdi", {}, value || ""), ...(words ? [" “", make("bdi", {}, words), "”"] : []),
    ...(article < 0 ? [] : [" in ", make("bdi", {}, index.id[article])])));
  if (evidence.length) body.append(make("ul", { class: "evidence" }, ...evidence));
  body.append(keyNode());
  const rows = make("tbody");
  body.append(make("table", { class: "members" },
    make("thead", {}, make("tr", {}, ...HEADS.map((head) => make("th", { scope: "col" }, head)))), rows));
  let shown = 0;
  const more = make("button", { type: "button" });
  const draw = () => {
    for (const member of family.members.slice(shown, shown + MEMBERS)) rows.append(memberNode(index, family, member));
    shown = Math.min(shown + MEMBERS, family.members.length);
    more.textContent = `Show more of ${plural(family.members.length, "member", "members")}`;
    more.hidden = shown >= family.members.length;
  };
  more.addEventListener("click", draw);
  draw();
  body.append(more);
  return body;
}

function keyNode() {
  const items = [["copy", "this family's copy"], ["copy other", "other copy"], ["quotation", "shared quotation"], ["boilerplate", "boilerplate"], ["own", "its own"]];
  return make("p", { class: "key" }, ...items.map(([kind, name]) => make("span", {}, make("i", { class: kind }), name)));
}

function memberNode(index, family, [article, role, share, originShare, credited]) {
  const id = index.id[article];
  const address = index.url[article];
  const name = make("span", { class: "name", dir: "auto" }, named(index, article));
  const about = [outletOf(index, article), index.title[article] ? id : ""].filter(Boolean);
  const credit = article === family.origin ? "" : credited === true ? "given" : credited === false ? "not given" : "not known";
  const cells = make("tr", {},
    make("td", {}, address ? make("a", { href: address, rel: "noopener noreferrer external" }, name) : name,
      make("div", { class: "more" }, ...about.flatMap((fact, place) => [place ? " · " : "", make("bdi", {}, fact)]))),
    make("td", { class: "role" }, index.roles[role]),
    make("td", {}, index.published[article] ? when(index.published[article]) : "–"),
    make("td", {}, percent(share)),
    make("td", {}, barNode(index, family, article)),
    make("td", {}, credit),
    make("td", {}, linkNode(index, family, article)));
  HEADS.forEach((head, place) => { if (place && head) cells.children[place].dataset.label = head; });
  return cells;
}

function barNode(index, family, article) {
  const parts = index.composition[article];
  const said = parts.map(([kind, , , share]) => `${percent(share)} ${index.parts[kind]}`).join(", ");
  const bar = make("div", { class: "bar", role: "img", "aria-label": said, title: said });
  for (const [kind, , , share, own] of parts) {
    const name = index.parts[kind];
    const span = make("span", { class: name === "copy" && own !== family.number ? "copy other" : name });
    span.style.width = `${100 * share}%`;
    bar.append(span);
  }
  return bar;
}

function linkNode(index, family, article) {
  const other = article === family.origin ? family.members.map(([one]) => one).find((one) => one !== article) : family.origin;
  if (other === undefined || other < 0) return null;
  const [left, right] = article === family.origin ? [article, other] : [other, article];
  const said = `Side by side: ${named(index, left)} and ${named(index, right)}`;
  return make("a", { href: address(index, family, left, right), "aria-label": said }, "side by side");
}

function address(index, family, left, right) {
  return `#/${[family.name, index.id[left], index.id[right]].map(encodeURIComponent).join("/")}`;
}

function drawFamilies(index, form, list, found) {
  const chosen = chosenFamilies(index, form);
  const none = chosen.length === index.families.length;
  found.textContent = none ? plural(chosen.length, "family", "families") : `${chosen.length.toLocaleString("en")} of ${plural(index.families.length, "family", "families")}`;
  list.replaceChildren();
  let shown = 0;
  const end = make("div", { class: "end" });
  const draw = () => {
    end.before(...chosen.slice(shown, shown + AT_ONCE).map((family) => familyNode(index, family)));
    shown += AT_ONCE;
    if (shown >= chosen.length) watcher.disconnect();
  };
  const watcher = new IntersectionObserver((seen) => seen.some((entry) => entry.isIntersecting) && draw(), { rootMargin: "800px" });
  list.append(end);
  draw();
  if (shown < chosen.length) watcher.observe(end);
}
