// One click on its way through a trained GRU4Rec: one-hot, embedding row, gates, candidate, new state, scores.

// ---- arithmetic: everything that is drawn, and nothing else ------------------------------------------------------------
// clicks: items, oldest first; click: which of them is followed, from 1.
export function compute({ shop, clicks, click }) {
  const number = new Map(shop.items.map((item, i) => [item, i]));
  const steps = [];
  for (const name of clicks) {
    const item = number.get(name), step = gru(shop, item, steps.at(-1)?.after ?? zeroState(shop));
    steps.push({ item, ...step, ...scoreAll(shop, step.after) });
  }
  const now = steps[Math.min(click, steps.length) - 1];
  const width = now.x.length, N = shop.items.length;
  return { steps, ...now, lookup: { rows: N, width, products: N * width } };
}
// How the score of an item comes about: the state's product with the item's row, unit by unit, and the bias.
const terms = (shop, item, hidden) => shop.item_out[item].map((o, u) => o * hidden[u]);

// ---- words -------------------------------------------------------------------------------------------------------------
const STAGES = ["one-hot", "embedding", "gates", "candidate", "new state", "scores"], TOP = 8;
const mean = (v) => sum(v) / v.length;

function words({ shop, clicks, click, stage }, seen) {
  const name = clicks[click - 1], N = shop.items.length, H = seen.after.length;
  const at = `Click ${click} of ${clicks.length}, stage ${stage} of ${STAGES.length}: ${STAGES[stage - 1]}. `;
  return at + [
    () => `${name} is item ${seen.item + 1} of ${N}: ${N} numbers, a single 1 among ${N - 1} zeros.`,
    () => `The one-hot vector times the table is row ${seen.item + 1} of the table: ${seen.lookup.width} numbers are read, nothing is multiplied.`,
    () => `Each of ${H} units sets two gates from the row x and the state h. ${click === 1 ? "This is the first click: h is zero." : `h comes from click ${click - 1}.`}`,
    () => `The candidate ĥ is what the units would like to hold; where r is near 0 it leaves the old state out.`,
    () => `The units keep ${Math.round(100 * mean(seen.old))} % of their old value on average${click === 1 ? " (it is 0 as yet)" : ""}, and take the rest from the candidate.`,
    () => `The state is compared with all ${N} items; softmax makes the scores probabilities. ${shop.items[seen.order[0]]} is first with ${share(seen.probabilities[seen.order[0]])}.`,
  ][stage - 1]();
}

// ---- drawing -----------------------------------------------------------------------------------------------------------
// The catalogue as N cells, item after item. fills: height of each cell's filling, 0 to 1; marked: items with a thick edge.
function drawCells({ items, fills, marked, width, label, empty }) {
  const size = Math.min(17, Math.max(11, Math.floor(width / 40))), columns = Math.floor(width / size), inner = size - 2;
  const cells = items.map((name, i) => {
    const x = (i % columns) * size + 1, y = Math.floor(i / columns) * size + 1, fill = empty ? 0 : fills[i];
    return svg("g", { "data-cell": i, class: [marked.has(i) && !empty && "g4r-lit", empty && "g4r-empty"].filter(Boolean).join(" ") },
      svg("title", null, name),
      svg("rect", { x, y, width: inner, height: inner, rx: 1.5, class: "g4r-cell" }),
      fill > 0.02 && svg("rect", { x, y: y + inner * (1 - fill), width: inner, height: inner * fill, rx: 1, class: "g4r-filling" }));
  });
  return svg("svg", { width: columns * size + 2, height: Math.ceil(items.length / columns) * size + 2, role: "img", "aria-label": label }, cells);
}

const LEFT = 44, RIGHT = 50, ROW = 46;
const vectorText = (name, v, unit) => `${name}: unit ${unit + 1} ${fixed(v[unit])}`;
// Rows of one vector each over the same units; the chosen unit's column is framed, its numbers stand on the right.
function drawUnits(rows, { n, unit, width, onunit }) {
  const size = Math.min(34, (width - LEFT - RIGHT) / n), high = ROW * rows.length;
  const told = rows.filter((row) => row.values).map((row) => vectorText(row.name, row.values, unit)).join("; ");
  return svg("svg", { width: Math.ceil(LEFT + n * size + RIGHT), height: high + 18, role: "img", "aria-label": `Vectors of ${n} units. ${told}.` },
    rows.map((row, i) => {
      const y = i * ROW + 4, middle = y + (ROW - 10) / 2, [name, sub] = row.label;
      return [
        svg("text", { x: 2, y: middle - (sub ? 7 : 0), class: row.on ? "g4r-strong" : "" }, name),
        sub && svg("text", { x: 2, y: middle + 9, class: "g4r-small g4r-quiet" }, sub),
        bars({ name: row.name, values: row.values, n, left: LEFT, size, y, high: ROW - 10, gate: row.gate, most: row.most }),
        row.values && svg("text", { x: LEFT + n * size + 8, y: middle, class: "g4r-small g4r-strong", "data-unit-value": row.name }, fixed(row.values[unit])),
      ];
    }),
    svg("rect", { x: LEFT + unit * size, y: 1, width: size, height: high - 4, rx: 3, class: "g4r-column" }),
    Array.from({ length: n }, (_, u) => svg("rect", { x: LEFT + u * size, y: 0, width: size, height: high, class: "g4r-hit", onclick: () => onunit(u) })),
    svg("text", { x: LEFT + (unit + 0.5) * size, y: high + 9, class: "g4r-mid g4r-small g4r-strong" }, `unit ${unit + 1}`));
}

// The equations of one unit with its numbers; stage: the line that this stage computes is marked.
function drawEquations(seen, shop, u, stage) {
  const { input, state, r, z, candidate, before, old, after } = seen, paper = shop.cell === "gru-paper", dash = "…";
  const lines = [
    ["r", 3, `σ(${fixed(input[0][u])} + ${fixed(state[0][u])}) = ${fixed(r[u])}`, `σ(W x + b + U h${paper ? "" : " + d"}): the reset gate`],
    ["z", 3, `σ(${fixed(input[1][u])} + ${fixed(state[1][u])}) = ${fixed(z[u])}`, `the same with its own weights: the update gate; here ${Math.round(100 * old[u])} % of the old value stays`],
    ["ĥ", 4, paper ? `tanh(${fixed(input[2][u])} + ${fixed(state[2][u])}) = ${fixed(candidate[u])}`
      : `tanh(${fixed(input[2][u])} + ${fixed(r[u])} · ${fixed(state[2][u])}) = ${fixed(candidate[u])}`, paper ? "tanh(W x + b + U (r·h)): the candidate" : "tanh(W x + b + r·(U h + d)): the candidate"],
    ["h′", 5, paper ? `(1 − ${fixed(z[u])}) · ${fixed(before[u])} + ${fixed(z[u])} · ${fixed(candidate[u])} = ${fixed(after[u])}`
      : `${fixed(z[u])} · ${fixed(before[u])} + (1 − ${fixed(z[u])}) · ${fixed(candidate[u])} = ${fixed(after[u])}`, paper ? "(1 − z)·h + z·ĥ: the new state" : "z·h + (1 − z)·ĥ: the new state"],
  ];
  return lines.map(([term, at, value, why]) => codeLine(term, stage >= at ? value : dash, why, term, stage === at));
}

// ---- the widget --------------------------------------------------------------------------------------------------------
function render({ model, el }) {
  const shop = model.get("shop"), examples = model.get("examples"), N = shop.items.length, H = shop.item_out[0].length;
  let unit = 0, scored = null; // scored: the item whose score is taken apart; null: the best one
  const same = (a, b) => a.length === b.length && a.every((item, i) => item === b[i]);
  const clicks = () => model.get("clicks"), last = STAGES.length;
  const at = () => Math.min(Math.max(model.get("click"), 1), clicks().length), stage = () => model.get("stage");
  const put = (values) => setState(model, values);
  // Stages of all clicks, one after the other, counted from 0.
  const place = () => (at() - 1) * last + stage() - 1, end = () => clicks().length * last - 1;
  const go = (p) => {
    if (p < 0 || p > end()) return;
    const click = Math.floor(p / last) + 1;
    if (click !== at()) scored = null;
    put({ click, stage: (p % last) + 1 });
    const now = root.querySelector(".g4r-part.g4r-on"); // where it happens may be below the screen's edge
    now.scrollIntoView({ block: "nearest", behavior: stillness() ? "auto" : "smooth" });
  };
  const play = player({ milliseconds: 1500, tick: (first) => { go(first && place() === end() ? 0 : place() + 1); return place() < end(); } });
  const by = (move) => () => { play.stop(); move(); };
  const back = button("Back", by(() => go(place() - 1))), next = button("Step", by(() => go(place() + 1)));
  const reset = button("Reset", by(() => go(0)));
  const example = choice({
    label: "Session", value: "own", options: [...examples.map(([name], i) => [String(i), name]), ["own", "your own"]],
    onchange: (key) => {
      play.stop(); scored = null;
      if (key === "own") { draw(); item.select.focus(); } else put({ click: examples[key][1].length, clicks: examples[key][1].slice(0, 8) });
    },
  });
  const item = choice({
    label: "Clicked item", value: clicks()[at() - 1], options: shop.items.map((name) => [name, name]),
    onchange: (name) => { play.stop(); scored = null; put({ clicks: clicks().map((old, i) => (i === at() - 1 ? name : old)) }); },
  });
  const which = slider({ label: "Unit", min: 1, max: H, value: 1, oninput: (u) => { unit = u - 1; draw(); } });

  const status = statusLine();
  const session = html("ol", { class: "g4r-clicks" });
  const hot = pictureBox("One-hot"), row = pictureBox("Embedding row"), units = pictureBox("The GRU"), scores = pictureBox("Scores"), product = pictureBox("One score");
  const caption = html("p", { class: "g4r-small-text" }), lookup = html("p", { class: "g4r-small-text" }), equations = html("dl", { class: "g4r-code" }), scoreTerms = html("dl", { class: "g4r-code" }), top = html("ol", { class: "g4r-top" });
  const part = (from, to, heading, quiet, ...content) => {
    const node = html("section", { class: "g4r-part" }, title(heading, quiet), content);
    return { node, mark: (s) => node.classList.toggle("g4r-on", s >= from && s <= to) };
  };
  const parts = [
    part(1, 1, "1 One-hot", `${N} numbers, one cell an item`, hot.node, caption),
    part(2, 2, "2 Embedding", "one-hot times the table is a row of it", row.node, lookup),
    part(3, 5, "3 Gates, 4 candidate, 5 new state", `${H} units, a column each`, units.node,
      legend(["up", "above 0"], ["down", "below 0"], ["gate", "a gate, from 0 to 1"]),
      html("div", { class: "g4r-chosen" }, which.node, equations)),
    part(6, 6, "6 Scores", "the same cells: the taller, the higher the score; framed: the list", scores.node,
      html("div", { class: "g4r-columns" },
        html("div", null, title("The list", "press an item to see its score"), top),
        html("div", null, title("How its score comes about"), product.node, scoreTerms))),
  ];
  const root = html("div", { class: "g4r g4r-tiny g4r-network", role: "group", "aria-label": "One click through the network" },
    html("div", { class: "g4r-controls" }, example.node, item.node),
    html("section", null, title("The session", "press a click to follow it"), session),
    html("div", { class: "g4r-steps" }, html("div", { class: "g4r-buttons" }, back, next, play.node, reset), status.node), // stays in view
    parts.map((p) => p.node));

  // Rows are kept while their number stays, so that a pressed one keeps the focus.
  const rows = Array.from({ length: Math.min(TOP, N) }, () => {
    const rank = html("b"), name = html("span"), bar = html("i", { "aria-hidden": "true" }), p = html("em");
    const node = button("", by(() => { if (stage() === last) { scored = Number(node.dataset.number); draw(); } }), { class: "g4r-row" });
    node.append(rank, name, bar, p);
    return { node, rank, name, bar, p };
  });
  top.append(...rows.map(({ node }) => html("li", null, node)));
  function drawTop(seen, chosen, done) {
    rows.forEach(({ node, rank, name, bar, p }, i) => {
      const number = seen.order[i], probability = seen.probabilities[number];
      node.dataset.number = number; node.dataset.item = done ? shop.items[number] : "";
      node.setAttribute("aria-label", done ? `${i + 1}: ${shop.items[number]}, ${share(probability)}` : `${i + 1}: not computed yet`);
      node.setAttribute("aria-pressed", String(done && number === chosen));
      enable(node, done);
      rank.textContent = i + 1; name.textContent = name.title = done ? shop.items[number] : "…"; p.textContent = done ? share(probability) : "";
      bar.style.setProperty("--share", done ? `${(100 * probability) / seen.probabilities[seen.order[0]]}%` : "0%");
    });
  }
  function drawSession(click) {
    const names = clicks();
    if (session.children.length !== names.length) {
      session.replaceChildren(...names.map((_, i) => html("li", null, button("", by(() => { scored = null; put({ click: i + 1 }); })))));
    }
    names.forEach((name, i) => {
      const node = session.children[i].firstChild;
      node.textContent = name;
      node.setAttribute("aria-label", `follow click ${i + 1}: ${name}`);
      node.setAttribute("aria-pressed", String(i + 1 === click));
    });
  }

  function draw() {
    const state = { shop, clicks: clicks(), click: at(), stage: stage() }, seen = compute(state), width = root.clientWidth || 640;
    const reached = (s, values) => (state.stage >= s ? values : null), done = state.stage === last;
    const chosen = scored ?? seen.order[0], room = (box) => box.node.clientWidth || width - 16;
    root.dataset.click = state.click; root.dataset.stage = state.stage;
    const here = examples.findIndex(([, items]) => same(items.slice(0, 8), state.clicks));
    example.select.value = here < 0 ? "own" : String(here);
    item.select.value = state.clicks[state.click - 1];
    which.set(unit + 1);
    enable(back, place() > 0); enable(next, place() < end());
    drawSession(state.click);
    const text = words(state, seen);
    status.say(text);
    parts.forEach((p) => p.mark(state.stage));

    const clicked = shop.items[seen.item];
    hot.show(drawCells({ items: shop.items, fills: shop.items.map((_, i) => (i === seen.item ? 1 : 0)), marked: new Set([seen.item]), width: room(hot),
      label: `${N} cells, all 0 but number ${seen.item + 1}, ${clicked}: 1.` }));
    caption.textContent = `${clicked} is number ${seen.item + 1} of ${N}: its cell is 1, the other ${N - 1} are 0.`;
    const { width: W, products } = seen.lookup, most = Math.max(...(shop.item_in ?? shop.item_out).flat().map(Math.abs));
    const xs = reached(2, seen.x), size = Math.min(34, (room(row) - LEFT - 6) / W);
    row.show(svg("svg", { width: Math.ceil(LEFT + W * size + 4), height: ROW, role: "img", "aria-label": xs ? `Row of ${clicked}: ${xs.map((v) => fixed(v)).join(", ")}.` : "Not computed yet." },
      svg("text", { x: 2, y: ROW / 2 }, "x"),
      bars({ name: "x", values: xs, n: W, left: LEFT, size, y: 4, high: ROW - 8, most })));
    lookup.textContent = xs
      ? `Row ${seen.item + 1} of ${N}: ${W} numbers, ${fixed(xs[0])}, ${fixed(xs[1] ?? 0)}, … The full product would take ${big(products)} multiplications, ${big((N - 1) * W)} of them by 0.` : "…";
    const on = (...stages) => stages.includes(state.stage);
    units.show(drawUnits([
      { name: "before", label: ["h", "before"], values: reached(2, seen.before) },
      { name: "r", label: ["r", "reset"], values: reached(3, seen.r), gate: true, on: on(3) },
      { name: "z", label: ["z", "update"], values: reached(3, seen.z), gate: true, on: on(3) },
      { name: "candidate", label: ["ĥ", "new"], values: reached(4, seen.candidate), on: on(4) },
      { name: "after", label: ["h′", "after"], values: reached(5, seen.after), on: on(5) },
    ], { n: H, unit, width: room(units), onunit: (u) => { unit = u; draw(); } }));
    equations.replaceChildren(...drawEquations(seen, shop, unit, state.stage));

    const low = seen.scores[seen.order.at(-1)], high = seen.scores[seen.order[0]];
    scores.show(drawCells({ items: shop.items, fills: seen.scores.map((s) => (s - low) / (high - low || 1)), marked: new Set(seen.order.slice(0, TOP)),
      width: room(scores), empty: !done, label: done ? `Scores of ${N} items, from ${fixed(low)} to ${fixed(high)}, highest: ${shop.items[seen.order[0]]}.` : "Not computed yet." }));
    drawTop(seen, chosen, done);
    const parts6 = terms(shop, chosen, seen.after), most6 = Math.max(...parts6.map(Math.abs), ...shop.item_out[chosen].map(Math.abs));
    product.show(drawUnits([
      { name: "after", label: ["h′"], values: reached(6, seen.after) },
      { name: "o", label: ["o", "its row"], values: reached(6, shop.item_out[chosen]), most: most6 },
      { name: "product", label: ["h′·o"], values: reached(6, parts6), most: most6, on: true },
    ], { n: H, unit, width: room(product), onunit: (u) => { unit = u; draw(); } }));
    const total = sum(parts6), bias = shop.bias_out[chosen], score = seen.scores[chosen];
    scoreTerms.replaceChildren(
      codeLine("s", done ? `${fixed(total)} + ${fixed(bias)} = ${fixed(score)}` : "…", done ? `sum of h′·o, and the bias of ${shop.items[chosen]}` : "", "s", done),
      codeLine("p", done ? `e^${fixed(score)} / Σ e^s = ${share(seen.probabilities[chosen])}` : "…", "softmax over all items", "p", done));
  }

  el.append(root);
  draw();
  const ends = [onChange(model, ["clicks", "click", "stage"], draw), onWidth(root, draw)];
  return () => { play.stop(); ends.forEach((e) => e()); };
}

export default { render };
