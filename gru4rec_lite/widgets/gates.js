// The Gates widget: what the arithmetic of _gates_math.js makes of a session, with gates that the reader can hold.

// ---- clicks that the reader can choose -------------------------------------------------------------------------------
const PRESETS = {
  mixed: ["tent, then others", [["tent", 1], ["mug", -0.2], ["map", 0.1], ["rope", -0.3], ["hat", 0.2], ["lamp", -0.4], ["sock", 0], ["mat", 0.3]]],
  fade: ["tent, then silence", Array.from({ length: 8 }, (_, t) => (t ? ["–", 0] : ["tent", 1]))],
  silent: ["silence", Array.from({ length: 8 }, () => ["–", 0])],
  turns: ["tents and ropes", Array.from({ length: 8 }, (_, t) => (t % 2 ? ["rope", -1] : ["tent", 1]))],
};

// ---- drawing ---------------------------------------------------------------------------------------------------------
// An equation: [symbol, number, key] columns, the number below its symbol; groups: [from, to, text, key, value] of columns and what they come to.
function drawLine(columns, marked, groups = []) {
  const says = columns.map(([symbol, value]) => value ?? symbol).join(" ");
  const symbols = columns.map(([symbol]) => symbol).join(" ");
  return html("div", { class: `g4r-equation ${columns.length > 10 ? "g4r-long" : ""}`, role: "img", "aria-label": `${symbols}; in numbers ${says}` },
    columns.map(([symbol, value, key], k) => [["b", symbol], ["span", value ?? symbol]].map(([tag, content], row) =>
      html(tag, { class: marked.has(key) && "g4r-on", [row ? "data-number" : "data-term"]: key, style: `grid-area:${row + 1}/${k + 1}` }, content))),
    groups.map(([from, to, name, key, value]) =>
      html("small", { style: `grid-area:3/${from}/4/${to}`, class: `g4r-${key}` }, `${name} `, html("em", { "data-number": key }, fixed(value)))));
}
const num = (symbol, value, key) => [symbol, factor(fixed(value)), key];
const zOf = (gates) => [num("z", gates.z.value, "z"), ["(1 − z)", `(1 − ${fixed(gates.z.value)})`, "z"]];
// What makes the new state.
function drawEquation(cell, { gates, candidate, kept, fresh, before: [h, c], after, x }, rows, marked) {
  const groups = [[3, 6, "kept", "kept", kept], [7, 10, "new", "fresh", fresh]], state = ["h′", fixed(after[0]), "h′"];
  if (cell === "rnn") {
    const [W, U, b] = rows[0];
    return [drawLine([state, ["="], ["tanh("], ["W", short(W)], ["·"], ["x", factor(short(x)), "x"], ["+"], ["U", factor(short(U)), "U"], ["·"], num("h", h, "h"),
      ["+"], ["b", short(b)], [")"]], marked)];
  }
  if (cell === "lstm") {
    return [
      drawLine([["c′", fixed(after[1]), "c′"], ["="], num("f", gates.f.value, "f"), ["·"], num("c", c, "h"), ["+"], num("i", gates.i.value, "i"), ["·"], num("g", candidate, "candidate")], marked, groups),
      drawLine([state, ["="], num("o", gates.o.value, "o"), ["·"], ["tanh("], num("c′", after[1]), [")"]], marked),
    ];
  }
  const [old, share] = cell === "gru" ? zOf(gates) : zOf(gates).reverse();
  return [drawLine([state, ["="], old, ["·"], num("h", h, "h"), ["+"], share, ["·"], num("ĥ", candidate, "candidate")], marked, groups)];
}
// What this click multiplies the gradient by, taken apart.
function drawFactor(cell, { parts, gates, jacobian, after }, rows, marked) {
  const whole = grad(jacobian.at(-1).at(-1));
  if (cell === "lstm") return drawLine([["∂c′/∂c", whole, "factor"], ["="], num("f", gates.f.value, "f")], marked);
  if (cell === "rnn") return drawLine([["∂h′/∂h", whole, "factor"], ["="], ["U", factor(short(rows[0][1])), "U"], ["·"], ["(1 − h′²)", fixed(1 - after[0] ** 2)]], marked);
  const straight = zOf(gates)[cell === "gru" ? 0 : 1];
  return drawLine([["∂h′/∂h", whole, "factor"], ["="], straight, ["+"], num("via ĥ", parts[1], "candidate"), ["+"], num("via r, z", parts[2])], marked);
}

// What enters σ or tanh, in numbers.
function sumOf(cell, name, [W, U, b, d = 0], { x, before: [h], gates }) {
  const X = `${short(W)}·${factor(short(x))}`, H = factor(fixed(h));
  if (name === "ĥ" && cell === "gru") return `${X} ${added(b)} + ${fixed(gates.r.value)}·(${short(U)}·${H} ${added(d)})`;
  if (name === "ĥ") return `${X} ${added(U)}·(${fixed(gates.r.value)}·${H}) ${added(b)}`;
  return `${X} ${added(U)}·${H} ${added(b + d)}`;
}

const UNIT = 1e-9; // a bar of no height is still a bar
const column = (geometry, t) => ({ left: geometry.left + t * geometry.size, mid: geometry.left + (t + 0.5) * geometry.size });
const text = (x, y, content, kind, more) => svg("text", { x, y, class: `g4r-small ${kind ?? ""}`, ...more }, content);
const frame = (geometry, now, top, low, was) => {
  const mark = svg("rect", { x: column(geometry, now - 1).left + 0.5, y: top, width: geometry.size - 1, height: low - top - 1, rx: 6, class: "g4r-column" });
  slideFrom((was - now) * geometry.size, mark);
  return mark;
};

// The session, a column for each click: item, x, gates, and the state as what is kept and what is new.
function drawSession(clicks, cell, { now, steps }, geometry, was, go) {
  const { left, size, width } = geometry, names = Object.keys(steps[0].gates), read = steps.slice(0, now), last = cell === "lstm" ? 1 : 0;
  const top = 62 + 32 * names.length, high = 132, tall = top + high + (last ? 46 : 28);
  const most = Math.max(1, ...read.flatMap((s) => [Math.abs(s.kept), ...s.after.map(Math.abs)])), y = (v) => top + high / 2 - (v / most) * (high / 2 - 6);
  const wide = Math.min(13, size / 2 - 6), told = read.map((s, t) => `${clicks[t][0]} ${fixed(s.after[0])}`);
  const bar = (x, from, to, kind) => svg("rect", { x, width: wide, y: Math.min(y(from), y(to)), height: Math.abs(y(from) - y(to)) + UNIT, class: kind });
  const rows = clicks.map(([item, x], t) => {
    const { left: edge, mid } = column(geometry, t), step = steps[t], seen = t < now, quiet = seen ? "g4r-mid" : "g4r-mid g4r-quiet";
    const label = item.length * 7 > size - 2 ? `${item.slice(0, Math.floor(size / 7) - 1)}…` : item;
    return svg("g", { onclick: () => go(t + 1), class: "g4r-click", "data-click": t + 1 },
      svg("title", null, item), svg("rect", { x: edge, y: 0, width: size, height: tall, class: "g4r-hit" }),
      text(mid, 13, String(t + 1), t + 1 === now ? "g4r-mid g4r-now" : "g4r-mid g4r-quiet"),
      text(mid, 31, label, `${quiet} ${t + 1 === now ? "g4r-strong" : ""}`), text(mid, 48, short(x), quiet),
      seen && names.map((name, k) => {
        const { value, held } = step.gates[name], at = 68 + 32 * k, room = size - 10;
        return svg("g", { "data-gate": name, "data-held": String(held) },
          svg("rect", { x: edge + 5, y: at - 4, width: room, height: 8, rx: 2, class: "g4r-track" }),
          svg("rect", { x: edge + 5, y: at - 4, width: room * value + UNIT, height: 8, rx: 2, class: held ? "g4r-held" : "g4r-gate" }),
          text(mid, at + 12, fixed(value), held ? "g4r-mid g4r-by-hand" : "g4r-mid"));
      }),
      seen && cell !== "rnn" && bar(mid - wide - 1, 0, step.kept, "g4r-kept"),
      seen && bar(mid + 1, step.kept, step.after[last], "g4r-fresh"),
      seen && svg("line", { x1: mid - wide - 3, x2: mid + wide + 3, y1: y(step.after[last]), y2: y(step.after[last]), class: "g4r-state" }),
      seen && t + 1 < now && svg("line", { x1: mid + wide + 3, x2: mid + size - wide - 3, y1: y(step.after[last]), y2: y(step.after[last]), class: "g4r-carry" }),
      seen && last > 0 && svg("circle", { cx: mid, cy: y(step.after[0]), r: 4, class: "g4r-dot" }),
      seen && step.after.map((v, k) => text(mid, top + high + 12 + 18 * (last - k), fixed(v), `g4r-mid ${k === last ? "g4r-strong" : ""}`, { "data-after": k ? "c" : "h" })));
  });
  const side = (at, name) => text(2, at, name, "g4r-quiet");
  return svg("svg", { width, height: tall, role: "img", "aria-label": `${NAMES[cell]}, h after each click: ${told.join(", ")}.` },
    [most, 0, -most].map((v) => svg("line", { x1: left, x2: width - 2, y1: y(v), y2: y(v), class: v ? "g4r-grid" : "g4r-zero" })),
    side(13, "click"), side(48, "x"), names.map((name, k) => side(68 + 32 * k, name)),
    [most, -most].map((v) => side(y(v), short(v))), side(y(0), "0"),
    side(top + high + 12, last ? "c′" : "h′"), last > 0 && side(top + high + 30, "h′ ●"), rows, frame(geometry, now, 1, tall, was));
}

// The gradient: the product of the factors from this click back, a bar for each click before it.
function drawGradient(cell, { now, steps, reach: arrives, other, other_reach }, geometry, was) {
  const { left, size, width } = geometry, last = cell === "lstm" ? 1 : 0, top = 26, high = 104, low = top + high, tall = low + (last ? 62 : 44);
  const at = (r) => r.state.at(-1), most = Math.max(1, ...arrives.flatMap((r) => r.state.map(Math.abs)));
  const y = (v) => low - Math.min(Math.abs(v) / most, 1) * (high - 4), wide = Math.min(24, size - 14), thin = last ? wide / 2 : wide;
  // The LSTM's gradient starts at h itself: the c beside it is not on the way.
  const told = arrives.map((r, t) => (last && t + 1 === now ? "–" : grad(at(r))));
  const bars = arrives.map(({ state, x }, t) => {
    const { left: edge, mid } = column(geometry, t), f = steps[t].jacobian[last][last];
    return svg("g", { "data-reach": t + 1 },
      [...state.keys()].reverse().map((k) => svg("rect", {
        x: mid - wide / 2 + (k === last ? 0 : thin), width: thin - (last ? 1 : 0), y: y(state[k]), height: low - y(state[k]) + UNIT, class: k === last ? "g4r-back" : "g4r-side",
      })),
      t > 0 && text(edge, 10, `×${grad(f)}`, "g4r-mid g4r-quiet", { "data-factor": t + 1 }),
      t > 0 && svg("path", { d: `M${edge + 12} 19h-24m4 -3l-4 3l4 3`, class: "g4r-arrow" }),
      [...state].reverse().map((v, k) => text(mid, low + 13 + 18 * k, k ? grad(v) : told[t], k ? "g4r-mid" : "g4r-mid g4r-strong",
        { "data-arrives": last && !k ? "c" : "h" })),
      text(mid, tall - 10, grad(x), "g4r-mid g4r-quiet", { "data-arrives": "x" }));
  });
  const points = other_reach.map((r, t) => [column(geometry, t).mid, y(at(r))]);
  const side = (where, name) => text(2, where, name, "g4r-quiet");
  return svg("svg", {
    width, height: tall, role: "img",
    "aria-label": `Gradient of h after click ${now} at the ${last ? "c" : "state"} after each click. ${NAMES[cell]}: ${told.join(", ")}. `
      + `${NAMES[other]}, at its state: ${other_reach.map((r) => grad(at(r))).join(", ")}.`,
  },
    [1, 0.5, 0].map((v) => svg("line", { x1: left, x2: width - 2, y1: y(v * most), y2: y(v * most), class: v ? "g4r-grid" : "g4r-zero" })),
    [1, 0.5].map((v) => side(y(v * most), short(v * most))), bars,
    svg("path", { d: points.map(([px, py], t) => `${t ? "L" : "M"}${px} ${py}`).join(""), class: "g4r-other" }),
    points.map(([cx, cy], t) => svg("circle", { cx, cy, r: 3.5, class: "g4r-ring", "data-other": grad(at(other_reach[t])) })),
    side(low + 13, last ? "at c" : "at h"), last > 0 && side(low + 31, "at h"), side(tall - 10, "at x"), frame(geometry, now, 20, tall, was));
}

// ---- the widget ------------------------------------------------------------------------------------------------------
const FIELDS = ["clicks", "cell", "weights", "held", "step"];

function render({ model, el }) {
  const given = model.get("clicks"); // the clicks that Python gave stay among the choices
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const opening = Object.keys(PRESETS).find((key) => same(PRESETS[key][1], given)) ?? "given";
  const widest = Math.max(1, ...given.map(([, x]) => Math.ceil(Math.abs(x))));
  let seen, touched = "step", was = null;

  const put = (values, term) => {
    touched = term;
    setState(model, values);
  };
  const count = () => model.get("clicks").length, at = () => Math.min(model.get("step"), count());
  const go = (step) => { if (step >= 1 && step <= count()) put({ step }, "step"); };
  const play = player({ tick: (first) => {
    go(first && at() === count() ? 1 : at() + 1);
    return at() < count();
  } });
  const by = (move) => (step) => { play.stop(); move(step); };
  const back = button("Back", by(() => go(at() - 1))), next = button("Step", by(() => go(at() + 1))), reset = button("Reset", by(() => go(1)));
  const cell = choice({ label: "Cell", options: Object.entries(NAMES), value: model.get("cell"), onchange: (key) => put({ cell: key }, "step") });
  const preset = choice({
    label: "Clicks", value: opening,
    options: [...(opening === "given" ? [["given", "from Python"]] : []), ...Object.entries(PRESETS).map(([key, [name]]) => [key, name]), ["own", "your own"]],
    onchange: (key) => key !== "own" && put({ clicks: key === "given" ? given : PRESETS[key][1] }, "x"),
  });
  const x = slider({ label: "x of this click", min: -widest, max: widest, step: 0.1, value: 0, oninput: (v) => {
    preset.select.value = "own";
    put({ clicks: model.get("clicks").map(([item, old], t) => [item, t + 1 === at() ? v : old]) }, "x");
  } });

  // Moving a gate's slider holds the gate, at this click or at all of them.
  const scope = choice({ label: "Sliders set", options: [["all", "every click"], ["one", "this click"]], value: "all", onchange() {} });
  const hold = (name, value) => {
    const old = model.get("held"), here = Array.from({ length: count() }, (_, t) => (scope.select.value === "all" || t + 1 === at() ? value : old[name]?.[t] ?? null));
    put({ held: { ...old, [name]: here } }, name);
  };
  const release = button("Let the cell decide", () => put({ held: {} }, "release"));
  const gates = Object.fromEntries(Object.entries(GATES).map(([name, label]) => {
    const made = slider({ label, min: 0, max: 1, step: 0.05, value: 0, oninput: (v) => hold(name, v) });
    // At 0.02 the slider stands at its end already, and a move to 0 is none for the browser: touching it holds it there.
    const touch = () => { if (!seen.steps[at() - 1].gates[name].held) hold(name, Number(made.input.value)); };
    made.input.addEventListener("pointerup", touch);
    made.input.addEventListener("keyup", ({ key }) => /^(Arrow|Page|Home|End)/.test(key) && touch());
    return [name, made];
  }));
  const u = slider({ label: "weight U of h", min: -2, max: 2, step: 0.1, value: 0, oninput: (v) => put({
    weights: Object.fromEntries(Object.entries(model.get("weights")).map(([key, rows]) =>
      [key, rows.map((row, k) => (k === candidateOf(key) ? [row[0], v, ...row.slice(2)] : row))])),
  }, "U") });
  // What a slider shows may lie between its steps: the text says it.
  const tell = ({ node, input }, value, shown = fixed(value), said = "") => {
    const edge = Math.ceil(Math.abs(value));
    if (edge > input.max) { input.max = edge; input.min = -edge; }
    if (Number(input.value) !== value) input.value = value;
    input.setAttribute("aria-valuetext", `${shown}${said && `, ${said}`}`);
    node.querySelector("output").replaceChildren(shown, said && html("small", null, said));
  };

  const status = statusLine();
  const line = (name) => html("p", { class: "g4r-sum", "data-sum": name });
  const candidateLine = line("candidate"), sums = Object.fromEntries(Object.keys(GATES).map((name) => [name, line(name)]));
  const blocks = Object.fromEntries(Object.keys(GATES).map((name) => [name, html("div", { class: "g4r-part" }, gates[name].node, sums[name])]));
  const equation = html("div"), session = pictureBox("The session"), gradient = pictureBox("The gradient"), share = html("div");
  const here = title(""), reachTitle = title("");
  const sessionKeys = html("div"), gradientKeys = html("div");
  const root = html("div", { class: "g4r g4r-gates", role: "group", "aria-label": "Gates" },
    html("div", { class: "g4r-controls" }, html("div", { class: "g4r-buttons" }, back, next, play.node, reset), cell.node, preset.node),
    status.node,
    html("div", { class: "g4r-columns" },
      html("section", null, here, equation,
        html("div", { class: "g4r-part" }, x.node), Object.values(blocks), html("div", { class: "g4r-part" }, u.node, candidateLine),
        html("div", { class: "g4r-controls" }, scope.node, html("div", { class: "g4r-buttons" }, release))),
      html("section", null, title("The session", "one unit, one number x per click"), session.node, sessionKeys,
        reachTitle, gradient.node, gradientKeys),
      html("section", null, title("This click's factor", "on the gradient's way back"), share)));

  function draw() {
    const state = stateOf(model, FIELDS);
    seen = compute(state);
    const { now } = seen, step = seen.steps[now - 1], rows = state.weights[state.cell], free = Object.keys(step.gates).filter((g) => !step.gates[g].held);
    const marked = new Set({ step: ["h"], x: ["x", "candidate", ...free], U: ["U", "candidate"], r: ["r", "candidate"], release: free }[touched] ?? [touched]);
    root.dataset.step = now; root.dataset.cell = state.cell;
    enable(back, now > 1); enable(next, now < state.clicks.length); enable(release, Object.values(step.gates).some((g) => g.held));
    cell.select.value = state.cell;
    const said = words(state.clicks, state.cell, seen);
    status.say(said, play.playing());

    here.replaceChildren(`Click ${now}: ${state.clicks[now - 1][0]}`, html("span", null, NAMES[state.cell]));
    equation.replaceChildren(...drawEquation(state.cell, step, rows, marked));
    tell(x, step.x, short(step.x));
    for (const name of Object.keys(GATES)) {
      const gate = step.gates[name];
      blocks[name].hidden = !gate;
      if (!gate) continue;
      tell(gates[name], gate.value, fixed(gate.value), gate.held ? "held" : "");
      blocks[name].classList.toggle("g4r-on", marked.has(name));
      sums[name].textContent = gate.held ? `${name} is held by you` : `${name} = σ(${sumOf(state.cell, name, rows[ROWS[state.cell].indexOf(name)], step)})`;
    }
    const own = candidateOf(state.cell), name = ROWS[state.cell][own];
    tell(u, rows[own][1], short(rows[own][1]));
    candidateLine.replaceChildren(`${name} = tanh(${sumOf(state.cell, name, rows[own], step)}) = `, html("b", { "data-value": "candidate" }, fixed(step.candidate)));
    candidateLine.parentElement.classList.toggle("g4r-on", marked.has("candidate") || marked.has("U"));
    scope.node.hidden = release.hidden = state.cell === "rnn";

    const width = Math.max(200, session.node.clientWidth || 420), left = width < 360 ? 34 : 40;
    const size = Math.max(38, Math.min(64, (width - left - 2) / state.clicks.length));
    const geometry = { left, size, width: left + size * state.clicks.length + 2 }, focus = left + now * size;
    session.show(drawSession(state.clicks, state.cell, seen, geometry, was ?? now, by(go)), focus);
    gradient.show(drawGradient(state.cell, seen, geometry, was ?? now), focus);
    reachTitle.replaceChildren(`The gradient of h after click ${now}`, html("span", null, "at each click before it"));
    share.replaceChildren(drawFactor(state.cell, step, rows, marked));
    const two = state.cell === "lstm";
    sessionKeys.replaceChildren(legend(
      state.cell !== "rnn" && ["kept", "kept"], ["fresh", state.cell === "rnn" ? "all new" : "new"],
      ["state", two ? "c after the click" : "h after the click"], two && ["dot", "h"],
      free.length < Object.keys(step.gates).length && ["held", "held by you"]));
    gradientKeys.replaceChildren(legend(
      ["back", two ? "at c" : NAMES[state.cell]], two && ["side", "at h"], ["other", `${NAMES[seen.other]}, same clicks`]));
    was = now;
  }
  el.append(root);
  draw();
  const ends = [onChange(model, FIELDS, draw), onWidth(root, draw)];
  return () => { play.stop(); ends.forEach((end) => end()); };
}

export default { render };
