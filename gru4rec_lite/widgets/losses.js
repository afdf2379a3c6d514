// The Losses widget: scores to drag, and what the losses of _losses_math.js do with them.

// Scores that the reader can choose: the target's, and that of negative j = 0, 1, …
const PRESETS = {
  ahead: ["one negative ahead", 1, (j) => (j ? 1 - j : 2)], top: ["target on top", 4, (j) => -j],
  equal: ["all equal", 1, () => 1], far: ["far apart", -110, (j) => -j],
};

// ---- drawing ---------------------------------------------------------------------------------------------------------
// Where a step of training pushes a score: against the gradient. An arrow of full length is a gradient of `full`.
function drawPush(gradient, full, width) {
  const middle = width / 2, end = middle - (gradient / full) * (middle - 4), head = Math.min(8, Math.abs(end - middle)) * Math.sign(end - middle);
  return svg("svg", { width, height: 24, "aria-hidden": "true" },
    svg("path", { d: `M${middle} 0V24`, class: "g4r-zero" }),
    gradient === undefined ? null : Math.abs(end - middle) < 0.5 ? svg("circle", { cx: middle, cy: 12, r: 2.5, class: "g4r-tip" }) : [
      svg("path", { d: `M${middle} 12H${end - head}`, class: "g4r-shaft" }),
      svg("path", { d: `M${end} 12l${-head} -7v14z`, class: "g4r-tip" }),
    ]);
}

const ceiling = (x) => {
  const ten = 10 ** Math.floor(Math.log10(x));
  return x > 0 ? [1, 2, 2.5, 5, 10].map((k) => k * ten).find((y) => y >= x * 0.999) : 0;
};
// Lines over places 0, 1, …, each named at its end; a line that stops being a number ends with a cross. `at` is marked.
function drawLines({ lines, ticks, at, width, label, top, bottom, axis }) {
  const left = 40, right = 104, high = 150, last = lines[0].values.length - 1;
  const x = (i) => left + (i / last) * (width - left - right), y = (v) => 10 + (high * (top - v)) / (top - bottom);
  const shown = lines.map((line) => {
    const stop = line.values.findIndex((v) => !Number.isFinite(v)), ends = stop < 0 ? last : stop - 1;
    return { ...line, ends, d: line.values.slice(0, ends + 1).map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("") };
  });
  // names at the right end, in its order and none upon another; that of a line that stops stands beside its cross
  const named = shown.filter((line) => line.ends === last).sort((a, b) => b.values[last] - a.values[last]);
  named.forEach((line, i) => { line.y = Math.max(y(line.values[last]), i ? named[i - 1].y + 15 : 0); });
  for (let i = named.length - 1, most = high + 2; i >= 0; i -= 1, most -= 15) named[i].y = Math.min(named[i].y, most);
  for (const line of shown) if (line.ends < last) line.y = y(line.values[line.ends]) + (line.values[line.ends] > (top + bottom) / 2 ? 15 : -13);
  return svg("svg", { width, height: high + 46, role: "img", "aria-label": label },
    [top, (top + bottom) / 2, bottom].map((v) => [
      svg("path", { d: `M${left} ${y(v)}H${x(last)}`, class: "g4r-grid" }),
      svg("text", { x: left - 6, y: y(v), class: "g4r-small g4r-quiet g4r-end" }, minus(String(Number(v.toPrecision(3))))),
    ]),
    ticks.map(([i, text]) => svg("text", { x: x(i), y: high + 22, class: "g4r-small g4r-quiet g4r-mid" }, text)),
    svg("text", { x: (left + x(last)) / 2, y: high + 38, class: "g4r-small g4r-quiet g4r-mid" }, axis),
    at !== undefined && svg("path", { d: `M${x(at)} 10V${high + 10}`, class: "g4r-now" }),
    shown.map((line) => [
      svg("path", { d: line.d, class: `g4r-line g4r-${line.kind}${line.on ? " g4r-own" : ""}`, "data-line": line.name }),
      line.ends < last && svg("path", { d: `M${x(line.ends) - 5} ${y(line.values[line.ends]) - 5}l10 10m0 -10l-10 10`, class: "g4r-line" }),
      at !== undefined && at <= line.ends && svg("circle", { cx: x(at), cy: y(line.values[at]), r: line.on ? 5 : 3, class: line.on ? "g4r-dot g4r-own" : "g4r-dot" }),
      svg("text", { x: (line.ends < last ? x(line.ends) : x(last)) + 8, y: line.y, class: line.on ? "g4r-small g4r-strong" : "g4r-small" }, line.name),
    ]));
}

// ---- the widget ------------------------------------------------------------------------------------------------------
function render({ model, el }) {
  const FIELDS = ["target", "negatives", "loss", "added", "low", "bpreg"];
  const state = () => stateOf(model, FIELDS);
  const put = (values) => setState(model, values);
  const given = state(), preset = (key, n) => ({ target: PRESETS[key][1], negatives: Array.from({ length: n }, (_, j) => PRESETS[key][2](j)) });
  const same = (a, b) => a.target === b.target && String(a.negatives) === String(b.negatives);
  const opening = Object.keys(PRESETS).find((key) => same(given, preset(key, given.negatives.length))) ?? "given";
  // `touched`: the score whose term is shown, −1 the target; `mark`: what of the equation the last control changed;
  // `before`: the scores that Reset brings back.
  let reach = 10, touched = compute(given).hardest, mark = "loss", before = given, rows = [];

  const loss = choice({
    label: "Loss", value: given.loss, onchange: (v) => { mark = "loss"; put({ loss: v }); },
    options: Object.entries(NAMES).map(([key, name]) => [key, key.endsWith("max") ? `${name} · chapter 11` : name]),
  });
  const example = choice({
    label: "Scores", value: opening,
    options: [...(opening === "given" ? [["given", "as at first"]] : []), ...Object.entries(PRESETS).map(([key, [name]]) => [key, name]), ["own", "your own"]],
    onchange: (key) => { if (key !== "own") { reach = 10; set(key === "given" ? { target: given.target, negatives: given.negatives } : preset(key, model.get("negatives").length)); } },
  });
  const count = slider({ label: "Negatives", min: 1, max: 8, value: given.negatives.length, oninput: (n) => {
    const now = model.get("negatives");
    touched = Math.min(touched, n - 1);
    set({ negatives: [...now, ...Array.from({ length: 8 }, (_, j) => 1 - j).slice(now.length)].slice(0, n) });
    example.select.value = "own";
  } });
  const range = choice({ label: "Bars reach", value: "10", options: [["10", "±10"], ["150", "±150"]], onchange: (v) => { reach = Number(v); draw(); } });
  const lambda = slider({ label: "λ (bpreg)", min: 0, max: 2, step: 0.1, value: given.bpreg, oninput: (v) => { mark = "loss"; put({ bpreg: v }); } });
  const more = slider({ label: "Negatives added", min: 0, max: COUNTS.length - 1, value: 0, oninput: (i) => { mark = "loss"; put({ added: COUNTS[i] }); } });

  // By hand, so that Reset comes back to here.
  function set(values) { play.stop(); mark = "score"; before = { ...state(), ...values }; put(values); }
  // Every score minus its gradient, within the bars; says whether anything still moves.
  function step() {
    const now = state(), { gradient } = compute(now).losses[now.loss];
    const go = (score, g) => Math.max(-150, Math.min(150, score - g));
    mark = "score";
    put({
      target: go(now.target, gradient.target), negatives: now.negatives.map((score, j) => go(score, gradient.each[j])),
      low: now.added ? go(now.low, gradient.each.at(-1)) : now.low,
    });
    return Math.max(...[gradient.target, ...gradient.each].map(Math.abs)) > 0.002;
  }
  const play = player({ tick: step, milliseconds: 500 });
  const once = button("Step", () => { play.stop(); step(); });
  const reset = button("Reset", () => { play.stop(); mark = "score"; put({ target: before.target, negatives: before.negatives, low: before.low }); });

  const section = (...content) => html("section", null, ...content);
  const status = statusLine();
  const forces = html("div", { class: "g4r-forces" }), code = html("dl", { class: "g4r-code" }), codeTitle = title("");
  const table = pictureBox("All losses"), bits = pictureBox("Three cross-entropies");
  const pictures = Object.fromEntries(["up", "down", "value", "gradient"].map((name) => [name, html("div", { "data-picture": name })]));
  const downTitle = title("");
  const pair = (...columns) => html("div", { class: "g4r-columns" }, ...columns);
  const naive = section(title("Cross-entropy in 32 bits", "the same formula, written in three ways"), bits.node,
    pair(html("div", null, title("Loss"), pictures.value), html("div", null, title("Gradient on the target"), pictures.gradient)));
  const root = html("div", { class: "g4r g4r-losses", role: "group", "aria-label": "Losses" },
    html("div", { class: "g4r-controls" }, loss.node, example.node, count.node, range.node, lambda.node),
    status.node,
    section(html("div", { class: "g4r-force g4r-head", "aria-hidden": "true" }, html("span", null, "Score"), html("span", null, "drag the bars"), html("span"),
      html("span", null, "Gradient"), html("span", null, "◄ lower · pushed to · higher ►")), forces,
      html("div", { class: "g4r-controls" }, html("div", { class: "g4r-buttons" }, once, play.node, reset), html("small", null, "Step: each score − its gradient"))),
    section(codeTitle, code),
    section(title("All losses on these scores"), table.node),
    section(title("As negatives are added", "what is left of the push"), html("div", { class: "g4r-controls" }, more.node),
      pair(html("div", null, title("Up on the target", math("−∂L/∂r_s")), pictures.up), html("div", null, downTitle, pictures.down))),
    naive);

  // A row is a score's bar, a slider of the browser's own (pointer, touch and keys come with it), its gradient and its push.
  function makeRows(n) {
    const row = (key, name, write) => {
      const input = html("input", { type: "range", "aria-label": `score of ${key < 0 ? "the target" : key < n ? name : "the added negatives"}`, ...CONTROL });
      const label = html("span", null, name), value = html("output", { "aria-hidden": "true" }), gradient = html("b"), push = html("div");
      input.addEventListener("input", () => { touched = key; example.select.value = key < n ? "own" : example.select.value; set(write(Number(input.value))); });
      input.addEventListener("focus", () => { if (touched !== key) { touched = key; mark = "score"; draw(); } });
      const kind = key < 0 ? " g4r-own" : key < n ? "" : " g4r-added";
      return { node: html("div", { class: `g4r-force${kind}`, "data-score": key < 0 ? "target" : key < n ? key + 1 : "added" }, label, input, value, gradient, push), key, input, label, value, gradient, push };
    };
    rows = [row(-1, "target", (v) => ({ target: v })),
      ...Array.from({ length: n }, (_, j) => row(j, `negative ${j + 1}`, (v) => ({ negatives: model.get("negatives").map((old, k) => (k === j ? v : old)) }))),
      row(n, "", (v) => ({ low: v }))];
    forces.replaceChildren(...rows.map((r) => r.node));
  }
  function drawRows(now, gradient, width) {
    const n = now.negatives.length, full = Math.max(1, ...[gradient.target, ...gradient.each].map(Math.abs));
    for (const { key, input, label, value, gradient: number, push } of rows) {
      const score = key < 0 ? now.target : key < n ? now.negatives[key] : now.low, g = key < 0 ? gradient.target : gradient.each[key];
      for (const [name, v] of [["min", -reach], ["max", reach], ["step", reach > 10 ? 1 : 0.1]]) if (Number(input[name]) !== v) input[name] = v;
      if (Number(input.value) !== score) input.value = score;
      const at = (v) => Math.max(0, Math.min(1, (v + reach) / (2 * reach)));
      input.style.setProperty("--from", at(Math.min(0, score)));
      input.style.setProperty("--to", at(Math.max(0, score)));
      if (key === n) label.textContent = `${big(now.added)} added`;
      value.textContent = short(score);
      number.textContent = g === undefined ? "–" : signed(g);
      input.setAttribute("aria-valuetext", g === undefined ? `${short(score)}, none added yet` : `${short(score)}, gradient ${signed(g)}, pushed ${moved(g)}`);
      push.replaceChildren(drawPush(g, full, width < 600 ? Math.max(120, width - 110) : 230));
    }
  }
  function drawCode(now, seen) {
    const at = touched < seen.pairs.length ? touched : seen.hardest, sign = at < 0 ? "s" : at < now.negatives.length ? at + 1 : "a";
    const names = ["L", at < 0 ? "p_s" : "its term", `∂L/∂r_${sign}`];
    codeTitle.replaceChildren("The equation", html("span", null, `with the score of ${at < 0 ? "the target s" : sign === "a" ? "one added negative, j = a" : `negative j = ${sign}`}`));
    return equation(now.loss, seen, at).map((line, i) => line && html("div", { class: (i ? "score" : "loss") === mark && "g4r-on", "data-term": ["loss", "term", "gradient"][i] },
      html("dt", null, math(names[i])), html("dd", null, html("small", null, math(line[0])), html("code", null, math(line[1]))))).filter(Boolean);
  }
  const grid = (heads, body) => html("table", { class: "g4r-table" },
    html("thead", null, html("tr", null, heads.map((head) => html("th", { scope: "col" }, math(head))))), html("tbody", null, body));
  const line = (key, name, numbers, on) => html("tr", { "data-row": key, class: on && "g4r-chosen" }, html("th", { scope: "row" }, on ? "▸ " : "", name), numbers.map((v) => html("td", null, v)));

  function draw() {
    const now = state(), seen = compute(now), own = seen.losses[now.loss], width = root.clientWidth || 640, half = width < 600 ? width : (width - 30) / 2;
    if (Math.max(...[now.target, now.low, ...now.negatives].map(Math.abs)) > reach) reach = 150;
    if (rows.length !== now.negatives.length + 2) makeRows(now.negatives.length);
    loss.select.value = now.loss; range.select.value = String(reach);
    count.set(now.negatives.length); lambda.set(now.bpreg); more.set(COUNTS.indexOf(now.added));
    more.node.querySelector("output").textContent = big(now.added);
    more.input.setAttribute("aria-valuetext", big(now.added));
    lambda.node.style.display = now.loss === "bpr-max" ? "" : "none";
    const said = words(now.loss, seen, now.added);
    status.say(said, play.playing());
    drawRows(now, own.gradient, width);
    code.replaceChildren(...drawCode(now, seen));

    const shown = compared(now.loss), hard = seen.hardest + 1;
    table.show(grid(["Loss", "L", "∂L/∂r_s, target", `∂L/∂r_${hard}, hardest`, "sum of all"], shown.map((key) => {
      const { value, gradient } = seen.losses[key], sum = Math.abs(gradient.sum) < 1e-9 ? 0 : gradient.sum;
      return line(key, NAMES[key], [num(value), signed(gradient.target), signed(gradient.each[seen.hardest]), signed(sum)], key === now.loss);
    })));
    downTitle.replaceChildren(`Down on negative ${hard}, the hardest`, html("span", null, math(`∂L/∂r_${hard}`)));
    for (const [name, what] of [["up", "up on the target"], ["down", `down on negative ${hard}`]]) {
      const lines = shown.map((key) => ({ name: NAMES[key], kind: key, on: key === now.loss, values: seen.curve.map((c) => c[key][name]) }));
      const all = lines.flatMap((l) => l.values), told = lines.map((l) => `${l.name} ${num(l.values[0])}, with 2,048 added ${num(l.values.at(-1))}`);
      pictures[name].replaceChildren(drawLines({
        lines, width: half, at: COUNTS.indexOf(now.added), top: ceiling(Math.max(...all)) || 1, bottom: -ceiling(-Math.min(0, ...all)), axis: "negatives added",
        ticks: [0, 1, 3, 5, 7, 9, 12].map((i) => [i, big(COUNTS[i])]), label: `Push ${what} as negatives are added. ${told.join("; ")}.`,
      }));
    }

    naive.style.display = now.loss === "cross-entropy" ? "" : "none";
    const ways = [["stable", "ln Σ e^r − r_s", "stable"], ["plain", "−ln softmax", "plain"], ["guarded", "−ln (softmax + 10^{−24})", "+ 1e−24"]];
    bits.show(grid(["float32", "L", "∂L/∂r_s"], ways.map(([key, name]) =>
      line(key, math(name), [num(seen.float32[key].value), signed(seen.float32[key].gradient)], key === "stable"))));
    const below = Math.round(Math.max(...now.negatives) - now.target);
    for (const [name, top, bottom] of [["value", 150, 0], ["gradient", 0, -1]]) {
      const lines = ways.map(([key, , kind]) => ({ name: kind, kind: key, on: key === "stable", values: seen.falling.map((f) => f[key][name]) }));
      pictures[name].replaceChildren(drawLines({
        lines, width: half, top, bottom, at: below >= 0 && below <= 130 ? below : undefined, ticks: [0, 25, 50, 75, 100, 130].map((i) => [i, String(i)]), axis: "target below the best negative by",
        label: `${name === "value" ? "Loss" : "Gradient on the target"} in float32 as the target falls to 130 below: stable ${num(lines[0].values[130])}, plain ${num(lines[1].values[130])}, with 1e−24 ${num(lines[2].values[130])}.`,
      }));
    }
  }

  el.append(root);
  draw();
  const ends = [onChange(model, FIELDS, draw), onWidth(root, draw)];
  return () => { play.stop(); ends.forEach((end) => end()); };
}

export default { render };
