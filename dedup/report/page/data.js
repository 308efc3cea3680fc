"use strict";

// What the page was given: an index at once, blocks of texts and passages when they are looked at.

const blocks = new Map();

async function unpack(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

function block(number) {
  if (!blocks.has(number)) blocks.set(number, unpack(`block-${number}`));
  return blocks.get(number);
}

async function textOf(index, article) {
  const number = index.block[article];
  return number < 0 ? null : (await block(number)).texts[article];
}

// The passages of two articles, from the first one's side: [start, end, other start, other end, kind].
async function passagesOf(index, family, left, right) {
  const wanted = new Set(family.members.map(([article]) => index.block[article]));
  const found = [];
  for (const number of wanted) {
    if (number < 0) continue;
    for (const [one, other, a, b, x, y, kind] of (await block(number)).passages) {
      if (one === left && other === right) found.push([a, b, x, y, index.kinds[kind]]);
      else if (one === right && other === left) found.push([x, y, a, b, index.kinds[kind]]);
    }
  }
  return found.sort((one, other) => one[0] - other[0] || one[2] - other[2]);
}

// A text by characters as Python counts them: code points, not UTF-16 units.
class Characters {
  constructor(text) {
    this.points = /[\ud800-\udfff]/.test(text) ? Array.from(text) : null;
    this.text = text;
    this.length = this.points ? this.points.length : text.length;
  }

  slice(start, end) {
    return this.points ? this.points.slice(start, end).join("") : this.text.slice(start, end);
  }
}

// Bidirectional controls would make a line read otherwise than it is stored: each is shown as a mark.
function safe(text) {
  return text.replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "\u2426");
}

function make(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name === "class") node.className = value;
    else if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const percent = (share) => `${share >= 0.0995 || share === 0 ? Math.round(100 * share) : (100 * share).toFixed(1)}%`;
const when = (time) => (time ? `${time.slice(0, 16).replace("T", " ")} UTC` : "time not known");
const plural = (count, one, many) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
