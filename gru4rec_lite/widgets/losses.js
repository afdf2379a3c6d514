// The Losses widget: scores to drag, and what the losses of _losses_math.js do with them.

// Scores that the reader can choose: the target's, and that of negative j = 0, 1, …
const PRESETS = {
  ahead: ["one negative ahead", 1, (j) => (j ? 1 - j : 2)],
  top: ["target on top", 4, (j) => -j],
  equal: ["all equal", 1, () => 1],
  far: ["far apart", -110, (j) => -j],
};

// ---- drawing --------------------------------------------------------------------------------------------------------
// Where a step of training pushes a score: against the gradient. An arrow of full length is a gradient of `full`.
function drawPush(gradient, full, width) {
  const middle = width / 2;
  const end = middle - (gradient / full) * (middle - 4);
  const long = Math.abs(end - middle);
  const head = Math.min(8, long) * Math.sign(end - middle);
  const arrow = () => [
    svg("path", { d: `M${middle} 12H${end - head}`, class: "g4r-shaft" }),
    svg("path", { d: `M${end} 12l${-head} -7v14z`, class: "g4r-tip" }),
  ];
  const none = () => svg("circle", { cx: middle, cy: 12, r: 2.5, class: "g4r-tip" });
  return svg(
    "svg",
    { width, height: 24, "aria-hidden": "true" },
    svg("path", { d: `M${middle} 0V24`, class: "g4r-zero" }),
    gradient !== undefined && (long < 0.5 ? none() : arrow()),
  );
}

const ceiling = (x) => {
  const ten = 10 ** Math.floor(Math.log10(x));
  return x > 0 ? [1, 2, 2.5, 5, 10].map((k) => k * ten).find((y) => y >= x * 0.999) : 0;
};
const tick = (v) => {
  const three = Number(v.toPrecision(3));
  return minus(v && Math.abs(v) < 0.001 ? three.toExponential() : String(three)); // 2.5e−6 and not 0.0000025
};
// Lines over places 0, 1, …, each named at its end; a line that stops being a number ends with a cross. `at` is marked.
function drawLines({ lines, ticks, at, width, label, top, bottom, axis }) {
  const left = Math.max(40, 5 + 7 * Math.max(...[top, (top + bottom) / 2, bottom].map((v) => tick(v).length)));
  const right = 104;
  const high = 150;
  const last = lines[0].values.length - 1;
  const x = (i) => left + (i / last) * (width - left - right);
  const y = (v) => 10 + (high * (top - v)) / (top - bottom);
  const text = (x, y, kind, content) => svg("text", { x, y, class: `g4r-small ${kind}` }, content);
  const shown = lines.map((line) => {
    const stop = line.values.findIndex((v) => !Number.isFinite(v));
    const end = stop < 0 ? last : stop - 1;
    const points = line.values.slice(0, end + 1).map((v, i) => `${x(i).toFixed(1)} ${y(v).toFixed(1)}`);
    return { ...line, end, stops: end < last, x: x(end), y: y(line.values[end]), d: `M${points.join("L")}` };
  });
  const names = nameHeights(shown, high + 2, (top + bottom) / 2);
  const draw = ({ name, kind, on, values, end, stops, x: ex, y: ey, d }) => [
    svg("path", { d, class: `g4r-line g4r-${kind}${on ? " g4r-own" : ""}`, "data-line": name }),
    stops && svg("path", { d: `M${ex - 5} ${ey - 5}l10 10m0 -10l-10 10`, class: "g4r-line" }),
    at <= end &&
      svg("circle", { cx: x(at), cy: y(values[at]), r: on ? 5 : 3, class: on ? "g4r-dot g4r-own" : "g4r-dot" }),
    text(ex + 8, names.get(name), on ? "g4r-strong" : "", name),
  ];
  return svg(
    "svg",
    { width, height: high + 46, role: "img", "aria-label": label },
    [top, (top + bottom) / 2, bottom].map((v) => [
      svg("path", { d: `M${left} ${y(v)}H${x(last)}`, class: "g4r-grid" }),
      text(left - 6, y(v), "g4r-quiet g4r-end", tick(v)),
    ]),
    ticks.map(([i, content]) => text(x(i), high + 22, "g4r-quiet g4r-mid", content)),
    text((left + x(last)) / 2, high + 38, "g4r-quiet g4r-mid", axis),
    at !== undefined && svg("path", { d: `M${x(at)} 10V${high + 10}`, class: "g4r-now" }),
    shown.map(draw),
  );
}
// Where the names of lines stand: at the right end in its order and none upon another; that of a line that stops beside
// its cross.
function nameHeights(lines, most, middle) {
  const last = ({ values, end }) => values[end];
  const heights = new Map();
  const named = lines.filter((line) => !line.stops).sort((a, b) => last(b) - last(a));
  const ys = named.map((line) => line.y);
  for (let i = 1; i < ys.length; i += 1) ys[i] = Math.max(ys[i], ys[i - 1] + 15);
  for (let i = ys.length - 1; i >= 0; i -= 1) ys[i] = Math.min(ys[i], most - 15 * (ys.length - 1 - i));
  named.forEach((line, i) => heights.set(line.name, ys[i]));
  for (const line of lines) if (line.stops) heights.set(line.name, line.y + (last(line) > middle ? 15 : -13));
  return heights;
}

// The equation with the numbers of the touched score: that of the loss, of the score's term, of its gradient.
function drawCode({ loss, negatives }, seen, at, mark) {
  const sign = at < 0 ? "s" : at < negatives.length ? at + 1 : "a";
  const names = { loss: "L", term: at < 0 ? "p_s" : "its term", gradient: `∂L/∂r_${sign}` };
  const lines = equation(loss, seen, at);
  const line = ([key, name], i) =>
    lines[i] &&
    html(
      "div",
      { class: (i ? "score" : "loss") === mark && "g4r-on", "data-term": key },
      html("dt", null, math(name)),
      html("dd", null, html("small", null, math(lines[i][0])), html("code", null, math(lines[i][1]))),
    );
  const whose = at < 0 ? "the target s" : sign === "a" ? "one added negative, j = a" : `negative j = ${sign}`;
  return [`with the score of ${whose}`, Object.entries(names).map(line).filter(Boolean)];
}

// A table of losses or ways, the chosen one marked. lines: [key, name, numbers].
function drawTable(heads, lines, chosen) {
  return table(
    heads.map(math),
    lines.map(([key, name, numbers]) =>
      html(
        "tr",
        { "data-row": key, class: key === chosen && "g4r-chosen" },
        html("th", { scope: "row" }, key === chosen ? "▸ " : "", name),
        numbers.map((v) => html("td", null, v)),
      ),
    ),
  );
}

// ---- filling --------------------------------------------------------------------------------------------------------
// A row is a score's bar, a slider of the browser's own (pointer, touch and keys come with it), its gradient and its
// push.
// Rows stand for the target (key −1), each negative, and those that are added (key n).
function makeRow(view, key, n) {
  const [name, whose] =
    key < 0
      ? ["target", "the target"]
      : key < n
        ? [`negative ${key + 1}`, `negative ${key + 1}`]
        : ["", "the added negatives"];
  const input = html("input", { type: "range", "aria-label": `score of ${whose}`, ...CONTROL });
  input.addEventListener("input", () => setScore(view, key, Number(input.value)));
  input.addEventListener("focus", () => showTerm(view, key));
  const label = html("span", null, name);
  const value = html("output", { "aria-hidden": "true" });
  const gradient = html("b");
  const push = html("div");
  const looks = {
    class: `g4r-force${key < 0 ? " g4r-own" : key < n ? "" : " g4r-added"}`,
    "data-score": key < 0 ? "target" : key < n ? key + 1 : "added",
  };
  return { key, node: html("div", looks, label, input, value, gradient, push), input, label, value, gradient, push };
}
function fillRows(view, { target, negatives, added, low }, gradient, width) {
  const n = negatives.length;
  const { reach } = view;
  const full = Math.max(1, ...[gradient.target, ...gradient.each].map(Math.abs));
  if (view.rows.length !== n + 2) {
    view.rows = Array.from({ length: n + 2 }, (_, i) => makeRow(view, i - 1, n));
    view.forces.replaceChildren(...view.rows.map((row) => row.node));
  }
  const scores = [target, ...negatives, low];
  const gradients = [gradient.target, ...gradient.each];
  const at = (v) => within(0, (v + reach) / (2 * reach), 1);
  const room = width < 600 ? Math.max(120, width - 110) : 230;
  view.rows.forEach((row, i) => {
    const { input } = row;
    const score = scores[i];
    const g = gradients[i];
    for (const [name, v] of Object.entries({ min: -reach, max: reach, step: reach > 10 ? 1 : 0.1 }))
      if (Number(input[name]) !== v) input[name] = v;
    if (Number(input.value) !== score) input.value = score;
    input.style.setProperty("--from", at(Math.min(0, score)));
    input.style.setProperty("--to", at(Math.max(0, score)));
    if (row.key === n) row.label.textContent = `${big(added)} added`;
    row.value.textContent = short(score);
    row.gradient.textContent = g === undefined ? "–" : signed(g);
    const says = g === undefined ? "none added yet" : `gradient ${signed(g)}, pushed ${moved(g)}`;
    input.setAttribute("aria-valuetext", `${short(score)}, ${says}`);
    row.push.replaceChildren(drawPush(g, full, room));
  });
}
// What is left of the push on the target and on the hardest negative as negatives are added.
function fillCurves({ pictures, downTitle }, { loss, added }, { curve, hardest }, width) {
  const ticks = [0, 1, 3, 5, 7, 9, 12].map((i) => [i, big(COUNTS[i])]);
  const hard = hardest + 1;
  downTitle.replaceChildren(`Down on negative ${hard}, the hardest`, html("span", null, math(`∂L/∂r_${hard}`)));
  for (const [name, what] of Object.entries({ up: "up on the target", down: `down on negative ${hard}` })) {
    const lines = compared(loss).map((key) => ({
      name: NAMES[key],
      kind: key,
      on: key === loss,
      values: curve.map((c) => c[key][name]),
    }));
    const all = lines.flatMap((line) => line.values);
    const told = lines.map(({ name, values }) => `${name} ${num(values[0])}, with 2,048 added ${num(values.at(-1))}`);
    pictures[name].replaceChildren(
      drawLines({
        lines,
        width,
        ticks,
        at: COUNTS.indexOf(added),
        axis: "negatives added",
        top: ceiling(Math.max(...all)) || 1,
        bottom: -ceiling(-Math.min(0, ...all)),
        label: `Push ${what} as negatives are added. ${told.join("; ")}.`,
      }),
    );
  }
}
// Cross-entropy in 32 bits: the three ways on these scores, and as the target falls.
const WAYS = {
  stable: ["ln Σ e^r − r_s", "stable"],
  plain: ["−ln softmax", "plain"],
  guarded: ["−ln (softmax + 10^{−24})", "+ 1e−24"],
};
function fillBits({ bits, pictures }, { negatives, target }, { float32, falling }, width) {
  const ways = Object.entries(WAYS);
  const numbers = ([key, [name]]) => [key, math(name), [num(float32[key].value), signed(float32[key].gradient)]];
  bits.show(drawTable(["float32", "L", "∂L/∂r_s"], ways.map(numbers), "stable"));
  const below = Math.round(Math.max(...negatives) - target);
  const ticks = [0, 25, 50, 75, 100, 130].map((i) => [i, String(i)]);
  for (const [name, what, top, bottom] of [
    ["value", "Loss", 150, 0],
    ["gradient", "Gradient on the target", 0, -1],
  ]) {
    const lines = ways.map(([key, [, kind]]) => ({
      name: kind,
      kind: key,
      on: key === "stable",
      values: falling.map((f) => f[key][name]),
    }));
    const names = ["stable", "plain", "with 1e−24"];
    const told = lines.map(({ values }, i) => `${names[i]} ${num(values[130])}`).join(", ");
    pictures[name].replaceChildren(
      drawLines({
        lines,
        width,
        ticks,
        top,
        bottom,
        at: below >= 0 && below <= 130 ? below : undefined,
        axis: "target below the best negative by",
        label: `${what} in float32 as the target falls to 130 below: ${told}.`,
      }),
    );
  }
}

// ---- the widget -----------------------------------------------------------------------------------------------------
// The view holds what no Python needs to know: `at`, the score whose term is shown, −1 the target; `touched`, what of
// the equation the last control changed; `before`, the scores that Reset brings back; the bars' `reach` and `rows`.
function build(view, model) {
  const given = view.state();
  const { target, negatives } = given;
  const state = { at: compute(given).hardest, before: given, reach: 10, rows: [] };
  const time = stepper(
    {
      Step: () => follow(view),
      Play: () => follow(view),
      Reset: () =>
        view.put({ target: view.before.target, negatives: view.before.negatives, low: view.before.low }, "score"),
    },
    500,
  );
  const change = (name) => (value) => view.put({ [name]: value }, "loss");
  const made = ([name, score, rule]) => [
    name,
    () => ({ target: score, negatives: model.get("negatives").map((_, j) => rule(j)) }),
  ];
  const parts = {
    time,
    status: statusLine(),
    loss: choice({
      label: "Loss",
      value: given.loss,
      onchange: change("loss"),
      options: Object.entries(NAMES).map(([key, name]) => [key, key.endsWith("max") ? `${name} · chapter 11` : name]),
    }),
    example: presets({
      label: "Scores",
      given: ["as at first", { target, negatives }],
      choices: Object.fromEntries(Object.entries(PRESETS).map(([key, of]) => [key, made(of)])),
      use(scores) {
        view.reach = 10;
        setScores(view, scores);
      },
    }),
    count: slider({
      label: "Negatives",
      min: 1,
      max: 8,
      value: negatives.length,
      oninput(n) {
        const now = model.get("negatives");
        view.at = Math.min(view.at, n - 1);
        setScores(view, {
          negatives: [...now, ...Array.from({ length: 8 }, (_, j) => 1 - j).slice(now.length)].slice(0, n),
        });
        parts.example.set("own");
      },
    }),
    range: choice({
      label: "Bars reach",
      value: "10",
      options: [
        ["10", "±10"],
        ["150", "±150"],
      ],
      onchange(v) {
        view.reach = Number(v);
        view.redraw();
      },
    }),
    lambda: slider({ label: "λ (bpreg)", min: 0, max: 2, step: 0.1, value: given.bpreg, oninput: change("bpreg") }),
    more: slider({
      label: "Negatives added",
      min: 0,
      max: COUNTS.length - 1,
      value: 0,
      oninput: (i) => change("added")(COUNTS[i]),
    }),
    forces: html("div", { class: "g4r-forces" }),
    code: termList(),
    codeTitle: title(""),
    downTitle: title(""),
    losses: pictureBox("All losses"),
    bits: pictureBox("Three cross-entropies"),
    pictures: Object.fromEntries(
      ["up", "down", "value", "gradient"].map((name) => [name, html("div", { "data-picture": name })]),
    ),
  };
  return { ...state, ...parts, ...layout(parts) };
}

// By hand, so that Reset comes back to here.
function setScores(view, values) {
  view.time.stop();
  view.before = { ...view.state(), ...values };
  view.put(values, "score");
}
function setScore(view, key, value) {
  const { negatives } = view.state();
  view.at = key;
  if (key < negatives.length) view.example.set("own");
  if (key < 0) setScores(view, { target: value });
  else if (key === negatives.length) setScores(view, { low: value });
  else setScores(view, { negatives: negatives.map((old, j) => (j === key ? value : old)) });
}
function showTerm(view, key) {
  if (view.at === key) return;
  Object.assign(view, { at: key, touched: "score" });
  view.redraw();
}

// Every score minus its gradient, within the bars; says whether anything still moves.
function follow(view) {
  const now = view.state();
  const { gradient } = compute(now).losses[now.loss];
  const go = (score, g) => within(-150, score - g, 150);
  view.put(
    {
      target: go(now.target, gradient.target),
      negatives: now.negatives.map((score, j) => go(score, gradient.each[j])),
      low: now.added ? go(now.low, gradient.each.at(-1)) : now.low,
    },
    "score",
  );
  return Math.max(...[gradient.target, ...gradient.each].map(Math.abs)) > 0.002;
}

function layout(its) {
  const picture = (heading, node) => html("div", null, heading, node);
  const naive = section(
    title("Cross-entropy in 32 bits", "the same formula, written in three ways"),
    its.bits.node,
    columns(
      picture(title("Loss"), its.pictures.value),
      picture(title("Gradient on the target"), its.pictures.gradient),
    ),
  );
  const heads = ["Score", "drag the bars", "", "Gradient", "◄ lower · pushed to · higher ►"].map((text) =>
    html("span", null, text),
  );
  const root = group(
    "g4r-losses",
    "Losses",
    controls(its.loss.node, its.example.node, its.count.node, its.range.node, its.lambda.node),
    its.status.node,
    section(
      html("div", { class: "g4r-force g4r-head", "aria-hidden": "true" }, heads),
      its.forces,
      controls(its.time.node, html("small", null, "Step: each score − its gradient")),
    ),
    section(its.codeTitle, its.code),
    section(title("All losses on these scores"), its.losses.node),
    section(
      title("As negatives are added", "what is left of the push"),
      controls(its.more.node),
      columns(
        picture(title("Up on the target", math("−∂L/∂r_s")), its.pictures.up),
        picture(its.downTitle, its.pictures.down),
      ),
    ),
    naive,
  );
  return { root, naive };
}

function draw(view, state, width) {
  const { loss, target, negatives, low, added, bpreg } = state;
  const seen = compute(state);
  const hard = seen.hardest;
  const half = width < 600 ? width - 4 : (width - 30) / 2; // within the padding of the root
  if (Math.max(...[target, low, ...negatives].map(Math.abs)) > view.reach) view.reach = 150;
  view.loss.select.value = loss;
  view.range.select.value = String(view.reach);
  view.count.set(negatives.length);
  view.lambda.set(bpreg);
  view.lambda.node.style.display = loss === "bpr-max" ? "" : "none";
  view.more.set(COUNTS.indexOf(added), big(added));
  view.status.say(words(loss, seen, added), view.time.playing());
  fillRows(view, state, seen.losses[loss].gradient, width);
  const [whose, lines] = drawCode(state, seen, view.at < seen.pairs.length ? view.at : hard, view.touched);
  view.codeTitle.replaceChildren("The equation", html("span", null, whose));
  view.code.replaceChildren(...lines);
  const heads = ["Loss", "L", "∂L/∂r_s, target", `∂L/∂r_${hard + 1}, hardest`, "sum of all"];
  view.losses.show(
    drawTable(
      heads,
      compared(loss).map((key) => {
        const { value, gradient } = seen.losses[key];
        const all = Math.abs(gradient.sum) < 1e-9 ? 0 : gradient.sum;
        return [key, NAMES[key], [num(value), signed(gradient.target), signed(gradient.each[hard]), signed(all)]];
      }),
      loss,
    ),
  );
  fillCurves(view, state, seen, half);
  view.naive.style.display = loss === "cross-entropy" ? "" : "none";
  fillBits(view, state, seen, half);
}

const FIELDS = ["target", "negatives", "loss", "added", "low", "bpreg"];
const render = ({ model, el }) => mount({ model, el, fields: FIELDS, touched: "loss", build, draw });
export default { render };
