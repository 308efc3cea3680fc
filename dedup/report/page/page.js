// The page: an overview, or two articles side by side, as the address says.

async function start() {
  const index = await unpack("index");
  describeFamilies(index);
  const form = document.getElementById("filters");
  const list = document.getElementById("list");
  const found = document.getElementById("found");
  const views = { overview: document.getElementById("overview"), sides: document.getElementById("sides") };
  for (const role of index.roles) form.elements.role.append(make("option", { value: role }, role));
  const draw = () => drawFamilies(index, form, list, found);
  let timer = 0;
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(draw, 120); });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("waiting").remove();
  draw();

  const sides = new Sides(index, views.sides, (family, left, right) => { location.hash = address(index, family, left, right); });
  const byName = new Map(index.families.map((family) => [family.name, family]));
  const read = async () => {
    const [, name, left, right] = location.hash.split("/").map(decoded);
    const family = byName.get(name);
    const articles = family && [left, right].map((id) => family.members.map(([article]) => article).find((article) => index.id[article] === id));
    const together = Boolean(articles) && !articles.includes(undefined);
    views.overview.hidden = together;
    views.sides.hidden = !together;
    document.querySelector("body > header").hidden = together;
    if (together) {
      await sides.show(family, ...articles);
      scrollTo(0, 0);
    } else if (location.hash === "#families") views.overview.querySelector("#families").scrollIntoView();
  };
  addEventListener("hashchange", read);
  addEventListener("keydown", (event) => {
    if (views.sides.hidden || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const work = { n: () => sides.step(1), p: () => sides.step(-1), j: () => sides.turn(1), k: () => sides.turn(-1), Escape: () => { location.hash = "#families"; } }[event.key];
    if (work) {
      event.preventDefault();
      work();
    }
  });
  await read();
  document.documentElement.dataset.ready = "yes";
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

start().catch((error) => {
  const waiting = document.getElementById("waiting");
  const said = `This page could not be unpacked (${error.message}); open it in a browser of 2023 or later.`;
  if (waiting) waiting.textContent = said;
  else console.error(error);
});
