// One prediction: the scores of a small shop, the rank of the item that was clicked, what it earns, and what it would seem to earn in a sample.

// ---- arithmetic: everything that is drawn, and nothing else ----------------------------------------------------------
const SHARE = { conservative: 1, median: 1 / 2, standard: 0 }; // how much of an equal score counts as standing before the target

// scores: [item, score] pairs; target: the item clicked; k: length of the list; n_sampled: negatives in a sample; draw: which sample.
export function compute({ scores, target, k, ties, n_sampled, draw }) {
  const own = new Map(scores).get(target), n_items = scores.length;
  const others = scores.filter(([item]) => item !== target);
  const count = (among) => ({
    above: among.filter(([, score]) => score > own).length,
    equal: among.filter(([, score]) => score === own).length,
  });
  const measured = ({ above, equal }, rule) => {
    const rank = 1 + above + SHARE[rule] * equal, hit = rank <= k ? 1 : 0;
    return { rank, hit, reciprocal: hit / rank };
  };
  const full = count(others);
  const rules = Object.fromEntries(Object.keys(SHARE).map((rule) => [rule, measured(full, rule)]));

  const drawn = sampled(others.map(([item]) => item), n_sampled, draw);
  const kept = others.filter(([item]) => drawn.includes(item));
  return {
    ...full, below: n_items - 1 - full.above - full.equal, n_items, rules, ...rules[ties],
    order: ordered(scores, target, ties),
    sample: { drawn, ...count(kept), ...measured(count(kept), ties), order: ordered([...kept, [target, own]], target, ties) },
    expected: expectation(full, measured, n_items, n_sampled, ties),
    curve: scores.map((_, above) => ({
      rank: above + 1, full: above + 1 <= k ? 1 : 0,
      sampled: expectation({ above, equal: 0 }, measured, n_items, n_sampled, ties).recall,
    })),
  };
}

// Items from the best score down; among equal ones the target stands where the tie rule puts it, the others keep their order.
function ordered(scores, target, ties) {
  const sorted = scores.filter(([item]) => item !== target).sort((a, b) => b[1] - a[1]);
  const own = scores.find(([item]) => item === target);
  const above = sorted.filter(([, score]) => score > own[1]).length, equal = sorted.filter(([, score]) => score === own[1]).length;
  sorted.splice(above + Math.floor(SHARE[ties] * equal), 0, own);
  return sorted.map(([item]) => item);
}

// n over m, exact up to the 24 items that fit.
function choose(n, m) {
  let ways = m >= 0 && m <= n ? 1 : 0;
  for (let i = 1; i <= m && ways; i += 1) ways = (ways * (n - m + i)) / i;
  return Math.round(ways);
}
// The mean over all samples of n_sampled other items: a of those above the target and e of its equals come in, the rest from below.
function expectation({ above, equal }, measured, n_items, n_sampled, ties) {
  const below = n_items - 1 - above - equal, samples = choose(n_items - 1, n_sampled);
  let hits = 0, reciprocals = 0;
  for (let a = 0; a <= above; a += 1) {
    for (let e = 0; e <= equal; e += 1) {
      const ways = choose(above, a) * choose(equal, e) * choose(below, n_sampled - a - e);
      const { hit, reciprocal } = measured({ above: a, equal: e }, ties);
      hits += ways * hit;
      reciprocals += ways * reciprocal;
    }
  }
  return { samples, hits, recall: hits / samples, mrr: reciprocals / samples };
}

// The draw-th sample of n items: the first n of a shuffle (Fisher-Yates), so that a page shows everybody the same.
function sampled(items, n, draw) {
  const next = random(draw);
  const shuffled = [...items];
  for (let i = 0; i < n; i += 1) {
    const j = i + Math.floor(next() * (items.length - i));
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
  }
  return shuffled.slice(0, n);
}

// ---- words -----------------------------------------------------------------------------------------------------------
const RULES = { conservative: "equals stand before it", median: "half of them do", standard: "equals stand behind it" };
const HALF = { conservative: "1", median: "½", standard: "0" };
const verb = (n, one, many) => `${n} ${n === 1 ? one : many}`;

function words({ above, equal, n_items, rank, hit }, target, k) {
  const says = equal ? ` and ${verb(equal, "has the same score", "have the same score")}` : "";
  return `${target}, the item clicked, is at rank ${rank} of ${n_items}: ${verb(above, "item scores", "items score")} higher${says}. `
    + (hit ? `It is among the first ${k}: a hit.` : `It is not among the first ${k}: a miss.`);
}

// Scores that the reader can choose, for the items at hand.
const EXAMPLES = {
  equal: ["all scores equal", (i, n, on) => 5],
  first: ["target first", (i, n, on) => (on ? 9.5 : 0.5 + (i * 5) % 15 / 2)],
  last: ["target last", (i, n, on) => (on ? 0.5 : 1.5 + (i * 5) % 15 / 2)],
};

// ---- drawing ---------------------------------------------------------------------------------------------------------
// The ranked list: places, the cut after k, the target, equal scores.
function drawList(order, of, { target, k, rank, places }) {
  return order.map((item, i) => {
    const tied = item !== target && of.get(item) === of.get(target);
    return html("li", { class: [item === target && "g4r-own", i + 1 === k && i + 1 < order.length && "g4r-cut"].filter(Boolean).join(" "), "data-item": item },
      html("b", null, places ? (item === target ? short(rank) : String(i + 1)) : ""),
      html("span", { title: item }, item),
      html("i", null, item === target ? "◄ clicked" : tied ? "= equal" : ""),
      html("em", null, short(of.get(item))));
  });
}

// Chance of a hit at each true rank: full ranking as a step, the sample as columns. `at`: the target's rank.
function drawCurve(curve, k, at, n_sampled, width) {
  const left = 34, top = 12, high = 120, size = (width - left - 6) / curve.length;
  const x = (rank) => left + (rank - 1) * size, y = (share) => top + high * (1 - share);
  const every = size < 22 ? 2 : 1;
  const chances = curve.map((c) => `rank ${c.rank} ${Math.round(100 * c.sampled)} %`).join(", ");
  return svg("svg", {
    width, height: top + high + 40, role: "img",
    "aria-label": `Chance of a hit by true rank. Full ranking: 100 % up to rank ${k}, then 0. Among ${n_sampled} sampled: ${chances}.`,
  },
    [0, 0.5, 1].map((share) => [
      svg("line", { x1: left, x2: width - 6, y1: y(share), y2: y(share), class: "g4r-grid" }),
      svg("text", { x: left - 6, y: y(share), class: "g4r-small g4r-quiet g4r-end" }, `${100 * share}`),
    ]),
    svg("text", { x: left - 6, y: top + high + 27, class: "g4r-small g4r-quiet g4r-end" }, "%"),
    curve.map((c) => svg("rect", { x: x(c.rank) + 3, width: size - 6, y: y(c.sampled), height: high * c.sampled, class: "g4r-chance", "data-rank": c.rank })),
    svg("path", { d: `M${left} ${y(1)}H${x(k + 1)}V${y(0)}H${width - 6}`, class: "g4r-step" }),
    curve.map((c) => (c.rank % every === 0 || c.rank === at) && svg("text", {
      x: x(c.rank + 0.5), y: top + high + 12, class: `g4r-mid g4r-small ${c.rank === at ? "g4r-now" : "g4r-quiet"}`,
    }, String(c.rank))),
    svg("path", { d: `M${x(at + 0.5)} ${top + high + 21}l5 9h-10z`, class: "g4r-pointer" }),
    svg("text", { x: Math.min(x(at + 0.5) + 10, width - 70), y: top + high + 29, class: "g4r-small g4r-now" }, "the target"));
}

// ---- the widget ------------------------------------------------------------------------------------------------------
const FIELDS = ["scores", "target", "k", "ties", "n_sampled", "draw"];

function render({ model, el }) {
  const given = model.get("scores"); // the scores that Python gave stay among the choices
  const nice = given.every(([, s]) => s >= 0 && s <= 10);
  let low = nice ? 0 : Math.min(...given.map(([, s]) => s)), high = nice ? 10 : Math.max(...given.map(([, s]) => s));
  let rows = new Map(), touched = "rank";

  const put = (name, value, term) => { touched = term; setState(model, { [name]: value }); };
  const items = () => model.get("scores").map(([item]) => item);
  const target = choice({ label: "Clicked", options: items().map((i) => [i, i]), value: model.get("target"), onchange: (i) => put("target", i, "rank") });
  const ties = choice({ label: "Ties", options: Object.keys(RULES).map((rule) => [rule, rule]), value: model.get("ties"), onchange: (rule) => put("ties", rule, "rank") });
  const k = slider({ label: "List length k", min: 1, max: given.length, value: model.get("k"), oninput: (v) => put("k", v, "recall") });
  const example = choice({
    label: "Scores", value: "given",
    options: [["given", "as at first"], ...Object.entries(EXAMPLES).map(([key, [name]]) => [key, name]), ["own", "your own"]],
    onchange: (key) => {
      if (key === "own") return;
      const now = model.get("target"), scale = (s) => (nice ? s : low + (s / 10) * (high - low));
      put("scores", key === "given" ? given : items().map((item, i) => [item, scale(EXAMPLES[key][1](i, given.length, item === now))]), "rank");
    },
  });
  const n = slider({ label: "Sampled negatives n", min: 1, max: given.length - 1, value: model.get("n_sampled"), oninput: (v) => put("n_sampled", v, "sample") });
  const again = button("Draw again", () => put("draw", model.get("draw") + 1, "sample"), { class: "g4r-button g4r-main" });

  const status = statusLine();
  const bars = html("div", { class: "g4r-bars" }), ranked = html("ol", { class: "g4r-ranked" }), code = html("dl", { class: "g4r-code" });
  const table = pictureBox("Tie rules"), curve = pictureBox("Chance of a hit");
  const few = html("ol", { class: "g4r-ranked" }), fewTitle = title(""), fewCode = html("dl", { class: "g4r-code" }), verdict = html("p", { class: "g4r-verdict" });
  const root = html("div", { class: "g4r g4r-ranking", role: "group", "aria-label": "Ranking" },
    html("div", { class: "g4r-controls" }, target.node, k.node, ties.node, example.node),
    status.node,
    html("div", { class: "g4r-columns" },
      html("section", null, title("Scores", "drag the bars"), bars),
      html("section", null, title("The list", "best first; cut after k"), ranked)),
    html("section", null, title("What it earns"), code, table.node),
    html("section", null, title("Ranked among a sample", "the target and n of the others, drawn by chance"),
      html("div", { class: "g4r-controls" }, n.node, html("div", { class: "g4r-buttons" }, again)),
      html("div", { class: "g4r-columns" },
        html("div", null, fewTitle, fewCode, few),
        html("div", null, title("Chance of a hit, by true rank"), curve.node,
          legend(["stepped", "full ranking"], ["column", "among the sample"]))),
      verdict));

  // A bar is a slider of the browser's own: pointer, touch and keys come with it. It is kept while it is dragged.
  function makeBars(scores) {
    const step = nice ? 0.5 : Number(((high - low) / 40).toPrecision(1)) || 1;
    low = Math.floor(low / step) * step; high = Math.ceil(high / step) * step;
    rows = new Map(scores.map(([item]) => {
      const input = html("input", { type: "range", min: low, max: high, step, "aria-label": `score of ${item}`, ...CONTROL });
      const place = html("small", { "aria-hidden": "true" }), value = html("output", { "aria-hidden": "true" });
      input.addEventListener("input", () => {
        example.select.value = "own";
        put("scores", model.get("scores").map(([i, s]) => [i, i === item ? Number(input.value) : s]), "rank");
      });
      const name = html("span", { title: item }, item);
      return [item, { node: html("div", { class: "g4r-bar", "data-item": item }, name, input, value, place), input, place, value }];
    }));
    bars.style.setProperty("--name", `${0.6 + 0.56 * Math.min(14, Math.max(...scores.map(([item]) => item.length)))}em`);
    bars.replaceChildren(...[...rows.values()].map((row) => row.node));
    target.select.replaceChildren(...scores.map(([item]) => html("option", { value: item }, item)));
  }
  function drawBars(scores, seen, now) {
    for (const [item, score] of scores) {
      const { node, input, place, value } = rows.get(item);
      const at = item === now ? short(seen.rank) : String(seen.order.indexOf(item) + 1);
      if (Number(input.value) !== score) input.value = score;
      input.style.setProperty("--share", `${(100 * (score - low)) / (high - low || 1)}%`);
      input.setAttribute("aria-valuetext", `${short(score)}, ${item === now ? "rank" : "place"} ${at}`);
      value.textContent = short(score);
      place.textContent = `#${at}`;
      node.classList.toggle("g4r-own", item === now);
    }
  }
  // A new order of the list; what moved slides to its place.
  function fillList(node, lines) {
    const was = new Map([...node.children].map((line) => [line.dataset.item, line.offsetTop]));
    node.replaceChildren(...lines);
    if (stillness()) return;
    for (const line of lines) {
      const dy = (was.get(line.dataset.item) ?? line.offsetTop) - line.offsetTop;
      if (dy) line.animate?.([{ transform: `translateY(${dy}px)` }, { transform: "none" }], { duration: 220, easing: "ease-out" });
    }
  }

  function drawCode(seen, state) {
    const { above, equal, rank, hit } = seen, here = state.k;
    const earns = hit ? short(1 / rank) : "0";
    return [
      ["rank", `1 + ${above} + ${HALF[state.ties]} · ${equal} = ${short(rank)}`, "1 + items above it + share · items equal to it", "rank"],
      [`Recall@${here}`, `[${short(rank)} ≤ ${here}] = ${hit}`, "1 if the target is in the list, else 0", "recall"],
      [`MRR@${here}`, hit ? `1 / ${short(rank)} = ${earns}` : `0, since ${short(rank)} > ${here}`, "1 / rank if it is in the list, else 0", "mrr"],
    ].map(([term, value, why, key]) => codeLine(term, value, why, key, key === touched || (key === "mrr" && touched === "recall")));
  }
  function drawRules(seen, state) {
    return html("table", { class: "g4r-table" },
      html("thead", null, html("tr", null, ["Tie rule", "Rank", `Recall@${state.k}`, `MRR@${state.k}`].map((text) => html("th", { scope: "col" }, text)))),
      html("tbody", null, Object.keys(RULES).map((rule) => html("tr", { "data-rule": rule, class: rule === state.ties && "g4r-chosen" },
        html("th", { scope: "row" }, rule === state.ties ? "▸ " : "", rule, html("small", null, RULES[rule])),
        [seen.rules[rule].rank, seen.rules[rule].hit, seen.rules[rule].reciprocal].map((v) => html("td", null, short(v)))))));
  }

  function draw() {
    const state = stateOf(model, FIELDS);
    const seen = compute(state), of = new Map(state.scores), width = root.clientWidth || 640;
    const outside = state.scores.some(([, s]) => s < low || s > high);
    if (outside) { low = Math.min(low, ...of.values()); high = Math.max(high, ...of.values()); }
    if (outside || rows.size !== of.size || state.scores.some(([item]) => !rows.has(item))) makeBars(state.scores);
    target.select.value = state.target; ties.select.value = state.ties;
    k.set(state.k); n.set(state.n_sampled);
    drawBars(state.scores, seen, state.target);
    const said = words({ ...seen, rank: short(seen.rank) }, state.target, state.k);
    status.say(said);
    fillList(ranked, drawList(seen.order, of, { ...state, rank: seen.rank, places: true }));
    code.replaceChildren(...drawCode(seen, state));
    table.show(drawRules(seen, state));

    fewTitle.textContent = `Sample ${state.draw}: rank ${short(seen.sample.rank)} of ${state.n_sampled + 1}, a ${seen.sample.hit ? "hit" : "miss"}`;
    const { above, equal, rank } = seen.sample;
    fewCode.replaceChildren(codeLine("rank", `1 + ${above} + ${HALF[state.ties]} · ${equal} = ${short(rank)}`,
      `among ${plural(state.n_sampled, "other")}`, "sample", touched === "sample"));
    fillList(few, drawList(seen.sample.order, of, { ...state, rank: seen.sample.rank, places: true }));
    curve.show(drawCurve(seen.curve, state.k, seen.rank, state.n_sampled, Math.min(curve.node.clientWidth || width, 460)));
    const { samples, hits, recall, mrr } = seen.expected, value = (name, v) => html("b", { "data-value": name }, v);
    verdict.replaceChildren("In ", value("expected-hits", big(hits)), ` of all ${big(samples)} sample${samples === 1 ? "" : "s"} it is a hit: sampled Recall@${state.k} is `,
      value("expected-recall", short(recall)), " on average, the full one ", value("full-recall", String(seen.hit)),
      `; sampled MRR@${state.k} is `, value("expected-mrr", short(mrr)), ", the full one ", value("full-mrr", short(seen.reciprocal)), ".");
  }

  el.append(root);
  draw();
  const ends = [onChange(model, FIELDS, draw), onWidth(root, draw)];
  return () => ends.forEach((end) => end());
}

export default { render };
