// One click on its way through a trained GRU4Rec: one-hot, embedding row, gates, candidate, new state, scores.

// ---- arithmetic: everything that is drawn, and nothing else ---------------------------------------------------------
// clicks: items, oldest first; click: which of them is followed, from 1.
export function compute({ shop, clicks, click }) {
  const number = new Map(shop.items.map((item, i) => [item, i]));
  const steps = [];
  for (const name of clicks) {
    const item = number.get(name);
    const step = gru(shop, item, steps.at(-1)?.after ?? zeroState(shop));
    steps.push({ item, ...step, ...scoreAll(shop, step.after) });
  }
  const now = steps[Math.min(click, steps.length) - 1];
  const width = now.x.length;
  const N = shop.items.length;
  return { steps, ...now, lookup: { rows: N, width, products: N * width } };
}
// How the score of an item comes about: the state's product with the item's row, unit by unit, and the bias.
const terms = (shop, item, hidden) => shop.item_out[item].map((o, u) => o * hidden[u]);

// ---- words ----------------------------------------------------------------------------------------------------------
const STAGES = ["one-hot", "embedding", "gates", "candidate", "new state", "scores"];
const LAST = STAGES.length;
const TOP = 8;
const mean = (v) => sum(v) / v.length;

function words({ shop, clicks, click, stage }, seen) {
  const name = clicks[click - 1];
  const N = shop.items.length;
  const H = seen.after.length;
  const row = seen.item + 1;
  const best = seen.order[0];
  const from = click === 1 ? "This is the first click: h is zero." : `h comes from click ${click - 1}.`;
  const yet = click === 1 ? " (it is 0 as yet)" : "";
  const kept = `${Math.round(100 * mean(seen.old))} % of their old value on average${yet}`;
  const read = `${seen.lookup.width} numbers are read, nothing is multiplied`;
  const first = `${shop.items[best]} is first with ${share(seen.probabilities[best])}`;
  const says = [
    `${name} is item ${row} of ${N}: ${N} numbers, a single 1 among ${N - 1} zeros.`,
    `The one-hot vector times the table is row ${row} of the table: ${read}.`,
    `Each of ${H} units sets two gates from the row x and the state h. ${from}`,
    "The candidate ĥ is what the units would like to hold; where r is near 0 it leaves the old state out.",
    `The units keep ${kept}, and take the rest from the candidate.`,
    `The state is compared with all ${N} items; softmax makes the scores probabilities. ${first}.`,
  ];
  return `Click ${click} of ${clicks.length}, stage ${stage} of ${LAST}: ${STAGES[stage - 1]}. ${says[stage - 1]}`;
}

// ---- drawing --------------------------------------------------------------------------------------------------------
// The catalogue as N cells, item after item. fills: height of each cell's filling, 0 to 1; marked: items with a thick
// edge.
function drawCells({ items, fills, marked, width, label, empty }) {
  const size = within(11, Math.floor(width / 40), 17);
  const many = Math.floor(width / size);
  const inner = size - 2;
  const cells = items.map((name, i) => {
    const x = (i % many) * size + 1;
    const y = Math.floor(i / many) * size + 1;
    const fill = empty ? 0 : fills[i];
    const looks = [marked.has(i) && !empty && "g4r-lit", empty && "g4r-empty"].filter(Boolean).join(" ");
    const filling = { x, y: y + inner * (1 - fill), width: inner, height: inner * fill, rx: 1, class: "g4r-filling" };
    return svg(
      "g",
      { "data-cell": i, class: looks },
      svg("title", null, name),
      svg("rect", { x, y, width: inner, height: inner, rx: 1.5, class: "g4r-cell" }),
      fill > 0.02 && svg("rect", filling),
    );
  });
  const high = Math.ceil(items.length / many) * size + 2;
  return svg("svg", { width: many * size + 2, height: high, role: "img", "aria-label": label }, cells);
}

const LEFT = 44;
const RIGHT = 50;
const ROW = 46;
// Rows of one vector each over the same units; the chosen unit's column is framed, its numbers stand on the right.
// rows: {name, label, values (null: not computed yet), on, gate, most}.
function drawUnits(rows, { n, unit, width, onunit }) {
  const size = Math.min(34, (width - LEFT - RIGHT) / n);
  const high = ROW * rows.length;
  const right = LEFT + n * size;
  const told = rows
    .filter((row) => row.values)
    .map(({ name, values }) => `${name}: unit ${unit + 1} ${fixed(values[unit])}`);
  const text = (x, y, kind, content, more) => svg("text", { x, y, class: kind, ...more }, content);
  const row = ({ name, values, label: [short, long], on, gate, most }, i) => {
    const y = i * ROW + 4;
    const middle = y + (ROW - 10) / 2;
    return [
      text(2, middle - (long ? 7 : 0), on ? "g4r-strong" : "", short),
      long && text(2, middle + 9, "g4r-small g4r-quiet", long),
      bars({ name, values, n, left: LEFT, size, y, high: ROW - 10, gate, most }),
      values && text(right + 8, middle, "g4r-small g4r-strong", fixed(values[unit]), { "data-unit-value": name }),
    ];
  };
  const hit = (_, u) =>
    svg("rect", { x: LEFT + u * size, y: 0, width: size, height: high, class: "g4r-hit", onclick: () => onunit(u) });
  const label = `Vectors of ${n} units. ${told.join("; ")}.`;
  return svg(
    "svg",
    { width: Math.ceil(right + RIGHT), height: high + 18, role: "img", "aria-label": label },
    rows.map(row),
    svg("rect", { x: LEFT + unit * size, y: 1, width: size, height: high - 4, rx: 3, class: "g4r-column" }),
    Array.from({ length: n }, hit),
    text(LEFT + (unit + 0.5) * size, high + 9, "g4r-mid g4r-small g4r-strong", `unit ${unit + 1}`),
  );
}

// The equations of one unit with its numbers; stage: the line that this stage computes is marked.
function drawEquations(seen, shop, u, stage) {
  const paper = shop.cell === "gru-paper";
  const [input, state] = [seen.input, seen.state].map((of) => of.map((block) => fixed(block[u])));
  const [r, z, h, candidate, after] = [seen.r, seen.z, seen.before, seen.candidate, seen.after].map((v) => fixed(v[u]));
  const gate = (b, value) => `σ(${input[b]} + ${state[b]}) = ${value}`;
  const product = paper ? state[2] : `${r} · ${state[2]}`;
  const [of_old, of_new] = paper ? [`(1 − ${z})`, z] : [z, `(1 − ${z})`];
  const kept = `${Math.round(100 * seen.old[u])} % of the old value stays`;
  const lines = [
    ["r", 3, gate(0, r), `σ(W x + b + U h${paper ? "" : " + d"}): the reset gate`],
    ["z", 3, gate(1, z), `the same with its own weights: the update gate; here ${kept}`],
    [
      "ĥ",
      4,
      `tanh(${input[2]} + ${product}) = ${candidate}`,
      `tanh(W x + b + ${paper ? "U (r·h)" : "r·(U h + d)"}): the candidate`,
    ],
    [
      "h′",
      5,
      `${of_old} · ${h} + ${of_new} · ${candidate} = ${after}`,
      `${paper ? "(1 − z)·h + z·ĥ" : "z·h + (1 − z)·ĥ"}: the new state`,
    ],
  ];
  return lines.map(([term, at, value, why]) => codeLine(term, stage >= at ? value : "…", why, term, stage === at));
}

// ---- filling --------------------------------------------------------------------------------------------------------
// The session's buttons are kept while their number stays, so that a pressed one keeps the focus.
function fillSession({ session, follow }, clicks, click) {
  if (session.children.length !== clicks.length) {
    session.replaceChildren(
      ...clicks.map((_, i) =>
        html(
          "li",
          null,
          button("", () => follow(i + 1)),
        ),
      ),
    );
  }
  clicks.forEach((name, i) => {
    const node = session.children[i].firstChild;
    node.textContent = name;
    node.setAttribute("aria-label", `follow click ${i + 1}: ${name}`);
    node.setAttribute("aria-pressed", String(i + 1 === click));
  });
}
// Stages 1 and 2: the cell of the item, and its row of the table.
function fillLookup({ shop, hot, caption, row, lookup }, seen, stage, room) {
  const { items, item_in, item_out } = shop;
  const N = items.length;
  const W = seen.lookup.width;
  const number = seen.item + 1;
  const name = items[seen.item];
  const fills = items.map((_, i) => (i === seen.item ? 1 : 0));
  const marked = new Set([seen.item]);
  const others = `${N} cells, all 0 but number ${number}, ${name}: 1.`;
  hot.show(drawCells({ items, fills, marked, width: room(hot), label: others }));
  caption.textContent = `${name} is number ${number} of ${N}: its cell is 1, the other ${N - 1} are 0.`;
  const x = stage >= 2 ? seen.x : null;
  const size = Math.min(34, (room(row) - LEFT - 6) / W);
  const most = Math.max(...(item_in ?? item_out).flat().map(Math.abs));
  const label = x ? `Row of ${name}: ${x.map((v) => fixed(v)).join(", ")}.` : "Not computed yet.";
  row.show(
    svg(
      "svg",
      { width: Math.ceil(LEFT + W * size + 4), height: ROW, role: "img", "aria-label": label },
      svg("text", { x: 2, y: ROW / 2 }, "x"),
      bars({ name: "x", values: x, n: W, left: LEFT, size, y: 4, high: ROW - 8, most }),
    ),
  );
  const cost = `${big(seen.lookup.products)} multiplications, ${big((N - 1) * W)} of them by 0`;
  const read = () => `Row ${number} of ${N}: ${W} numbers, ${fixed(x[0])}, ${fixed(x[1] ?? 0)}, …`;
  lookup.textContent = x ? `${read()} The full product would take ${cost}.` : "…";
}
// Stages 3 to 5: the units, and the equations of the chosen one.
function fillUnits({ shop, unit, units, equations }, seen, stage, options) {
  const reached = (s, values) => (stage >= s ? values : null);
  units.show(
    drawUnits(
      [
        { name: "before", label: ["h", "before"], values: reached(2, seen.before) },
        { name: "r", label: ["r", "reset"], values: reached(3, seen.r), gate: true, on: stage === 3 },
        { name: "z", label: ["z", "update"], values: reached(3, seen.z), gate: true, on: stage === 3 },
        { name: "candidate", label: ["ĥ", "new"], values: reached(4, seen.candidate), on: stage === 4 },
        { name: "after", label: ["h′", "after"], values: reached(5, seen.after), on: stage === 5 },
      ],
      options(units),
    ),
  );
  equations.replaceChildren(...drawEquations(seen, shop, unit, stage));
}
// Stage 6: the scores of the catalogue, the list, and how the score of `chosen` comes about.
function fillScores({ shop, scores, top, product, scoreTerms }, seen, chosen, done, options) {
  const { items, item_out, bias_out } = shop;
  const best = seen.order[0];
  const after = seen.after;
  const low = seen.scores[seen.order.at(-1)];
  const high = seen.scores[best];
  const range = `from ${fixed(low)} to ${fixed(high)}`;
  const fills = seen.scores.map((s) => (s - low) / (high - low || 1));
  const marked = new Set(seen.order.slice(0, TOP));
  const label = done ? `Scores of ${items.length} items, ${range}, highest: ${items[best]}.` : "Not computed yet.";
  scores.show(drawCells({ items, fills, marked, width: options(scores).width, empty: !done, label }));
  top.rows.forEach((row, i) => {
    const number = seen.order[i];
    const p = seen.probabilities[number];
    row.node.dataset.number = number;
    row.node.setAttribute(
      "aria-label",
      done ? `${i + 1}: ${items[number]}, ${share(p)}` : `${i + 1}: not computed yet`,
    );
    row.node.setAttribute("aria-pressed", String(done && number === chosen));
    enable(row.node, done);
    top.show(row, i + 1, done ? items[number] : "", p, seen.probabilities[best]);
  });
  const own = terms(shop, chosen, after);
  const most = Math.max(...own.map(Math.abs), ...item_out[chosen].map(Math.abs));
  const reached = (values) => (done ? values : null);
  product.show(
    drawUnits(
      [
        { name: "after", label: ["h′"], values: reached(after) },
        { name: "o", label: ["o", "its row"], values: reached(item_out[chosen]), most },
        { name: "product", label: ["h′·o"], values: reached(own), most, on: true },
      ],
      options(product),
    ),
  );
  const score = fixed(seen.scores[chosen]);
  const bias = `sum of h′·o, and the bias of ${items[chosen]}`;
  scoreTerms.replaceChildren(
    codeLine(
      "s",
      done ? `${fixed(sum(own))} + ${fixed(bias_out[chosen])} = ${score}` : "…",
      done ? bias : "",
      "s",
      done,
    ),
    codeLine(
      "p",
      done ? `e^${score} / Σ e^s = ${share(seen.probabilities[chosen])}` : "…",
      "softmax over all items",
      "p",
      done,
    ),
  );
}

// ---- the widget -----------------------------------------------------------------------------------------------------
function build(view, model) {
  const shop = model.get("shop");
  const examples = model.get("examples");
  const clicks = () => model.get("clicks");
  const at = () => within(1, model.get("click"), clicks().length);
  // The item whose score is taken apart is `view.scored`; undefined: the best one, and so again after each other click.
  const put = (values) => {
    view.scored = undefined;
    view.put(values);
  };
  // Stages of all clicks, one after the other, counted from 0.
  const place = () => (at() - 1) * LAST + model.get("stage") - 1;
  const end = () => clicks().length * LAST - 1;
  const go = (to) => {
    const click = Math.floor(to / LAST) + 1;
    (click === at() ? view.put : put)({ click, stage: (to % LAST) + 1 });
    const now = view.root.querySelector(".g4r-part.g4r-on"); // where it happens may be below the screen's edge
    now.scrollIntoView({ block: "nearest", behavior: stillness() ? "auto" : "smooth" });
  };
  const time = stepper(places({ first: 0, at: place, end, go }), 1500);
  const example = presets({
    label: "Session",
    choices: Object.fromEntries(examples.entries()),
    use: time.by((script) => put({ click: script.length, clicks: script.slice(0, 8) })),
    own: time.by(() => {
      view.scored = undefined;
      view.redraw();
      item.select.focus();
    }),
  });
  const item = choice({
    label: "Clicked item",
    value: clicks()[at() - 1],
    options: shop.items.map((name) => [name, name]),
    onchange: time.by((name) => put({ clicks: clicks().map((old, i) => (i === at() - 1 ? name : old)) })),
  });
  const onunit = (u) => {
    view.unit = u;
    view.redraw();
  };
  const which = slider({
    label: "Unit",
    min: 1,
    max: shop.item_out[0].length,
    value: 1,
    oninput: (u) => onunit(u - 1),
  });
  const follow = time.by((click) => put({ click }));
  const takeApart = time.by(({ dataset }) => {
    if (model.get("stage") < LAST) return;
    view.scored = Number(dataset.number);
    view.redraw();
  });
  const parts = {
    shop,
    examples,
    time,
    example,
    item,
    which,
    follow,
    onunit,
    top: bestList(Math.min(TOP, shop.items.length), takeApart),
    status: statusLine(),
    session: html("ol", { class: "g4r-clicks" }),
    hot: pictureBox("One-hot"),
    caption: html("p", { class: "g4r-small-text" }),
    row: pictureBox("Embedding row"),
    lookup: html("p", { class: "g4r-small-text" }),
    units: pictureBox("The GRU"),
    equations: termList(),
    scores: pictureBox("Scores"),
    product: pictureBox("One score"),
    scoreTerms: termList(),
  };
  return { unit: 0, at, place, end, ...parts, ...layout(parts) };
}

function layout(its) {
  const part = (from, to, heading, quiet, ...content) => {
    const node = html("section", { class: "g4r-part" }, title(heading, quiet), content);
    return { node, mark: (stage) => node.classList.toggle("g4r-on", stage >= from && stage <= to) };
  };
  const stages = [
    part(1, 1, "1 One-hot", `${its.shop.items.length} numbers, one cell an item`, its.hot.node, its.caption),
    part(2, 2, "2 Embedding", "one-hot times the table is a row of it", its.row.node, its.lookup),
    part(
      3,
      5,
      "3 Gates, 4 candidate, 5 new state",
      `${its.shop.item_out[0].length} units, a column each`,
      its.units.node,
      legend(["up", "above 0"], ["down", "below 0"], ["gate", "a gate, from 0 to 1"]),
      html("div", { class: "g4r-chosen" }, its.which.node, its.equations),
    ),
    part(
      6,
      6,
      "6 Scores",
      "the same cells: the taller, the higher the score; framed: the list",
      its.scores.node,
      columns(
        html("div", null, title("The list", "press an item to see its score"), its.top.node),
        html("div", null, title("How its score comes about"), its.product.node, its.scoreTerms),
      ),
    ),
  ];
  const root = group(
    "g4r-tiny g4r-network",
    "One click through the network",
    controls(its.example.node, its.item.node),
    section(title("The session", "press a click to follow it"), its.session),
    html("div", { class: "g4r-steps" }, its.time.node, its.status.node), // stays in view
    stages.map((stage) => stage.node),
  );
  return { root, stages };
}

function draw(view, { clicks, stage }, width) {
  const { shop, examples, unit, onunit, root } = view;
  const click = view.at();
  const seen = compute({ shop, clicks, click });
  const done = stage === LAST;
  const chosen = view.scored ?? seen.order[0];
  const n = shop.item_out[0].length;
  const room = (box) => box.node.clientWidth || width - 16;
  const options = (box) => ({ n, unit, onunit, width: room(box) });
  Object.assign(root.dataset, { click, stage });
  const here = examples.findIndex(([, items]) => same(items.slice(0, 8), clicks));
  view.example.set(here < 0 ? "own" : String(here));
  view.item.select.value = clicks[click - 1];
  view.which.set(unit + 1);
  view.time.allow({ Back: view.place() > 0, Step: view.place() < view.end() });
  view.status.say(words({ shop, clicks, click, stage }, seen));
  view.stages.forEach((part) => part.mark(stage));
  fillSession(view, clicks, click);
  fillLookup(view, seen, stage, room);
  fillUnits(view, seen, stage, options);
  fillScores(view, seen, chosen, done, options);
}

const render = ({ model, el }) => mount({ model, el, fields: ["clicks", "click", "stage"], build, draw });
export default { render };
