// The Sampling widget: the candidates of _sampling_math.js as a score matrix, counts and costs.

// Sizes of a catalogue on the slider: ten to each power of ten, and those of eshop and of the paper's RSC15.
const TENS = [1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5, 6.3, 8];
const STOPS = [217, 37483, 1e6, ...[1e2, 1e3, 1e4, 1e5].flatMap((ten) => TENS.map((x) => Math.round(x * ten)))];
const NAMED = { 217: "as eshop", 37483: "as in the paper" };

// ---- drawing --------------------------------------------------------------------------------------------------------
const text = (x, y, kind, content, more) => svg("text", { x, y, class: kind, ...more }, content);
const name = (item) => clip(item, 9);
const LETTER_WIDE = 7.4;

// Where the columns and rows of the matrix stand. level: there is room to write the candidates' names level.
function matrixPlaces({ targets, candidates }, items, width) {
  const longest = (all) => Math.max(...all.map((j) => name(items[j]).length));
  const long = LETTER_WIDE * longest(candidates);
  const left = 34 + LETTER_WIDE * Math.max(4, longest(targets));
  const high = 42;
  const n = targets.length;
  const size = within(41, (width - left - 12) / candidates.length, 68);
  const level = long <= size - 2;
  const top = level ? 40 : 34 + 0.72 * long;
  const x = (c) => left + c * size + (c >= n ? 8 : 0);
  const y = (i) => top + i * high;
  return { left, high, size, level, top, x, y, low: y(n), right: x(candidates.length) };
}
// The score matrix: lanes (down) against candidates (across), and below each candidate its expected count and
// correction. Returns the picture, and the right edge of the chosen cell.
function drawMatrix(seen, items, width, onpick) {
  const { targets, candidates, kinds, scores, corrections, q, cell } = seen;
  const n = targets.length;
  const all = candidates.length;
  const at = matrixPlaces(seen, items, width);
  const { left, high, size, level, top, x, y, low, right } = at;
  const again = right > width; // then the lanes are named at the far end, too
  const now = (here, other) => (here ? "g4r-now" : other);
  const heading = (from, to, content) =>
    to > from && [
      text(
        x(from) + 2,
        9,
        "g4r-small g4r-quiet",
        (to - from) * size > 6.2 * content.length ? content : content.split(/ of|,/)[0],
      ),
      svg("path", { d: `M${x(from) + 2} 20H${x(to - 1) + size - 3}`, class: "g4r-brace" }),
    ];
  const above = (j, c) => {
    const kind = `${level ? "g4r-mid " : ""}g4r-small ${now(c === cell.column - 1, "")}`;
    const turned = { transform: `translate(${x(c) + size / 2 - 4} ${top - 9}) rotate(-50)`, class: kind };
    return level ? text(x(c) + size / 2, 31, kind, name(items[j])) : svg("text", turned, name(items[j]));
  };
  const box = (i, kind, c) => {
    const mid = x(c) + size / 2;
    const score = fixed(scores[i][c], 1);
    const which = { "data-kind": kind, "data-lane": i + 1, "data-column": c + 1 };
    return svg(
      "g",
      { class: `g4r-cell g4r-${kind}`, ...which, onclick: () => onpick(i + 1, c + 1) },
      svg("title", null, `lane ${i + 1}, column ${c + 1}, ${items[candidates[c]]}: ${SAYS[kind]}`),
      svg("rect", { x: x(c) + 2, y: y(i) + 2, width: size - 4, height: high - 4, rx: 4 }),
      text(mid, y(i) + 14, "g4r-mid g4r-letter", LETTER[kind]),
      text(mid, y(i) + 29, "g4r-mid g4r-small", kind === "hit" ? `(${score})` : score, { "data-score": scores[i][c] }),
      i === cell.lane - 1 &&
        c === cell.column - 1 &&
        svg("rect", { x: x(c), y: y(i), width: size, height: high, rx: 6, class: "g4r-chosen" }),
    );
  };
  const row = (kindsOfRow, i) => {
    const here = i === cell.lane - 1;
    const middle = y(i) + high / 2;
    const own = name(items[targets[i]]);
    return [
      text(2, middle, now(here, "g4r-quiet"), String(i + 1)),
      text(22, middle, now(here, ""), own),
      again && text(right + 6, middle, now(here, "g4r-quiet"), `${i + 1} ${own}`),
      kindsOfRow.map((kind, c) => box(i, kind, c)),
    ];
  };
  const foot = (label, height, of) => [
    text(2, height, "g4r-small g4r-quiet", label),
    candidates.map((j, c) =>
      text(x(c) + size / 2, height, `g4r-mid g4r-small ${now(c === cell.column - 1, "")}`, of(j, c), {
        "data-foot": label,
        "data-column": c + 1,
      }),
    ),
  ];
  const told = kinds.map((of, i) => `lane ${i + 1}, ${items[targets[i]]}: ${of.map((kind) => LETTER[kind]).join(" ")}`);
  const label = `Score matrix. Columns: ${candidates.map((j) => items[j]).join(", ")}. ${told.join("; ")}.`;
  const picture = svg(
    "svg",
    { width: Math.ceil(right + (again ? left - 6 : 2)), height: low + 48, role: "img", "aria-label": label },
    heading(0, n, "targets of the lanes"),
    heading(n, all, "extra samples, the same for all lanes"),
    text(2, top - 10, "g4r-small g4r-quiet", "lane"),
    candidates.map(above),
    kinds.map(row),
    foot("q", low + 16, (j) => fixed(q[j], 2)),
    foot("logQ", low + 36, (_, c) => signed(corrections[c], 2)),
    all > n && svg("line", { x1: x(n) - 4, x2: x(n) - 4, y1: 24, y2: low + 44, class: "g4r-wall" }),
  );
  return [picture, x(cell.column - 1) + size];
}

// Items (down): how often each was drawn, the last step's part of it darker, and how often that was to be expected.
function drawCounts({ items, clicks, counted, before, expected, most, chosen, width, label }) {
  const left =
    20 +
    7.2 * Math.max(...items.map((item) => Math.min(item.length, 10))) +
    7 * Math.max(6, ...clicks.map((n) => big(n).length));
  const row = 24;
  const top = 24;
  const right = 104;
  const drawn = width - right + 36;
  const length = (v) => ((width - left - right) * v) / most;
  const bar = (j, from, to, kind) =>
    svg("rect", { x: left + length(from), y: top + j * row + 5, width: length(to - from), height: 14, class: kind });
  const line = (item, j) => {
    const y = top + j * row;
    const tick = left + length(expected[j]);
    return svg(
      "g",
      { "data-item": item, class: j === chosen && "g4r-own" },
      text(10, y + 12, null, clip(item, 10)),
      j === chosen && svg("path", { d: `M1 ${y + 8}l6 4l-6 4z`, class: "g4r-pointer" }),
      text(left - 8, y + 12, "g4r-end g4r-quiet", big(clicks[j])),
      bar(j, 0, counted[j], "g4r-count"),
      bar(j, before[j], counted[j], "g4r-new"),
      svg("line", { x1: tick, x2: tick, y1: y + 1, y2: y + 23, class: "g4r-tick" }),
      text(drawn, y + 12, "g4r-end", String(counted[j]), { "data-value": "drawn" }),
      text(width - 2, y + 12, "g4r-end g4r-quiet", fixed(expected[j], 1), { "data-value": "expected" }),
    );
  };
  const told = items.map((item, j) => `${item} ${counted[j]}, expected ${short(expected[j], 1)}`).join("; ");
  const heads = { clicks: left - 8, drawn, expected: width - 2 };
  return svg(
    "svg",
    { width, height: top + row * items.length + 2, role: "img", "aria-label": `${label}: ${told}.` },
    Object.entries(heads).map(([head, x]) => text(x, 9, "g4r-small g4r-quiet g4r-end", head)),
    items.map(line),
  );
}

// Multiplications of a lane (up) against the catalogue (across), both on log scales.
function drawCost(cost, n_items, candidates, width) {
  const left = 44;
  const top = 8;
  const high = 190;
  const low = top + high;
  const end = width - 16;
  const x = (n) => left + ((Math.log10(n) - 2) / 4) * (end - left);
  const y = (m) => top + high * (1 - (Math.log10(m) - 2) / 6);
  const dot = (m) => svg("circle", { cx: x(n_items), cy: y(m), r: 4.5, class: "g4r-dot" });
  const flat = (m, key, content) => [
    svg("path", { d: `M${left} ${y(m)}H${end}`, class: `g4r-${key}` }),
    text(end, y(m) - 12, "g4r-small g4r-end", content),
    dot(m),
  ];
  const up = ([power, says]) => [
    svg("line", { x1: left, x2: end, y1: y(10 ** power), y2: y(10 ** power), class: "g4r-grid" }),
    text(left - 6, y(10 ** power), "g4r-small g4r-quiet g4r-end", `10${says}`),
  ];
  const across = (power) =>
    text(
      x(10 ** power) + (power === 6 ? 14 : 0),
      low + 18,
      `g4r-small g4r-quiet ${power === 6 ? "g4r-end" : "g4r-mid"}`,
      big(10 ** power),
    );
  const told = { [`All ${big(n_items)} items`]: cost.all, "This step": cost.here, "The default step": cost.usual };
  const label = Object.entries(told)
    .map(([what, m]) => `${what}: ${big(m)}.`)
    .join(" ");
  return svg(
    "svg",
    { width, height: low + 42, role: "img", "aria-label": `Multiplications of a lane. ${label}` },
    Object.entries({ 2: "²", 4: "⁴", 6: "⁶", 8: "⁸" }).map(up),
    (width < 400 ? [2, 4, 6] : [2, 3, 4, 5, 6]).map(across),
    text((left + end) / 2, low + 36, "g4r-small g4r-quiet g4r-mid", "items in the catalogue, N"),
    svg("path", { d: `M${x(n_items)} ${low}l5 9h-10z`, class: "g4r-pointer" }),
    svg("path", { d: `M${x(100)} ${y(100 * UNITS)}L${x(1e6)} ${y(1e6 * UNITS)}`, class: "g4r-all" }),
    text(x(3e5), y(3e5 * UNITS) - 12, "g4r-small g4r-end", "all N items"),
    flat(cost.here, "here", `this step: ${candidates} candidates`),
    flat(cost.usual, "usual", `default: ${big(USUAL.lanes + USUAL.samples)} candidates`),
    dot(cost.all),
  );
}

function drawTerms(seen, { batch_size, n_samples, alpha, logq, draw, support }, touched) {
  const { cell, popularity, probability, q, counted } = seen;
  const j = cell.item;
  const [item, clicks] = support[j];
  const target = support[cell.target][0];
  const ln = Math.log(q[j]);
  const result = cell.score - logq * ln;
  const times = counted.batch[j] + counted.samples[j];
  const no = cell.kind === "hit" ? "the target again, by accident: left out" : "the lane's own column: its positive";
  const verdict =
    cell.kind === "negative"
      ? [`${item} ≠ ${target}: yes`, "another item than the lane's target"]
      : [`${item} = ${target}: no`, no];
  const p = `${big(clicks)}^${short(alpha)} / ${short(seen.total_weight, 1)} = ${fixed(probability[j], 3)}`;
  const lanes = `(${batch_size} − 1) · ${fixed(popularity[j], 3)}`;
  const samples = `${n_samples} · ${fixed(probability[j], 3)}`;
  const expected = `expected ${draw} · ${fixed(q[j], 2)} = ${fixed(draw * q[j], 1)}`;
  const corrected = `${fixed(cell.score, 1)} − ${short(logq)} · ln ${fixed(q[j], 2)} = ${fixed(result, 2)}`;
  const pushed = logq === 0 ? "no correction" : ln > 0 ? "drawn often, pushed down" : "drawn seldom, lifted up";
  const size = touched === "batch_size" || touched === "n_samples";
  return [
    codeLine("is negative?", ...verdict, "negative", touched === "cell"),
    codeLine("p(alpha)", p, "supp^alpha / Σ supp^alpha: each extra sample", "p", touched === "alpha"),
    codeLine(
      "q",
      `${lanes} + ${samples} = ${fixed(q[j], 2)}`,
      "(b − 1) · supp / Σ supp + S · p: expected in a step",
      "q",
      size,
    ),
    codeLine(
      "counted",
      `${times} in ${draw} steps, ${expected}`,
      `${item} among lane ${cell.lane}'s other columns`,
      "counted",
      touched === "draw",
    ),
    codeLine("logQ", corrected, `r − logq · ln q: ${pushed}`, "logq", touched === "logq"),
  ];
}
function drawCosts({ all, here, usual }, { n_items, batch_size, n_samples }, on) {
  const against = (m) =>
    m === all ? "as many" : m < all ? `${few(all / m)} times fewer` : `${few(m / all)} times more`;
  return [
    codeLine("all items", `${big(n_items)} · ${UNITS} = ${big(all)}`, `N · H, with H = ${UNITS} units`, "cost-all", on),
    codeLine("this step", `(${batch_size} + ${n_samples}) · ${UNITS} = ${big(here)}`, against(here), "cost-here"),
    codeLine(
      "default step",
      `(${USUAL.lanes} + ${big(USUAL.samples)}) · ${UNITS} = ${big(usual)}`,
      against(usual),
      "cost-usual",
    ),
  ];
}
// How often the chosen item was drawn, and how often its clicks and alpha ask for it.
function drawVerdict({ cell, counted, probability, total_clicks }, { support, n_samples }) {
  const j = cell.item;
  const [item, clicks] = support[j];
  const value = (key, part, all) => html("b", { "data-value": key }, percent(part, all));
  const samples = () => [
    value("share-samples", counted.samples[j], sum(counted.samples)),
    " of the extra samples, where alpha asks for ",
    value("share-alpha", probability[j], 1),
    ".",
  ];
  return [
    `${item}: `,
    value("share-clicks", clicks, total_clicks),
    " of the clicks, ",
    value("share-batch", counted.batch[j], sum(counted.batch)),
    " of the other lanes’ targets, ",
    ...(n_samples ? samples() : ["and there are no extra samples."]),
  ];
}

// ---- the widget -----------------------------------------------------------------------------------------------------
function build(view, model) {
  // A size that Python gave can be had again.
  const stops = [...new Set([...STOPS, model.get("n_items")])].sort((a, b) => a - b);
  const go = (draw) => view.put({ draw: Math.min(draw, MOST_DRAWS) }, "draw");
  const draws = () => model.get("draw");
  const time = stepper(
    {
      "Draw again": () => go(draws() + 1),
      Play(first) {
        go(first && draws() === MOST_DRAWS ? 1 : draws() + 1);
        return draws() < MOST_DRAWS;
      },
      "100 more": () => go(draws() + 100),
      Reset: () => go(1),
    },
    450,
  );
  const bar = (label, field, max, step = 1, min = 0) =>
    slider({ label, min, max, step, value: model.get(field), oninput: (v) => view.put({ [field]: v }, field) });
  const look = (field) => (v) => {
    view.reveal = true; // a cell that is chosen from the lists may be out of sight
    view.put({ [field]: Number(v) }, "cell");
  };
  const chart = (head, term, says) => ({
    head: html("p", { class: "g4r-chart" }, `${head}: `, html("code", null, term)),
    says,
    box: pictureBox(says),
  });
  const parts = {
    time,
    stops,
    status: statusLine(),
    sliders: {
      batch_size: bar("Lanes B", "batch_size", 6, 1, 2),
      n_samples: bar("Extra samples S", "n_samples", 12),
      alpha: bar("alpha", "alpha", 1, 0.05),
    },
    logq: bar("logq", "logq", 1, 0.1),
    lane: choice({ label: "Lane", options: [], onchange: look("lane") }),
    column: choice({ label: "Column", options: [], onchange: look("column") }),
    n: slider({
      label: "Catalogue N",
      min: 0,
      max: stops.length - 1,
      value: 0,
      oninput: (i) => view.put({ n_items: stops[i] }, "cost"),
    }),
    matrix: pictureBox("Score matrix"),
    matrixTitle: title(""),
    terms: termList(),
    charts: {
      batch: chart("Other lanes’ targets", "(b − 1) · supp / Σ supp", "Other lanes' targets"),
      samples: chart("Extra samples", "S · p(alpha)", "Extra samples"),
    },
    countTitle: title(""),
    verdict: html("p", { class: "g4r-verdict" }),
    costs: termList(),
    cost: pictureBox("Cost"),
  };
  return { ...parts, root: layout(parts) };
}

function layout(its) {
  const hit = "accidental hit: the lane’s target again, no negative; its score is left out";
  return group(
    "g4r-sampling",
    "Sampling of negatives",
    controls(
      its.time.node,
      Object.values(its.sliders).map((s) => s.node),
    ),
    its.status.node,
    section(
      its.matrixTitle,
      its.matrix.node,
      legend(["positive", "positive", "P"], ["negative", "negative", "N"], ["hit", hit, "H"]),
    ),
    html(
      "section",
      { class: "g4r-columns g4r-uneven" },
      html("div", null, title("One cell", "or tap it above"), controls(its.lane.node, its.column.node, its.logq.node)),
      html("div", null, title("Term by term"), its.terms),
    ),
    section(
      its.countTitle,
      columns(Object.values(its.charts).map(({ head, box }) => html("div", null, head, box.node))),
      legend(["count", "drawn so far"], ["new", "in this step"], ["tick", "expected"]),
      its.verdict,
    ),
    section(
      title("What scoring costs", "multiplications of a lane: counts, not time"),
      columns(html("div", null, its.n.node, its.costs), its.cost.node),
    ),
  );
}

// The choices of a list, and the chosen one; written again only when they change, since a list may be open.
function offer(select, texts, chosen) {
  if ([...select.options].map((o) => o.textContent).join("\n") !== texts.join("\n")) {
    select.replaceChildren(...texts.map((content, i) => html("option", { value: i + 1 }, content)));
  }
  select.value = chosen;
}

function draw(view, state, width) {
  const { support, batch_size, n_samples, n_items } = state;
  const seen = compute(state);
  const { cell } = seen;
  const draws = state.draw;
  const items = support.map(([item]) => item);
  const clicks = support.map(([, k]) => k);
  view.root.dataset.draw = draws;
  for (const [field, { set }] of Object.entries(view.sliders)) set(state[field]);
  view.logq.set(state.logq);
  const more = draws < MOST_DRAWS;
  view.time.allow({ "Draw again": more, "100 more": more, Reset: draws > 1 });
  view.status.say(words(seen, items, draws), view.time.playing());

  const shape = html("span", null, `${batch_size} × (${batch_size} + ${n_samples}), made up`);
  view.matrixTitle.replaceChildren(`The scores of step ${draws}`, shape);
  const pick = (lane, column) => view.put({ lane, column }, "cell");
  const [picture, focus] = drawMatrix(seen, items, view.matrix.node.clientWidth || width, pick);
  view.matrix.show(picture, view.reveal ? focus : undefined);
  view.reveal = false;
  offer(
    view.lane.select,
    seen.targets.map((j, i) => `${i + 1}: ${items[j]}`),
    cell.lane,
  );
  offer(
    view.column.select,
    seen.candidates.map((j, c) => `${c + 1}: ${items[j]}`),
    cell.column,
  );
  view.terms.replaceChildren(...drawTerms(seen, state, view.touched));

  const aside = html("span", null, `its own column aside, in ${plural(draws, "step")}`);
  view.countTitle.replaceChildren(`What lane ${cell.lane} was shown`, aside);
  for (const [of, { says, box }] of Object.entries(view.charts)) {
    const numbers = {
      counted: seen.counted[of],
      before: seen.before[of],
      expected: seen.expected[of],
      most: seen.longest,
    };
    box.show(
      drawCounts({ items, clicks, ...numbers, chosen: cell.item, width: box.node.clientWidth || width, label: says }),
    );
  }
  view.verdict.replaceChildren(...drawVerdict(seen, state));

  view.n.set(
    view.stops.indexOf(n_items),
    big(n_items),
    [`${big(n_items)} items`, NAMED[n_items]].filter(Boolean).join(", "),
  );
  view.costs.replaceChildren(...drawCosts(seen.cost, state, view.touched === "cost"));
  const room = Math.min(view.cost.node.clientWidth || width, 460);
  view.cost.show(drawCost(seen.cost, n_items, seen.candidates.length, room));
}

const FIELDS = ["support", "batch_size", "n_samples", "alpha", "logq", "draw", "lane", "column", "n_items"];
const render = ({ model, el }) => mount({ model, el, fields: FIELDS, touched: "cell", build, draw });
export default { render };
