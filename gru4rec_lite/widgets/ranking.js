// One prediction: the scores of a small shop, the rank of the item that was clicked, what it earns, and what it would
// seem to earn in a sample.

// ---- arithmetic: everything that is drawn, and nothing else ---------------------------------------------------------
// How much of an equal score counts as standing before the target.
const SHARE = { conservative: 1, median: 1 / 2, standard: 0 };

// scores: [item, score] pairs; target: the item clicked; k: length of the list; n_sampled: negatives in a sample; draw:
// which sample.
export function compute({ scores, target, k, ties, n_sampled, draw }) {
  const own = new Map(scores).get(target);
  const n_items = scores.length;
  const others = scores.filter(([item]) => item !== target);
  const count = (among) => ({
    above: among.filter(([, score]) => score > own).length,
    equal: among.filter(([, score]) => score === own).length,
  });
  const measured = ({ above, equal }, rule) => {
    const rank = 1 + above + SHARE[rule] * equal;
    const hit = rank <= k ? 1 : 0;
    return { rank, hit, reciprocal: hit / rank };
  };
  const full = count(others);
  const rules = Object.fromEntries(Object.keys(SHARE).map((rule) => [rule, measured(full, rule)]));

  const drawn = sampled(
    others.map(([item]) => item),
    n_sampled,
    draw,
  );
  const kept = others.filter(([item]) => drawn.includes(item));
  return {
    ...full,
    below: n_items - 1 - full.above - full.equal,
    n_items,
    rules,
    ...rules[ties],
    order: ordered(scores, target, ties),
    sample: {
      drawn,
      ...count(kept),
      ...measured(count(kept), ties),
      order: ordered([...kept, [target, own]], target, ties),
    },
    expected: expectation(full, measured, n_items, n_sampled, ties),
    curve: scores.map((_, above) => ({
      rank: above + 1,
      full: above + 1 <= k ? 1 : 0,
      sampled: expectation({ above, equal: 0 }, measured, n_items, n_sampled, ties).recall,
    })),
  };
}

// Items from the best score down; among equal ones the target stands where the tie rule puts it, the others keep their
// order.
function ordered(scores, target, ties) {
  const sorted = scores.filter(([item]) => item !== target).sort((a, b) => b[1] - a[1]);
  const own = scores.find(([item]) => item === target);
  const above = sorted.filter(([, score]) => score > own[1]).length;
  const equal = sorted.filter(([, score]) => score === own[1]).length;
  sorted.splice(above + Math.floor(SHARE[ties] * equal), 0, own);
  return sorted.map(([item]) => item);
}

// n over m, exact up to the 24 items that fit.
function choose(n, m) {
  let ways = m >= 0 && m <= n ? 1 : 0;
  for (let i = 1; i <= m && ways; i += 1) ways = (ways * (n - m + i)) / i;
  return Math.round(ways);
}
// The mean over all samples of n_sampled other items: a of those above the target and e of its equals come in, the rest
// from below.
function expectation({ above, equal }, measured, n_items, n_sampled, ties) {
  const below = n_items - 1 - above - equal;
  const samples = choose(n_items - 1, n_sampled);
  let hits = 0;
  let reciprocals = 0;
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

// ---- words ----------------------------------------------------------------------------------------------------------
const RULES = { conservative: "equals stand before it", median: "half of them do", standard: "equals stand behind it" };
const HALF = { conservative: "1", median: "½", standard: "0" };
const verb = (n, one, many) => `${n} ${n === 1 ? one : many}`;

function words({ above, equal, n_items, rank, hit }, target, k) {
  const says = equal ? ` and ${verb(equal, "has the same score", "have the same score")}` : "";
  return (
    `${target}, the item clicked, is at rank ${rank} of ${n_items}: ` +
    `${verb(above, "item scores", "items score")} higher${says}. ` +
    (hit ? `It is among the first ${k}: a hit.` : `It is not among the first ${k}: a miss.`)
  );
}

// Scores that the reader can choose, for the items at hand.
const EXAMPLES = {
  equal: ["all scores equal", () => 5],
  first: ["target first", (i, on) => (on ? 9.5 : 0.5 + ((i * 5) % 15) / 2)],
  last: ["target last", (i, on) => (on ? 0.5 : 1.5 + ((i * 5) % 15) / 2)],
};

// ---- drawing --------------------------------------------------------------------------------------------------------
// The ranked list: places, the cut after k, the target, equal scores.
function drawList(order, of, { target, k, rank }) {
  return order.map((item, i) => {
    const own = item === target;
    const tied = !own && of.get(item) === of.get(target);
    const looks = [own && "g4r-own", i + 1 === k && i + 1 < order.length && "g4r-cut"].filter(Boolean).join(" ");
    return html(
      "li",
      { class: looks, "data-item": item },
      html("b", null, own ? short(rank) : String(i + 1)),
      html("span", { title: item }, item),
      html("i", null, own ? "◄ clicked" : tied ? "= equal" : ""),
      html("em", null, short(of.get(item))),
    );
  });
}

// Chance of a hit at each true rank: full ranking as a step, the sample as columns. `at`: the target's rank.
function drawCurve(curve, k, at, n_sampled, width) {
  const left = 34;
  const top = 12;
  const high = 120;
  const low = top + high;
  const size = (width - left - 6) / curve.length;
  const x = (rank) => left + (rank - 1) * size;
  const y = (share) => top + high * (1 - share);
  const text = (x, y, kind, content) => svg("text", { x, y, class: `g4r-small ${kind}` }, content);
  const column = ({ rank, sampled: p }) =>
    svg("rect", { x: x(rank) + 3, width: size - 6, y: y(p), height: high * p, class: "g4r-chance", "data-rank": rank });
  const every = size < 22 ? 2 : 1;
  const numbered = curve.map(({ rank }) => rank).filter((rank) => rank % every === 0 || rank === at);
  const chances = curve.map((c) => `rank ${c.rank} ${Math.round(100 * c.sampled)} %`).join(", ");
  const full = `Full ranking: 100 % up to rank ${k}, then 0`;
  const label = `Chance of a hit by true rank. ${full}. Among ${n_sampled} sampled: ${chances}.`;
  return svg(
    "svg",
    { width, height: low + 40, role: "img", "aria-label": label },
    [0, 0.5, 1].map((share) => [
      svg("line", { x1: left, x2: width - 6, y1: y(share), y2: y(share), class: "g4r-grid" }),
      text(left - 6, y(share), "g4r-quiet g4r-end", `${100 * share}`),
    ]),
    text(left - 6, low + 27, "g4r-quiet g4r-end", "%"),
    curve.map(column),
    svg("path", { d: `M${left} ${y(1)}H${x(k + 1)}V${y(0)}H${width - 6}`, class: "g4r-step" }),
    numbered.map((rank) =>
      text(x(rank + 0.5), low + 12, `g4r-mid ${rank === at ? "g4r-now" : "g4r-quiet"}`, String(rank)),
    ),
    svg("path", { d: `M${x(at + 0.5)} ${low + 21}l5 9h-10z`, class: "g4r-pointer" }),
    text(Math.min(x(at + 0.5) + 10, width - 70), low + 29, "g4r-now", "the target"),
  );
}

const rankLine = ({ above, equal, rank }, ties) => `1 + ${above} + ${HALF[ties]} · ${equal} = ${short(rank)}`;
function drawCode(seen, { k, ties }, touched) {
  const { rank, hit } = seen;
  const earns = hit ? `1 / ${short(rank)} = ${short(1 / rank)}` : `0, since ${short(rank)} > ${k}`;
  return [
    ["rank", rankLine(seen, ties), "1 + items above it + share · items equal to it", "rank"],
    [`Recall@${k}`, `[${short(rank)} ≤ ${k}] = ${hit}`, "1 if the target is in the list, else 0", "recall"],
    [`MRR@${k}`, earns, "1 / rank if it is in the list, else 0", "mrr"],
  ].map(([term, value, why, key]) =>
    codeLine(term, value, why, key, key === touched || (key === "mrr" && touched === "recall")),
  );
}

function drawRules(rules, { k, ties }) {
  return table(
    ["Tie rule", "Rank", `Recall@${k}`, `MRR@${k}`],
    Object.entries(rules).map(([rule, { rank, hit, reciprocal }]) =>
      html(
        "tr",
        { "data-rule": rule, class: rule === ties && "g4r-chosen" },
        html("th", { scope: "row" }, rule === ties ? "▸ " : "", rule, html("small", null, RULES[rule])),
        [rank, hit, reciprocal].map((v) => html("td", null, short(v))),
      ),
    ),
  );
}

function drawVerdict({ expected, hit, reciprocal }, k) {
  const value = (name, v) => html("b", { "data-value": name }, v);
  return [
    "In ",
    value("expected-hits", big(expected.hits)),
    ` of all ${big(expected.samples)} sample${expected.samples === 1 ? "" : "s"} `,
    `it is a hit: sampled Recall@${k} is `,
    value("expected-recall", short(expected.recall)),
    " on average, the full one ",
    value("full-recall", String(hit)),
    `; sampled MRR@${k} is `,
    value("expected-mrr", short(expected.mrr)),
    ", the full one ",
    value("full-mrr", short(reciprocal)),
    ".",
  ];
}

// ---- filling --------------------------------------------------------------------------------------------------------
// A bar is a slider of the browser's own: pointer, touch and keys come with it. It is kept while it is dragged.
function makeBars(view, scores) {
  const { reach, bars, target, nice } = view;
  const step = nice ? 0.5 : Number(((reach.high - reach.low) / 40).toPrecision(1)) || 1;
  reach.low = Math.floor(reach.low / step) * step;
  reach.high = Math.ceil(reach.high / step) * step;
  const bar = ([item]) => {
    const input = html("input", {
      type: "range",
      min: reach.low,
      max: reach.high,
      step,
      "aria-label": `score of ${item}`,
      ...CONTROL,
    });
    const place = html("small", { "aria-hidden": "true" });
    const value = html("output", { "aria-hidden": "true" });
    input.addEventListener("input", () => view.score(item, Number(input.value)));
    const name = html("span", { title: item }, item);
    return [
      item,
      { node: html("div", { class: "g4r-bar", "data-item": item }, name, input, value, place), input, place, value },
    ];
  };
  view.rows = new Map(scores.map(bar));
  bars.style.setProperty("--name", `${0.6 + 0.56 * Math.min(14, Math.max(...scores.map(([item]) => item.length)))}em`);
  bars.replaceChildren(...[...view.rows.values()].map((row) => row.node));
  target.select.replaceChildren(...scores.map(([item]) => html("option", { value: item }, item)));
}
function fillBars(view, { scores, target }, seen) {
  const all = scores.map(([, score]) => score);
  const { reach } = view;
  const outside = Math.min(...all) < reach.low || Math.max(...all) > reach.high;
  if (outside) Object.assign(reach, { low: Math.min(reach.low, ...all), high: Math.max(reach.high, ...all) });
  if (outside || view.rows.size !== scores.length || scores.some(([item]) => !view.rows.has(item)))
    makeBars(view, scores);
  for (const [item, score] of scores) {
    const { node, input, place, value } = view.rows.get(item);
    const own = item === target;
    const at = own ? short(seen.rank) : String(seen.order.indexOf(item) + 1);
    if (Number(input.value) !== score) input.value = score;
    input.style.setProperty("--share", `${(100 * (score - reach.low)) / (reach.high - reach.low || 1)}%`);
    input.setAttribute("aria-valuetext", `${short(score)}, ${own ? "rank" : "place"} ${at}`);
    value.textContent = short(score);
    place.textContent = `#${at}`;
    node.classList.toggle("g4r-own", own);
  }
}
// A new order of the list; what moved slides to its place.
function fillList(node, lines) {
  const was = new Map([...node.children].map((line) => [line.dataset.item, line.offsetTop]));
  node.replaceChildren(...lines);
  for (const line of lines) slideFrom(line, 0, (was.get(line.dataset.item) ?? line.offsetTop) - line.offsetTop, 220);
}

// ---- the widget -----------------------------------------------------------------------------------------------------
function build(view, model) {
  const given = model.get("scores");
  const scores = given.map(([, s]) => s);
  const nice = scores.every((s) => s >= 0 && s <= 10);
  const reach = nice ? { low: 0, high: 10 } : { low: Math.min(...scores), high: Math.max(...scores) };
  const items = () => model.get("scores").map(([item]) => item);
  const scaled = (s) => (nice ? s : reach.low + (s / 10) * (reach.high - reach.low));
  const made = ([name, rule]) => [
    name,
    () => items().map((item, i) => [item, scaled(rule(i, item === model.get("target")))]),
  ];
  const put =
    (name, term = name) =>
    (value) =>
      view.put({ [name]: value }, term);
  const ranked = () => html("ol", { class: "g4r-ranked" });
  const parts = {
    target: choice({
      label: "Clicked",
      options: items().map((i) => [i, i]),
      value: model.get("target"),
      onchange: put("target", "rank"),
    }),
    ties: choice({
      label: "Ties",
      options: Object.keys(RULES).map((r) => [r, r]),
      value: model.get("ties"),
      onchange: put("ties", "rank"),
    }),
    k: slider({
      label: "List length k",
      min: 1,
      max: given.length,
      value: model.get("k"),
      oninput: put("k", "recall"),
    }),
    example: presets({
      label: "Scores",
      use: put("scores", "rank"),
      choices: {
        given: ["as at first", given],
        ...Object.fromEntries(Object.entries(EXAMPLES).map(([key, of]) => [key, made(of)])),
      },
    }),
    n: slider({
      label: "Sampled negatives n",
      min: 1,
      max: given.length - 1,
      value: model.get("n_sampled"),
      oninput: put("n_sampled", "sample"),
    }),
    again: button("Draw again", () => put("draw", "sample")(model.get("draw") + 1), { class: "g4r-button g4r-main" }),
    status: statusLine(),
    bars: html("div", { class: "g4r-bars" }),
    ranked: ranked(),
    code: termList(),
    rules: pictureBox("Tie rules"),
    curve: pictureBox("Chance of a hit"),
    few: ranked(),
    fewTitle: title(""),
    fewCode: termList(),
    verdict: html("p", { class: "g4r-verdict" }),
  };
  const score = (item, value) => {
    parts.example.set("own");
    put("scores", "rank")(model.get("scores").map(([i, s]) => [i, i === item ? value : s]));
  };
  return { nice, reach, rows: new Map(), score, ...parts, root: layout(parts) };
}

function layout(its) {
  return group(
    "g4r-ranking",
    "Ranking",
    controls(its.target.node, its.k.node, its.ties.node, its.example.node),
    its.status.node,
    columns(
      section(title("Scores", "drag the bars"), its.bars),
      section(title("The list", "best first; cut after k"), its.ranked),
    ),
    section(title("What it earns"), its.code, its.rules.node),
    section(
      title("Ranked among a sample", "the target and n of the others, drawn by chance"),
      controls(its.n.node, html("div", { class: "g4r-buttons" }, its.again)),
      columns(
        html("div", null, its.fewTitle, its.fewCode, its.few),
        html(
          "div",
          null,
          title("Chance of a hit, by true rank"),
          its.curve.node,
          legend(["stepped", "full ranking"], ["column", "among the sample"]),
        ),
      ),
      its.verdict,
    ),
  );
}

function draw(view, state, width) {
  const { k, ties, target, n_sampled } = state;
  const seen = compute(state);
  const of = new Map(state.scores);
  const { sample } = seen;
  fillBars(view, state, seen);
  view.target.select.value = target;
  view.ties.select.value = ties;
  view.k.set(k);
  view.n.set(n_sampled);
  view.status.say(words({ ...seen, rank: short(seen.rank) }, target, k));
  fillList(view.ranked, drawList(seen.order, of, { target, k, rank: seen.rank }));
  view.code.replaceChildren(...drawCode(seen, state, view.touched));
  view.rules.show(drawRules(seen.rules, state));

  const hit = sample.hit ? "a hit" : "a miss";
  view.fewTitle.textContent = `Sample ${state.draw}: rank ${short(sample.rank)} of ${n_sampled + 1}, ${hit}`;
  const among = `among ${plural(n_sampled, "other")}`;
  view.fewCode.replaceChildren(codeLine("rank", rankLine(sample, ties), among, "sample", view.touched === "sample"));
  fillList(view.few, drawList(sample.order, of, { target, k, rank: sample.rank }));
  const room = Math.min(view.curve.node.clientWidth || width, 460);
  view.curve.show(drawCurve(seen.curve, k, seen.rank, n_sampled, room));
  view.verdict.replaceChildren(...drawVerdict(seen, k));
}

const FIELDS = ["scores", "target", "k", "ties", "n_sampled", "draw"];
const render = ({ model, el }) => mount({ model, el, fields: FIELDS, touched: "rank", build, draw });
export default { render };
