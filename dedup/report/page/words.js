// Words of two texts, and which of them are the same (Myers 1986, the greedy algorithm).

const WORD = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]|[\p{L}\p{N}\p{M}]+(?:['’.][\p{L}\p{N}\p{M}]+)*/gu;
const SEARCHED = 1500; // words that may differ before the rest is told as changed as a whole

function wordsOf(text) {
  const found = [];
  for (const match of text.matchAll(WORD)) {
    found.push({ start: match.index, end: match.index + match[0].length, key: match[0].normalize("NFKC").toLowerCase() });
  }
  return found;
}

// Pairs of places of equal words, rising on both sides.
function common(left, right) {
  let first = 0;
  let ours = left.length;
  let theirs = right.length;
  const pairs = [];
  while (first < ours && first < theirs && left[first].key === right[first].key) pairs.push([first, first++]);
  const tail = [];
  while (ours > first && theirs > first && left[ours - 1].key === right[theirs - 1].key) tail.push([--ours, --theirs]);
  pairs.push(...between(left, right, first, ours, theirs));
  return pairs.concat(tail.reverse());
}

function between(left, right, first, ours, theirs) {
  const n = ours - first;
  const m = theirs - first;
  const most = Math.min(n + m, SEARCHED);
  const reached = new Map([[1, 0]]);
  const trace = [];
  for (let changes = 0; changes <= most; changes += 1) {
    trace.push(new Map(reached));
    for (let k = -changes; k <= changes; k += 2) {
      const down = k === -changes || (k !== changes && reached.get(k - 1) < reached.get(k + 1));
      let x = down ? reached.get(k + 1) : reached.get(k - 1) + 1;
      while (x < n && x - k < m && left[first + x].key === right[first + x - k].key) x += 1;
      reached.set(k, x);
      if (x >= n && x - k >= m) return walked(trace, n, m, first);
    }
  }
  return [];
}

function walked(trace, n, m, first) {
  const pairs = [];
  let x = n;
  let y = m;
  for (let changes = trace.length - 1; changes >= 0; changes -= 1) {
    const reached = trace[changes];
    const k = x - y;
    const down = k === -changes || (k !== changes && reached.get(k - 1) < reached.get(k + 1));
    const before = changes === 0 ? 0 : down ? k + 1 : k - 1;
    const startX = changes === 0 ? 0 : reached.get(before);
    const startY = changes === 0 ? 0 : startX - before;
    while (x > startX && y > startY && x > 0 && y > 0) pairs.push([first + --x, first + --y]);
    x = startX;
    y = startY;
  }
  return pairs.reverse();
}

// What differs between two passages: spans of either, in UTF-16 units: {left, right}, one of them perhaps null.
function differences(leftText, rightText) {
  const left = wordsOf(leftText);
  const right = wordsOf(rightText);
  const found = [];
  let i = 0;
  let j = 0;
  for (const [x, y] of [...common(left, right), [left.length, right.length]]) {
    if (x > i || y > j) {
      found.push({
        left: x > i ? [left[i].start, left[x - 1].end] : null,
        right: y > j ? [right[j].start, right[y - 1].end] : null,
      });
    }
    i = x + 1;
    j = y + 1;
  }
  return found;
}

// Runs of at least eight equal words, for two articles that the scan did not compare with each other.
function runs(leftText, rightText) {
  const SIZE = 8;
  const left = wordsOf(leftText);
  const right = wordsOf(rightText);
  const places = new Map();
  for (let j = 0; j + SIZE <= right.length; j += 1) {
    const key = right.slice(j, j + SIZE).map((word) => word.key).join(" ");
    if (!places.has(key)) places.set(key, j);
  }
  const found = [];
  let i = 0;
  while (i + SIZE <= left.length) {
    const j = places.get(left.slice(i, i + SIZE).map((word) => word.key).join(" "));
    if (j === undefined) {
      i += 1;
      continue;
    }
    let size = SIZE;
    while (i + size < left.length && j + size < right.length && left[i + size].key === right[j + size].key) size += 1;
    found.push([left[i].start, left[i + size - 1].end, right[j].start, right[j + size - 1].end]);
    i += size;
  }
  return found;
}
