// One unit of a recurrent cell and one number per click: the gates, what is kept, what is new, and how far the gradient
// reaches back.

// ---- arithmetic: everything that is drawn, and nothing else ---------------------------------------------------------
// clicks: [item, x] pairs; weights: rows [W, U, b, d] of each cell, in the package's order (r, z, ĥ or i, f, g, o);
// held: values of the gates that the reader holds, {z: [0.05, null, ...]}, null where the cell decides; step: clicks
// read.
export function compute({ clicks, cell, weights, held, step }) {
  const now = Math.min(Math.max(step, 1), clicks.length);
  const other = cell === "rnn" ? "gru-paper" : "rnn";
  const steps = play(cell, weights[cell], clicks, held);
  return {
    now,
    steps,
    reach: reach(steps, now),
    other,
    other_reach: reach(play(other, weights[other], clicks, held), now),
  };
}

// Plays the clicks from a zero state. State: [h], in the LSTM [h, c].
function play(cell, rows, clicks, held) {
  let state = cell === "lstm" ? [0, 0] : [0];
  return clicks.map(([, x], t) => {
    const seen = STEPS[cell](x, state, rows, (name) => held[name]?.[t] ?? null);
    const before = state;
    state = seen.after;
    return { x, before, ...seen };
  });
}

// Gradient of h after click `now`, going back: what arrives at the state after each click, and at that click's x.
function reach(steps, now) {
  const arrives = [];
  let g = steps[0].after.map((_, k) => (k === 0 ? 1 : 0)); // h by itself
  for (let t = now - 1; t >= 0; t -= 1) {
    const { jacobian, by_x } = steps[t];
    const state = g;
    arrives.unshift({ state, x: state.reduce((sum, v, k) => sum + v * by_x[k], 0) });
    g = state.map((_, k) => state.reduce((sum, v, j) => sum + v * jacobian[j][k], 0));
  }
  return arrives;
}

// A gate's value and its slopes. A gate that the reader holds is a constant: it has no slope.
function gate([W, U, b, d = 0], x, h, held) {
  const total = W * x + U * h + b + d;
  const value = held ?? sigmoid(total);
  const slope = held === null ? value * (1 - value) : 0;
  return { value, held: held !== null, by_h: slope * U, by_x: slope * W };
}

// jacobian[j][k]: new state j by old state k; by_x: new state by x; parts: ways of h′ by h (straight, through the
// candidate, through the gates).
function gru(paper, x, [h], rows, held) {
  const r = gate(rows[0], x, h, held("r"));
  const z = gate(rows[1], x, h, held("z"));
  const [W, U, b, d = 0] = rows[2];
  const product = paper ? U * h : U * h + d; // what r multiplies; in the paper r stands at h, before U
  const candidate = Math.tanh(W * x + b + r.value * product);
  const bend = 1 - candidate * candidate;
  const fresh = paper ? z.value : 1 - z.value;
  const turn = paper ? 1 : -1; // the share of the new, and its slope by z
  const parts = [
    1 - fresh,
    fresh * bend * r.value * U,
    fresh * bend * product * r.by_h + turn * (candidate - h) * z.by_h,
  ];
  return {
    gates: { r, z },
    candidate,
    kept: (1 - fresh) * h,
    fresh: fresh * candidate,
    after: [(1 - fresh) * h + fresh * candidate],
    parts,
    jacobian: [[parts[0] + parts[1] + parts[2]]],
    by_x: [fresh * bend * (W + product * r.by_x) + turn * (candidate - h) * z.by_x],
  };
}
function lstm(x, [h, c], rows, held) {
  const [i, f, o] = [
    ["i", 0],
    ["f", 1],
    ["o", 3],
  ].map(([name, row]) => gate(rows[row], x, h, held(name)));
  const [W, U, b] = rows[2];
  const candidate = Math.tanh(W * x + U * h + b);
  const bend = 1 - candidate * candidate;
  const memory = f.value * c + i.value * candidate;
  const shown = Math.tanh(memory);
  const open = o.value * (1 - shown * shown);
  const c_by_h = f.by_h * c + i.by_h * candidate + i.value * bend * U;
  const c_by_x = f.by_x * c + i.by_x * candidate + i.value * bend * W;
  return {
    gates: { i, f, o },
    candidate,
    kept: f.value * c,
    fresh: i.value * candidate,
    after: [o.value * shown, memory],
    jacobian: [
      [open * c_by_h + o.by_h * shown, open * f.value],
      [c_by_h, f.value],
    ],
    by_x: [open * c_by_x + o.by_x * shown, c_by_x],
  };
}
function rnn(x, [h], [[W, U, b]]) {
  const after = Math.tanh(W * x + U * h + b);
  const bend = 1 - after * after;
  return {
    gates: {},
    candidate: after,
    kept: 0,
    fresh: after,
    after: [after],
    parts: [0, bend * U, 0],
    jacobian: [[bend * U]],
    by_x: [bend * W],
  };
}
const STEPS = {
  "gru-paper": (...given) => gru(true, ...given),
  gru: (...given) => gru(false, ...given),
  lstm,
  rnn: (x, state, rows) => rnn(x, state, rows),
};

// ---- words ----------------------------------------------------------------------------------------------------------
const NAMES = { "gru-paper": "GRU (paper)", gru: "GRU (torch)", lstm: "LSTM", rnn: "RNN" };
const ROWS = { "gru-paper": ["r", "z", "ĥ"], gru: ["r", "z", "ĥ"], lstm: ["i", "f", "g", "o"], rnn: ["h′"] };
const GATES = { r: "reset gate r", z: "update gate z", i: "input gate i", f: "forget gate f", o: "output gate o" };
const candidateOf = (cell) => (cell === "rnn" ? 0 : 2); // its row among the weights
const factor = (text) => (text.startsWith("−") ? `(${text})` : text); // as it stands behind a · or +
const added = (x, text = short(Math.abs(x))) => `${x < 0 ? "−" : "+"} ${text}`;
// A gradient: .004 and not 0.00 where it fades, 26 and not 25.63 where it explodes.
function grad(x) {
  const size = Math.abs(x);
  return size && size < 0.0995 ? fixed(x, 3).replace("0.", ".") : fixed(x, size < 9.95 ? 2 : size < 99.5 ? 1 : 0);
}

function words(clicks, cell, { now, steps, reach: arrives }) {
  const [item, x] = clicks[now - 1];
  const { gates, before, after } = steps[now - 1];
  const from = `from ${fixed(before.at(-1))} to ${fixed(after.at(-1))}`;
  const fresh = cell === "gru" ? 1 - gates.z.value : gates.z?.value;
  const goes = {
    rnn: () => `All of h goes through tanh, nothing is kept as it was: h goes ${from}.`,
    lstm: () =>
      `The forget gate keeps ${percent(gates.f.value, 1)} of c, ` +
      `the input gate lets ${percent(gates.i.value, 1)} of g in: c goes ${from}.`,
    gru: () =>
      `The update gate keeps ${percent(1 - fresh, 1)} of h and lets ${percent(fresh, 1)} of ĥ in: h goes ${from}.`,
  };
  const back = () =>
    `Of a gradient of 1 at this h, ${grad(arrives[0].state.at(-1))} reaches ${cell === "lstm" ? "c after " : ""}`;
  return [
    `Click ${now} of ${clicks.length}: ${item}, x = ${short(x)}.`,
    (goes[cell] ?? goes.gru)(),
    now === 1 ? "There is no earlier click to reach back to." : `${back()}click 1.`,
  ].join(" ");
}
