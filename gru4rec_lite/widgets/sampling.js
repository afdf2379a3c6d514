// The Sampling widget: the candidates of _sampling_math.js as a score matrix, counts and costs.

// Sizes of a catalogue on the slider: ten to each power of ten, and those of eshop and of the paper's RSC15.
const STOPS = [217, 37483, 1e6, ...[1e2, 1e3, 1e4, 1e5].flatMap((ten) => [1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5, 6.3, 8].map((x) => Math.round(x * ten)))];
const NAMED = { 217: "as eshop", 37483: "as in the paper" };

// ---- drawing ---------------------------------------------------------------------------------------------------------
// The score matrix: lanes (down) against candidates (across), and below each candidate its expected count and correction.
function drawMatrix(seen, items, width, onpick) {
  const { targets, candidates, kinds, scores, corrections, q, cell } = seen;
  const name = (j) => clip(items[j], 9), long = 7.4 * Math.max(...candidates.map((j) => name(j).length));
  const left = 34 + 7.4 * Math.max(4, ...targets.map((j) => name(j).length)), high = 42;
  const size = Math.max(41, Math.min(68, (width - left - 12) / candidates.length)), level = long <= size - 2;
  const top = (level ? 40 : 34 + 0.72 * long), n = targets.length;
  const x = (c) => left + c * size + (c >= n ? 8 : 0), y = (i) => top + i * high, low = y(n), right = x(candidates.length);
  const again = right > width; // then the lanes are named at the far end, too
  const headings = [[0, n, "targets of the lanes"], [n, candidates.length, "extra samples, the same for all lanes"]].map(([from, to, text]) => to > from && [
    svg("text", { x: x(from) + 2, y: 9, class: "g4r-small g4r-quiet" }, (to - from) * size > 6.2 * text.length ? text : text.split(/ of|,/)[0]),
    svg("path", { d: `M${x(from) + 2} 20H${x(to - 1) + size - 3}`, class: "g4r-brace" })]);
  const tops = candidates.map((j, c) => svg("text", {
    ...(level ? { x: x(c) + size / 2, y: 31 } : { transform: `translate(${x(c) + size / 2 - 4} ${top - 9}) rotate(-50)` }),
    class: `${level ? "g4r-mid " : ""}g4r-small ${c === cell.column - 1 ? "g4r-now" : ""}`,
  }, name(j)));
  const rows = kinds.map((row, i) => [
    svg("text", { x: 2, y: y(i) + high / 2, class: i === cell.lane - 1 ? "g4r-now" : "g4r-quiet" }, String(i + 1)),
    svg("text", { x: 22, y: y(i) + high / 2, class: i === cell.lane - 1 ? "g4r-now" : "" }, name(targets[i])),
    again && svg("text", { x: right + 6, y: y(i) + high / 2, class: i === cell.lane - 1 ? "g4r-now" : "g4r-quiet" }, `${i + 1} ${name(targets[i])}`),
    row.map((kind, c) => {
      const cx = x(c) + size / 2, here = i === cell.lane - 1 && c === cell.column - 1;
      return svg("g", {
        class: `g4r-cell g4r-${kind}`, "data-kind": kind, "data-lane": i + 1, "data-column": c + 1, onclick: () => onpick(i + 1, c + 1),
      },
        svg("title", null, `lane ${i + 1}, column ${c + 1}, ${items[candidates[c]]}: ${SAYS[kind]}`),
        svg("rect", { x: x(c) + 2, y: y(i) + 2, width: size - 4, height: high - 4, rx: 4 }),
        svg("text", { x: cx, y: y(i) + 14, class: "g4r-mid g4r-letter" }, LETTER[kind]),
        svg("text", { x: cx, y: y(i) + 29, class: "g4r-mid g4r-small", "data-score": scores[i][c] },
          kind === "hit" ? `(${fixed(scores[i][c], 1)})` : fixed(scores[i][c], 1)),
        here && svg("rect", { x: x(c), y: y(i), width: size, height: high, rx: 6, class: "g4r-chosen" }));
    }),
  ]);
  const feet = [["q", (j) => fixed(q[j], 2)], ["logQ", (_, c) => signed(corrections[c], 2)]].map(([label, of], i) => [
    svg("text", { x: 2, y: low + 16 + 20 * i, class: "g4r-small g4r-quiet" }, label),
    candidates.map((j, c) => svg("text", {
      x: x(c) + size / 2, y: low + 16 + 20 * i, class: `g4r-mid g4r-small ${c === cell.column - 1 ? "g4r-now" : ""}`, "data-foot": label, "data-column": c + 1,
    }, of(j, c)))]);
  const told = kinds.map((row, i) => `lane ${i + 1}, ${items[targets[i]]}: ${row.map((kind) => LETTER[kind]).join(" ")}`).join("; ");
  return [svg("svg", {
    width: Math.ceil(right + (again ? left - 6 : 2)), height: low + 48, role: "img",
    "aria-label": `Score matrix. Columns: ${candidates.map((j) => items[j]).join(", ")}. ${told}.`,
  }, headings, svg("text", { x: 2, y: top - 10, class: "g4r-small g4r-quiet" }, "lane"), tops, rows, feet,
    candidates.length > n && svg("line", { x1: x(n) - 4, x2: x(n) - 4, y1: 24, y2: low + 44, class: "g4r-wall" })), x(cell.column - 1) + size];
}

// Items (down): how often each was drawn, the last step's part of it darker, and how often that was to be expected.
function drawCounts({ items, clicks, counted, before, expected, most, chosen, width, label }) {
  const name = 12 + 7.2 * Math.max(...items.map((item) => Math.min(item.length, 10))), row = 24, top = 24;
  const number = 8 + 7 * Math.max(6, ...clicks.map((n) => big(n).length)), left = name + number, right = 104;
  const length = (v) => ((width - left - right) * v) / most, y = (j) => top + j * row;
  const told = items.map((item, j) => `${item} ${counted[j]}, expected ${short(expected[j], 1)}`).join("; ");
  return svg("svg", { width, height: top + row * items.length + 2, role: "img", "aria-label": `${label}: ${told}.` },
    [["clicks", left - 8, "g4r-end"], ["drawn", width - right + 36, "g4r-end"], ["expected", width - 2, "g4r-end"]].map(([text, x, at]) =>
      svg("text", { x, y: 9, class: `g4r-small g4r-quiet ${at}` }, text)),
    items.map((item, j) => svg("g", { "data-item": item, class: j === chosen && "g4r-own" },
      svg("text", { x: 10, y: y(j) + 12 }, clip(item, 10)),
      j === chosen && svg("path", { d: `M1 ${y(j) + 8}l6 4l-6 4z`, class: "g4r-pointer" }),
      svg("text", { x: left - 8, y: y(j) + 12, class: "g4r-end g4r-quiet" }, big(clicks[j])),
      svg("rect", { x: left, y: y(j) + 5, width: length(counted[j]), height: 14, class: "g4r-count" }),
      svg("rect", { x: left + length(before[j]), y: y(j) + 5, width: length(counted[j] - before[j]), height: 14, class: "g4r-new" }),
      svg("line", { x1: left + length(expected[j]), x2: left + length(expected[j]), y1: y(j) + 1, y2: y(j) + 23, class: "g4r-tick" }),
      svg("text", { x: width - right + 36, y: y(j) + 12, class: "g4r-end", "data-value": "drawn" }, String(counted[j])),
      svg("text", { x: width - 2, y: y(j) + 12, class: "g4r-end g4r-quiet", "data-value": "expected" }, fixed(expected[j], 1)))));
}

// Multiplications of a lane (up) against the catalogue (across), both on log scales.
function drawCost(cost, n_items, candidates, width) {
  const left = 44, top = 8, high = 190, end = width - 16;
  const x = (n) => left + ((Math.log10(n) - 2) / 4) * (end - left), y = (m) => top + high * (1 - (Math.log10(m) - 2) / 6);
  const flat = (m, key, text) => [
    svg("path", { d: `M${left} ${y(m)}H${end}`, class: `g4r-${key}` }),
    svg("text", { x: end, y: y(m) - 12, class: "g4r-small g4r-end" }, text), svg("circle", { cx: x(n_items), cy: y(m), r: 4.5, class: "g4r-dot" })];
  return svg("svg", {
    width, height: top + high + 42, role: "img",
    "aria-label": `Multiplications of a lane. All ${big(n_items)} items: ${big(cost.all)}. This step: ${big(cost.here)}. The default step: ${big(cost.usual)}.`,
  },
    [2, 4, 6, 8].map((power) => [
      svg("line", { x1: left, x2: end, y1: y(10 ** power), y2: y(10 ** power), class: "g4r-grid" }),
      svg("text", { x: left - 6, y: y(10 ** power), class: "g4r-small g4r-quiet g4r-end" }, `10${{ 2: "²", 4: "⁴", 6: "⁶", 8: "⁸" }[power]}`)]),
    (width < 400 ? [2, 4, 6] : [2, 3, 4, 5, 6]).map((power) => svg("text", {
      x: x(10 ** power) + (power === 6 ? 14 : 0), y: top + high + 18, class: `g4r-small g4r-quiet ${power === 6 ? "g4r-end" : "g4r-mid"}`,
    }, big(10 ** power))),
    svg("text", { x: (left + end) / 2, y: top + high + 36, class: "g4r-small g4r-quiet g4r-mid" }, "items in the catalogue, N"),
    svg("path", { d: `M${x(n_items)} ${top + high}l5 9h-10z`, class: "g4r-pointer" }),
    svg("path", { d: `M${x(100)} ${y(100 * UNITS)}L${x(1e6)} ${y(1e6 * UNITS)}`, class: "g4r-all" }),
    svg("text", { x: x(3e5), y: y(3e5 * UNITS) - 12, class: "g4r-small g4r-end" }, "all N items"),
    flat(cost.here, "here", `this step: ${candidates} candidates`),
    flat(cost.usual, "usual", `default: ${big(USUAL.lanes + USUAL.samples)} candidates`),
    svg("circle", { cx: x(n_items), cy: y(cost.all), r: 4.5, class: "g4r-dot" }));
}

function drawTerms(seen, state, touched) {
  const { cell, popularity, probability, weight, q, counted } = seen, { batch_size, n_samples, alpha, logq, draw, support } = state;
  const j = cell.item, [item, clicks] = support[j], target = support[cell.target][0];
  const ln = Math.log(q[j]), result = cell.score - logq * ln, times = counted.batch[j] + counted.samples[j];
  const verdict = cell.kind === "negative" ? [`${item} ≠ ${target}: yes`, "another item than the lane's target"]
    : [`${item} = ${target}: no`, cell.kind === "hit" ? "the target again, by accident: left out" : "the lane's own column: its positive"];
  return [
    codeLine("is negative?", ...verdict, "negative", touched === "cell"),
    codeLine("p(alpha)", `${big(clicks)}^${short(alpha)} / ${short(seen.total_weight, 1)} = ${fixed(probability[j], 3)}`,
      "supp^alpha / Σ supp^alpha: each extra sample", "p", touched === "alpha"),
    codeLine("q", `(${batch_size} − 1) · ${fixed(popularity[j], 3)} + ${n_samples} · ${fixed(probability[j], 3)} = ${fixed(q[j], 2)}`,
      "(b − 1) · supp / Σ supp + S · p: expected in a step", "q", ["batch_size", "n_samples"].includes(touched)),
    codeLine("counted", `${times} in ${draw} steps, expected ${draw} · ${fixed(q[j], 2)} = ${fixed(draw * q[j], 1)}`,
      `${item} among lane ${cell.lane}'s other columns`, "counted", touched === "draw"),
    codeLine("logQ", `${fixed(cell.score, 1)} − ${short(logq)} · ln ${fixed(q[j], 2)} = ${fixed(result, 2)}`,
      `r − logq · ln q: ${logq === 0 ? "no correction" : ln > 0 ? "drawn often, pushed down" : "drawn seldom, lifted up"}`, "logq", touched === "logq"),
  ];
}
function drawCosts({ all, here, usual }, { n_items, batch_size, n_samples }, on) {
  const against = (m) => (m === all ? "as many" : m < all ? `${few(all / m)} times fewer` : `${few(m / all)} times more`);
  return [
    codeLine("all items", `${big(n_items)} · ${UNITS} = ${big(all)}`, `N · H, with H = ${UNITS} units`, "cost-all", on),
    codeLine("this step", `(${batch_size} + ${n_samples}) · ${UNITS} = ${big(here)}`, against(here), "cost-here"),
    codeLine("default step", `(${USUAL.lanes} + ${big(USUAL.samples)}) · ${UNITS} = ${big(usual)}`, against(usual), "cost-usual"),
  ];
}

// ---- the widget ------------------------------------------------------------------------------------------------------
function render({ model, el }) {
  const NAMES = ["support", "batch_size", "n_samples", "alpha", "logq", "draw", "lane", "column", "n_items"];
  const stops = [...new Set([...STOPS, model.get("n_items")])].sort((a, b) => a - b); // a size that Python gave can be had again
  let touched = "cell", reveal = false; // reveal: a cell that was chosen from the lists may be out of sight
  const put = (values, term) => {
    touched = term;
    setState(model, values);
  };
  const look = (cell) => { reveal = true; put(cell, "cell"); };
  const go = (draw) => put({ draw: Math.min(draw, MOST_DRAWS) }, "draw");
  const play = player({ milliseconds: 450, tick: (first) => {
    go(first && model.get("draw") === MOST_DRAWS ? 1 : model.get("draw") + 1);
    return model.get("draw") < MOST_DRAWS;
  } });
  const by = (move) => () => { play.stop(); move(); };
  const again = button("Draw again", by(() => go(model.get("draw") + 1))), more = button("100 more", by(() => go(model.get("draw") + 100)));
  const reset = button("Reset", by(() => go(1)));
  const bar = (label, name, max, step = 1, min = 0) => slider({ label, min, max, step, value: model.get(name), oninput: (v) => put({ [name]: v }, name) });
  const sliders = {
    batch_size: bar("Lanes B", "batch_size", 6, 1, 2), n_samples: bar("Extra samples S", "n_samples", 12),
    alpha: bar("alpha", "alpha", 1, 0.05),
  };
  const logq = bar("logq", "logq", 1, 0.1);
  const lane = choice({ label: "Lane", options: [], onchange: (v) => look({ lane: Number(v) }) });
  const column = choice({ label: "Column", options: [], onchange: (v) => look({ column: Number(v) }) });
  const n = slider({ label: "Catalogue N", min: 0, max: stops.length - 1, value: 0, oninput: (i) => put({ n_items: stops[i] }, "cost") });

  const code = () => html("dl", { class: "g4r-code" });
  const status = statusLine();
  const matrix = pictureBox("Score matrix"), terms = code(), costs = code(), cost = pictureBox("Cost");
  const matrixTitle = title(""), countTitle = title("");
  const charts = {
    batch: [html("p", { class: "g4r-chart" }, "Other lanes’ targets: ", html("code", null, "(b − 1) · supp / Σ supp")), pictureBox("Other lanes' targets")],
    samples: [html("p", { class: "g4r-chart" }, "Extra samples: ", html("code", null, "S · p(alpha)")), pictureBox("Extra samples")],
  };
  const verdict = html("p", { class: "g4r-verdict" });
  const root = html("div", { class: "g4r g4r-sampling", role: "group", "aria-label": "Sampling of negatives" },
    html("div", { class: "g4r-controls" }, html("div", { class: "g4r-buttons" }, again, play.node, more, reset), Object.values(sliders).map((s) => s.node)),
    status.node,
    html("section", null, matrixTitle, matrix.node,
      legend(["positive", "positive", "P"], ["negative", "negative", "N"], ["hit", "accidental hit: the lane’s target again, no negative; its score is left out", "H"])),
    html("section", { class: "g4r-columns g4r-uneven" },
      html("div", null, title("One cell", "or tap it above"), html("div", { class: "g4r-controls" }, lane.node, column.node, logq.node)),
      html("div", null, title("Term by term"), terms)),
    html("section", null, countTitle,
      html("div", { class: "g4r-columns" }, Object.values(charts).map(([head, { node }]) => html("div", null, head, node))),
      legend(["count", "drawn so far"], ["new", "in this step"], ["tick", "expected"]), verdict),
    html("section", null, title("What scoring costs", "multiplications of a lane: counts, not time"),
      html("div", { class: "g4r-columns" }, html("div", null, n.node, costs), cost.node)));

  // The choices of a list, and the chosen one; written again only when they change, since a list may be open.
  function offer(select, texts, chosen) {
    if ([...select.options].map((o) => o.textContent).join("\n") !== texts.join("\n"))
      select.replaceChildren(...texts.map((text, i) => html("option", { value: i + 1 }, text)));
    select.value = chosen;
  }
  function draw() {
    const state = stateOf(model, NAMES), width = root.clientWidth || 640;
    const seen = compute(state), items = state.support.map(([item]) => item), clicks = state.support.map(([, k]) => k), { cell } = seen;
    for (const [name, { set }] of Object.entries(sliders)) set(state[name]);
    logq.set(state.logq);
    root.dataset.draw = state.draw;
    enable(again, state.draw < MOST_DRAWS); enable(more, state.draw < MOST_DRAWS); enable(reset, state.draw > 1);
    const said = words(seen, items, state.draw);
    status.say(said, play.playing());
    matrixTitle.replaceChildren(`The scores of step ${state.draw}`, html("span", null, `${state.batch_size} × (${state.batch_size} + ${state.n_samples}), made up`));
    const [picture, focus] = drawMatrix(seen, items, matrix.node.clientWidth || width, (l, c) => put({ lane: l, column: c }, "cell"));
    matrix.show(picture, reveal ? focus : undefined);
    reveal = false;
    offer(lane.select, seen.targets.map((j, i) => `${i + 1}: ${items[j]}`), cell.lane);
    offer(column.select, seen.candidates.map((j, c) => `${c + 1}: ${items[j]}`), cell.column);
    terms.replaceChildren(...drawTerms(seen, state, touched));

    countTitle.replaceChildren(`What lane ${cell.lane} was shown`, html("span", null, `its own column aside, in ${plural(state.draw, "step")}`));
    for (const [of, [, box]] of Object.entries(charts)) box.show(drawCounts({
      items, clicks, most: seen.longest, counted: seen.counted[of], before: seen.before[of], expected: seen.expected[of], chosen: cell.item,
      width: box.node.clientWidth || width, label: of === "batch" ? "Other lanes' targets" : "Extra samples",
    }));
    const j = cell.item, value = (name, part, all) => html("b", { "data-value": name }, percent(part, all));
    verdict.replaceChildren(`${items[j]}: `, value("share-clicks", clicks[j], seen.total_clicks), " of the clicks, ",
      value("share-batch", seen.counted.batch[j], sum(seen.counted.batch)), " of the other lanes’ targets, ",
      ...(state.n_samples ? [value("share-samples", seen.counted.samples[j], sum(seen.counted.samples)), " of the extra samples, where alpha asks for ",
        value("share-alpha", seen.probability[j], 1), "."] : ["and there are no extra samples."]));

    n.set(stops.indexOf(state.n_items));
    n.node.querySelector("output").textContent = big(state.n_items);
    n.input.setAttribute("aria-valuetext", [`${big(state.n_items)} items`, NAMED[state.n_items]].filter(Boolean).join(", "));
    costs.replaceChildren(...drawCosts(seen.cost, state, touched === "cost"));
    cost.show(drawCost(seen.cost, state.n_items, seen.candidates.length, Math.min(cost.node.clientWidth || width, 460)));
  }

  el.append(root);
  draw();
  const ends = [onChange(model, NAMES, draw), onWidth(root, draw)];
  return () => { play.stop(); ends.forEach((end) => end()); };
}

export default { render };
