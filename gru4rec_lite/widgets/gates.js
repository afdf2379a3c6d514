// The Gates widget: what the arithmetic of _gates_math.js makes of a session, with gates that the reader can hold.

// ---- clicks that the reader can choose ------------------------------------------------------------------------------
const named = (...xs) => ["tent", "mug", "map", "rope", "hat", "lamp", "sock", "mat"].map((item, t) => [item, xs[t]]);
const eight = (click) => Array.from({ length: 8 }, (_, t) => click(t));
const PRESETS = {
  mixed: ["tent, then others", named(1, -0.2, 0.1, -0.3, 0.2, -0.4, 0, 0.3)],
  fade: ["tent, then silence", eight((t) => (t ? ["–", 0] : ["tent", 1]))],
  silent: ["silence", eight(() => ["–", 0])],
  turns: ["tents and ropes", eight((t) => (t % 2 ? ["rope", -1] : ["tent", 1]))],
};

// ---- drawing --------------------------------------------------------------------------------------------------------
// An equation: [symbol, number, key] columns, the number below its symbol; sums: [from, to, text, key, value] of
// columns and what they come to.
function drawLine(terms, marked, sums = []) {
  const says = terms.map(([symbol, value]) => value ?? symbol).join(" ");
  const symbols = terms.map(([symbol]) => symbol).join(" ");
  const looks = {
    class: `g4r-equation ${terms.length > 10 ? "g4r-long" : ""}`,
    role: "img",
    "aria-label": `${symbols}; in numbers ${says}`,
  };
  const cell =
    (tag, name, row) =>
    ([symbol, value, key], k) =>
      html(
        tag,
        { class: marked.has(key) && "g4r-on", [name]: key, style: `grid-area:${row}/${k + 1}` },
        row > 1 ? (value ?? symbol) : symbol,
      );
  return html(
    "div",
    looks,
    terms.map(cell("b", "data-term", 1)),
    terms.map(cell("span", "data-number", 2)),
    sums.map(([from, to, name, key, value]) =>
      html(
        "small",
        { style: `grid-area:3/${from}/4/${to}`, class: `g4r-${key}` },
        `${name} `,
        html("em", { "data-number": key }, fixed(value)),
      ),
    ),
  );
}
const num = (symbol, value, key) => [symbol, factor(fixed(value)), key];
const zOf = (gates) => [num("z", gates.z.value, "z"), ["(1 − z)", `(1 − ${fixed(gates.z.value)})`, "z"]];
// What makes the new state.
function drawEquation(cell, { gates, candidate, kept, fresh, before: [h, c], after, x }, rows, marked) {
  const sums = [
    [3, 6, "kept", "kept", kept],
    [7, 10, "new", "fresh", fresh],
  ];
  const state = ["h′", fixed(after[0]), "h′"];
  if (cell === "rnn") {
    const [W, U, b] = rows[0];
    const ofX = [["W", short(W)], ["·"], ["x", factor(short(x)), "x"]];
    const ofH = [["U", factor(short(U)), "U"], ["·"], num("h", h, "h")];
    return [drawLine([state, ["="], ["tanh("], ...ofX, ["+"], ...ofH, ["+"], ["b", short(b)], [")"]], marked)];
  }
  if (cell === "lstm") {
    const old = [num("f", gates.f.value, "f"), ["·"], num("c", c, "h")];
    const add = [num("i", gates.i.value, "i"), ["·"], num("g", candidate, "candidate")];
    return [
      drawLine([["c′", fixed(after[1]), "c′"], ["="], ...old, ["+"], ...add], marked, sums),
      drawLine([state, ["="], num("o", gates.o.value, "o"), ["·"], ["tanh("], num("c′", after[1]), [")"]], marked),
    ];
  }
  const [old, share] = cell === "gru" ? zOf(gates) : zOf(gates).reverse();
  return [
    drawLine(
      [state, ["="], old, ["·"], num("h", h, "h"), ["+"], share, ["·"], num("ĥ", candidate, "candidate")],
      marked,
      sums,
    ),
  ];
}
// What this click multiplies the gradient by, taken apart.
function drawFactor(cell, { parts, gates, jacobian, after }, rows, marked) {
  const whole = [[cell === "lstm" ? "∂c′/∂c" : "∂h′/∂h", grad(jacobian.at(-1).at(-1)), "factor"], ["="]];
  if (cell === "lstm") return drawLine([...whole, num("f", gates.f.value, "f")], marked);
  if (cell === "rnn") {
    return drawLine(
      [...whole, ["U", factor(short(rows[0][1])), "U"], ["·"], ["(1 − h′²)", fixed(1 - after[0] ** 2)]],
      marked,
    );
  }
  const straight = zOf(gates)[cell === "gru" ? 0 : 1];
  return drawLine(
    [...whole, straight, ["+"], num("via ĥ", parts[1], "candidate"), ["+"], num("via r, z", parts[2])],
    marked,
  );
}

// What enters σ or tanh, in numbers.
function sumOf(cell, name, [W, U, b, d = 0], { x, before: [h], gates }) {
  const X = `${short(W)}·${factor(short(x))}`;
  const H = factor(fixed(h));
  const r = gates.r && fixed(gates.r.value);
  if (name === "ĥ" && cell === "gru") return `${X} ${added(b)} + ${r}·(${short(U)}·${H} ${added(d)})`;
  if (name === "ĥ") return `${X} ${added(U)}·(${r}·${H}) ${added(b)}`;
  return `${X} ${added(U)}·${H} ${added(b + d)}`;
}

// Both pictures have a column for each click.
const UNIT = 1e-9; // a bar of no height is still a bar
const column = ({ left, size }, t) => ({ left: left + t * size, mid: left + (t + 0.5) * size });
const text = (x, y, content, kind, more) => svg("text", { x, y, class: `g4r-small ${kind ?? ""}`, ...more }, content);
const side = (y, name) => text(2, y, name, "g4r-quiet");
const line = (x1, x2, y, kind) => svg("line", { x1, x2, y1: y, y2: y, class: kind });
const box = (x, y, width, height, kind, more) => svg("rect", { x, y, width, height, class: kind, ...more });
const frame = (geometry, now, top, low, was) => {
  const { left } = column(geometry, now - 1);
  const mark = box(left + 0.5, top, geometry.size - 1, low - top - 1, "g4r-column", { rx: 6 });
  slideFrom(mark, (was - now) * geometry.size);
  return mark;
};

// A click's gates, one below the other: how far each is open.
function drawGates(gates, { left, mid }, size) {
  return Object.entries(gates).map(([name, { value, held }], k) => {
    const at = 68 + 32 * k;
    const room = size - 10;
    return svg(
      "g",
      { "data-gate": name, "data-held": String(held) },
      box(left + 5, at - 4, room, 8, "g4r-track", { rx: 2 }),
      box(left + 5, at - 4, room * value + UNIT, 8, held ? "g4r-held" : "g4r-gate", { rx: 2 }),
      text(mid, at + 12, fixed(value), held ? "g4r-mid g4r-by-hand" : "g4r-mid"),
    );
  });
}
// The session, a column for each click: item, x, gates, and the state as what is kept and what is new.
function drawSession(clicks, cell, { now, steps }, geometry, was, go) {
  const { left, size, width } = geometry;
  const names = Object.keys(steps[0].gates);
  const last = cell === "lstm" ? 1 : 0;
  const top = 62 + 32 * names.length;
  const high = 132;
  const low = top + high;
  const tall = low + (last ? 46 : 28);
  const read = steps.slice(0, now);
  const most = Math.max(1, ...read.flatMap((s) => [s.kept, ...s.after].map(Math.abs)));
  const y = (v) => top + high / 2 - (v / most) * (high / 2 - 6);
  const wide = Math.min(13, size / 2 - 6);
  const bar = (x, from, to, kind) => box(x, Math.min(y(from), y(to)), wide, Math.abs(y(from) - y(to)) + UNIT, kind);
  const state = ({ kept, after }, t, mid) => [
    cell !== "rnn" && bar(mid - wide - 1, 0, kept, "g4r-kept"),
    bar(mid + 1, kept, after[last], "g4r-fresh"),
    line(mid - wide - 3, mid + wide + 3, y(after[last]), "g4r-state"),
    t + 1 < now && line(mid + wide + 3, mid + size - wide - 3, y(after[last]), "g4r-carry"),
    last > 0 && svg("circle", { cx: mid, cy: y(after[0]), r: 4, class: "g4r-dot" }),
    after.map((v, k) =>
      text(mid, low + 12 + 18 * (last - k), fixed(v), `g4r-mid ${k === last ? "g4r-strong" : ""}`, {
        "data-after": k ? "c" : "h",
      }),
    ),
  ];
  const click = ([item, x], t) => {
    const at = column(geometry, t);
    const here = t + 1 === now;
    const kind = t < now ? "g4r-mid" : "g4r-mid g4r-quiet";
    const label = clip(item, Math.floor((size - 2) / 7));
    return svg(
      "g",
      { onclick: () => go(t + 1), class: "g4r-click", "data-click": t + 1 },
      svg("title", null, item),
      box(at.left, 0, size, tall, "g4r-hit"),
      text(at.mid, 13, String(t + 1), here ? "g4r-mid g4r-now" : "g4r-mid g4r-quiet"),
      text(at.mid, 31, label, here ? `${kind} g4r-strong` : kind),
      text(at.mid, 48, short(x), kind),
      t < now && [drawGates(steps[t].gates, at, size), state(steps[t], t, at.mid)],
    );
  };
  const told = read.map((s, t) => `${clicks[t][0]} ${fixed(s.after[0])}`);
  const label = `${NAMES[cell]}, h after each click: ${told.join(", ")}.`;
  return svg(
    "svg",
    { width, height: tall, role: "img", "aria-label": label },
    [most, 0, -most].map((v) => line(left, width - 2, y(v), v ? "g4r-grid" : "g4r-zero")),
    side(13, "click"),
    side(48, "x"),
    names.map((name, k) => side(68 + 32 * k, name)),
    [most, -most].map((v) => side(y(v), short(v))),
    side(y(0), "0"),
    side(low + 12, last ? "c′" : "h′"),
    last > 0 && side(low + 30, "h′ ●"),
    clicks.map(click),
    frame(geometry, now, 1, tall, was),
  );
}

// The gradient: the product of the factors from this click back, a bar for each click before it.
function drawGradient(cell, { now, steps, reach: arrives, other, other_reach }, geometry, was) {
  const { left, size, width } = geometry;
  const last = cell === "lstm" ? 1 : 0;
  const low = 130;
  const tall = low + (last ? 62 : 44);
  const at = ({ state }) => state.at(-1);
  const most = Math.max(1, ...arrives.flatMap(({ state }) => state.map(Math.abs)));
  const y = (v) => low - Math.min(Math.abs(v) / most, 1) * 100;
  const wide = Math.min(24, size - 14);
  const thin = last ? wide / 2 : wide;
  // The LSTM's gradient starts at h itself: the c beside it is not on the way.
  const told = arrives.map((r, t) => (last && t + 1 === now ? "–" : grad(at(r))));
  const bar = (v, k, mid) =>
    box(
      mid - wide / 2 + (k === last ? 0 : thin),
      y(v),
      thin - (last ? 1 : 0),
      low - y(v) + UNIT,
      k === last ? "g4r-back" : "g4r-side",
    );
  const factor = (t, edge) => [
    text(edge, 10, `×${grad(steps[t].jacobian[last][last])}`, "g4r-mid g4r-quiet", { "data-factor": t + 1 }),
    svg("path", { d: `M${edge + 12} 19h-24m4 -3l-4 3l4 3`, class: "g4r-arrow" }),
  ];
  const number = (mid, k, content) =>
    text(mid, low + 13 + 18 * k, content, k ? "g4r-mid" : "g4r-mid g4r-strong", {
      "data-arrives": last && !k ? "c" : "h",
    });
  const click = ({ state, x }, t) => {
    const { left: edge, mid } = column(geometry, t);
    return svg(
      "g",
      { "data-reach": t + 1 },
      [...state.keys()].reverse().map((k) => bar(state[k], k, mid)),
      t > 0 && factor(t, edge),
      [...state].reverse().map((v, k) => number(mid, k, k ? grad(v) : told[t])),
      text(mid, tall - 10, grad(x), "g4r-mid g4r-quiet", { "data-arrives": "x" }),
    );
  };
  const rings = other_reach.map((r, t) => ({ x: column(geometry, t).mid, y: y(at(r)), says: grad(at(r)) }));
  const label =
    `Gradient of h after click ${now} at the ${last ? "c" : "state"} after each click. ` +
    `${NAMES[cell]}: ${told.join(", ")}. ` +
    `${NAMES[other]}, at its state: ${rings.map((ring) => ring.says).join(", ")}.`;
  return svg(
    "svg",
    { width, height: tall, role: "img", "aria-label": label },
    [1, 0.5, 0].map((v) => line(left, width - 2, y(v * most), v ? "g4r-grid" : "g4r-zero")),
    [1, 0.5].map((v) => side(y(v * most), short(v * most))),
    arrives.map(click),
    svg("path", { d: rings.map((ring, t) => `${t ? "L" : "M"}${ring.x} ${ring.y}`).join(""), class: "g4r-other" }),
    rings.map((ring) => svg("circle", { cx: ring.x, cy: ring.y, r: 3.5, class: "g4r-ring", "data-other": ring.says })),
    side(low + 13, last ? "at c" : "at h"),
    last > 0 && side(low + 31, "at h"),
    side(tall - 10, "at x"),
    frame(geometry, now, 20, tall, was),
  );
}

// ---- the widget -----------------------------------------------------------------------------------------------------
function build(view, model) {
  const given = model.get("clicks");
  const widest = Math.max(1, ...given.map(([, x]) => Math.ceil(Math.abs(x))));
  const count = () => model.get("clicks").length;
  const at = () => Math.min(model.get("step"), count());
  const go = (step) => view.put({ step }, "step");
  const time = stepper(places({ at, end: count, go }));
  const cell = choice({
    label: "Cell",
    options: Object.entries(NAMES),
    value: model.get("cell"),
    onchange: (key) => view.put({ cell: key }, "step"),
  });
  const preset = presets({
    label: "Clicks",
    choices: PRESETS,
    given: ["from Python", given],
    use: (clicks) => view.put({ clicks }, "x"),
  });
  const x = slider({
    label: "x of this click",
    min: -widest,
    max: widest,
    step: 0.1,
    value: 0,
    oninput(v) {
      preset.set("own");
      view.put({ clicks: model.get("clicks").map(([item, old], t) => [item, t + 1 === at() ? v : old]) }, "x");
    },
  });
  const u = slider({
    label: "weight U of h",
    min: -2,
    max: 2,
    step: 0.1,
    value: 0,
    oninput: (v) => view.put({ weights: withU(model.get("weights"), v) }, "U"),
  });
  // Moving a gate's slider holds the gate, at this click or at all of them.
  const scope = choice({
    label: "Sliders set",
    options: [
      ["all", "every click"],
      ["one", "this click"],
    ],
    value: "all",
    onchange() {},
  });
  const hold = (name, value) => {
    const held = model.get("held");
    const set = (t) => scope.select.value === "all" || t + 1 === at();
    const here = Array.from({ length: count() }, (_, t) => (set(t) ? value : (held[name]?.[t] ?? null)));
    view.put({ held: { ...held, [name]: here } }, name);
  };
  const release = button("Let the cell decide", () => view.put({ held: {} }, "release"));
  const gates = Object.entries(GATES).map(([name, label]) => {
    const { node, input } = slider({ label, min: 0, max: 1, step: 0.05, value: 0, oninput: (v) => hold(name, v) });
    // At 0.02 the slider stands at its end already, and a move to 0 is none for the browser: touching it holds it.
    const touch = () => view.seen.steps[at() - 1].gates[name].held || hold(name, Number(input.value));
    input.addEventListener("pointerup", touch);
    input.addEventListener("keyup", ({ key }) => /^(Arrow|Page|Home|End)/.test(key) && touch());
    const sum = html("p", { class: "g4r-sum", "data-sum": name });
    return { name, node, input, sum, block: html("div", { class: "g4r-part" }, node, sum) };
  });
  const candidate = html("p", { class: "g4r-sum", "data-sum": "candidate" });
  const parts = {
    time,
    cell,
    preset,
    x,
    u,
    scope,
    release,
    gates,
    candidate,
    status: statusLine(),
    here: title(""),
    equation: html("div"),
    session: pictureBox("The session"),
    sessionKeys: html("div"),
    share: html("div"),
    reachTitle: title(""),
    gradient: pictureBox("The gradient"),
    gradientKeys: html("div"),
  };
  return { ...parts, choose: time.by(go), root: layout(parts) };
}
// The weights with U of every cell's candidate set to this value.
function withU(weights, U) {
  const set = (key) => (row, k) => (k === candidateOf(key) ? [row[0], U, ...row.slice(2)] : row);
  return Object.fromEntries(Object.entries(weights).map(([key, rows]) => [key, rows.map(set(key))]));
}

function layout(its) {
  const part = (...content) => html("div", { class: "g4r-part" }, content);
  return group(
    "g4r-gates",
    "Gates",
    controls(its.time.node, its.cell.node, its.preset.node),
    its.status.node,
    columns(
      section(
        its.here,
        its.equation,
        part(its.x.node),
        its.gates.map((gate) => gate.block),
        part(its.u.node, its.candidate),
        controls(its.scope.node, html("div", { class: "g4r-buttons" }, its.release)),
      ),
      section(
        title("The session", "one unit, one number x per click"),
        its.session.node,
        its.sessionKeys,
        its.reachTitle,
        its.gradient.node,
        its.gradientKeys,
      ),
      section(title("This click's factor", "on the gradient's way back"), its.share),
    ),
  );
}

// What a slider shows may lie between its steps: the text says it.
function tell({ node, input }, value, shown = fixed(value), said = "") {
  const edge = Math.ceil(Math.abs(value));
  if (edge > input.max) Object.assign(input, { max: edge, min: -edge });
  if (Number(input.value) !== value) input.value = value;
  input.setAttribute("aria-valuetext", `${shown}${said && `, ${said}`}`);
  node.querySelector("output").replaceChildren(shown, said && html("small", null, said));
}
// The sliders of this click, and the sums that open the gates and make the candidate.
function fillSliders({ x, u, gates, candidate, scope, release }, cell, step, rows, marked) {
  tell(x, step.x, short(step.x));
  for (const { name, node, input, sum, block } of gates) {
    const gate = step.gates[name];
    block.hidden = !gate;
    if (!gate) continue;
    tell({ node, input }, gate.value, fixed(gate.value), gate.held ? "held" : "");
    block.classList.toggle("g4r-on", marked.has(name));
    const row = rows[ROWS[cell].indexOf(name)];
    sum.textContent = gate.held ? `${name} is held by you` : `${name} = σ(${sumOf(cell, name, row, step)})`;
  }
  const own = candidateOf(cell);
  const name = ROWS[cell][own];
  tell(u, rows[own][1], short(rows[own][1]));
  candidate.replaceChildren(
    `${name} = tanh(${sumOf(cell, name, rows[own], step)}) = `,
    html("b", { "data-value": "candidate" }, fixed(step.candidate)),
  );
  candidate.parentElement.classList.toggle("g4r-on", marked.has("candidate") || marked.has("U"));
  scope.node.hidden = release.hidden = cell === "rnn";
}
// What the last move touched among the terms; free: gates that the cell decides.
function touchedTerms(touched, free) {
  const terms = {
    step: ["h"],
    x: ["x", "candidate", ...free],
    U: ["U", "candidate"],
    r: ["r", "candidate"],
    release: free,
  };
  return new Set(terms[touched] ?? [touched]);
}

function draw(view, state) {
  const { clicks, cell } = state;
  const seen = (view.seen = compute(state));
  const { now } = seen;
  const two = cell === "lstm";
  const step = seen.steps[now - 1];
  const rows = state.weights[cell];
  const names = Object.keys(step.gates);
  const free = names.filter((name) => !step.gates[name].held);
  const marked = touchedTerms(view.touched, free);
  const held = free.length < names.length;
  Object.assign(view.root.dataset, { step: now, cell });
  view.time.allow({ Back: now > 1, Step: now < clicks.length });
  enable(view.release, held);
  view.cell.select.value = cell;
  view.status.say(words(clicks, cell, seen), view.time.playing());
  view.here.replaceChildren(`Click ${now}: ${clicks[now - 1][0]}`, html("span", null, NAMES[cell]));
  view.equation.replaceChildren(...drawEquation(cell, step, rows, marked));
  fillSliders(view, cell, step, rows, marked);

  const width = Math.max(200, view.session.node.clientWidth || 420);
  const left = width < 360 ? 34 : 40;
  const size = within(38, (width - left - 2) / clicks.length, 64);
  const was = view.was ?? now;
  const geometry = { left, size, width: left + size * clicks.length + 2 };
  const focus = left + now * size;
  view.session.show(drawSession(clicks, cell, seen, geometry, was, view.choose), focus);
  view.gradient.show(drawGradient(cell, seen, geometry, was), focus);
  view.reachTitle.replaceChildren(
    `The gradient of h after click ${now}`,
    html("span", null, "at each click before it"),
  );
  view.share.replaceChildren(drawFactor(cell, step, rows, marked));
  view.sessionKeys.replaceChildren(
    legend(
      cell !== "rnn" && ["kept", "kept"],
      ["fresh", cell === "rnn" ? "all new" : "new"],
      ["state", two ? "c after the click" : "h after the click"],
      two && ["dot", "h"],
      held && ["held", "held by you"],
    ),
  );
  view.gradientKeys.replaceChildren(
    legend(["back", two ? "at c" : NAMES[cell]], two && ["side", "at h"], [
      "other",
      `${NAMES[seen.other]}, same clicks`,
    ]),
  );
  view.was = now;
}

const FIELDS = ["clicks", "cell", "weights", "held", "step"];
const render = ({ model, el }) => mount({ model, el, fields: FIELDS, touched: "step", build, draw });
export default { render };
