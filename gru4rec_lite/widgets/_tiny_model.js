// What the widgets Network and Session share: one click of a GRU with all its parts, the scores of a catalogue, vectors
// as bars, and the list of the best.

// ---- arithmetic -----------------------------------------------------------------------------------------------------
// shop: items (N names), cell ("gru" | "gru-paper"), item_in (N, W; absent: item_out), item_out (N, H), bias_out (N),
// weight_ih (3H, W; absent: the rows of item_in are gate sums already), weight_hh (3H, H), bias_ih (3H), bias_hh (3H;
// absent in the paper's cell).
const dot = (a, b) => {
  let sum = 0;
  for (let i = 0; i < b.length; i += 1) sum += a[i] * b[i];
  return sum;
};
const itemRow = (shop, item) => (shop.item_in ?? shop.item_out)[item];
const zeroState = (shop) => shop.item_out[0].map(() => 0);

// The state after one more click, and what it is made of. Blocks of 3H numbers stand in the order r, z, candidate.
function gru(shop, item, before) {
  const H = before.length;
  const x = itemRow(shop, item);
  const block = (b) => before.map((_, u) => b * H + u);
  const fromInput = (b) => block(b).map((i) => (shop.weight_ih ? dot(shop.weight_ih[i], x) : x[i]) + shop.bias_ih[i]);
  const fromState = (b, h) => block(b).map((i) => dot(shop.weight_hh[i], h) + (shop.bias_hh?.[i] ?? 0));
  const paper = shop.cell === "gru-paper";
  const input = [0, 1, 2].map(fromInput);
  const state = [fromState(0, before), fromState(1, before)];
  const [r, z] = [0, 1].map((b) => before.map((_, u) => sigmoid(input[b][u] + state[b][u])));
  state.push(fromState(2, paper ? before.map((h, u) => r[u] * h) : before)); // reset before or after the matrix product
  const candidate = before.map((_, u) => Math.tanh(input[2][u] + (paper ? state[2][u] : r[u] * state[2][u])));
  // The paper's z is the share of the new, torch's that of the old.
  const old = z.map((share) => (paper ? 1 - share : share));
  const after = before.map((h, u) => old[u] * h + (1 - old[u]) * candidate[u]);
  return { x, before, input, state, r, z, candidate, old, after };
}
function scoreAll(shop, h) {
  const scores = shop.item_out.map((row, i) => dot(row, h) + shop.bias_out[i]);
  const most = Math.max(...scores);
  const powers = scores.map((s) => Math.exp(s - most));
  const total = sum(powers);
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a]); // of equal ones the first, as in Python
  return { scores, probabilities: powers.map((p) => p / total), order };
}

// ---- words and numbers ----------------------------------------------------------------------------------------------
const share = (p) => `${(100 * p).toFixed(1)} %`;

// ---- pictures -------------------------------------------------------------------------------------------------------
// One vector as bars on its zero line: up and filled is positive, down and hollow is negative. A gate's bars fill a box
// from 0 to 1. values: null draws an empty row: not computed yet. was: where each number stood before, as a mark.
function bars({ name, values, n, left, size, y, high, most = 1, gate = false, was }) {
  const full = gate ? high : high / 2 - 1;
  const zero = gate ? high : high / 2;
  const length = (v) => (Math.min(Math.abs(v), most) / most) * full;
  const gap = size > 8 ? 1.5 : 0.5;
  const x = (u) => left + u * size + gap;
  const bar = (v, u) =>
    svg("rect", {
      x: x(u),
      width: size - 2 * gap,
      y: v < 0 ? zero + 0.5 : zero - length(v),
      height: Math.max(length(v), 0.5),
      class: v < 0 ? "g4r-down" : gate ? "g4r-gate" : "g4r-up",
      "data-v": v.toFixed(4),
    });
  const mark = (v, u) => {
    const y = zero - Math.sign(v) * length(v);
    return svg("line", { x1: x(u) - gap / 2, x2: x(u) + size - 1.5 * gap, y1: y, y2: y, class: "g4r-was" });
  };
  const place = {
    transform: `translate(0 ${y})`,
    "data-vector": name,
    class: `g4r-vector ${values ? "" : "g4r-empty"}`,
  };
  return svg(
    "g",
    place,
    svg("rect", { x: left, width: n * size, y: 0, height: high, class: "g4r-field-box" }),
    !gate && svg("line", { x1: left, x2: left + n * size, y1: zero, y2: zero, class: "g4r-zero-line" }),
    values?.map(bar),
    was?.map(mark),
  );
}

// A list of buttons, one of the n best items a row. The rows are kept, so that a pressed one keeps the focus.
function bestList(n, onpress) {
  const rows = Array.from({ length: n }, () => {
    const rank = html("b");
    const name = html("span");
    const bar = html("i", { "aria-hidden": "true" });
    const p = html("em");
    const node = button([rank, name, bar, p], () => onpress(node), { class: "g4r-row" });
    return { node, rank, name, bar, p, line: html("li", null, node) };
  });
  const show = ({ node, rank, name, bar, p }, place, item, probability, best) => {
    node.dataset.item = item;
    rank.textContent = place;
    name.textContent = name.title = item || "…";
    p.textContent = item && share(probability);
    bar.style.setProperty("--share", item ? `${(100 * probability) / best}%` : "0%");
  };
  return {
    node: html(
      "ol",
      { class: "g4r-top" },
      rows.map((row) => row.line),
    ),
    rows,
    show,
  };
}
