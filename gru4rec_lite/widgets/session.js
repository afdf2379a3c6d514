// A visit to a small shop: after each click the state of a trained GRU4Rec, its list, and what moved.

// ---- arithmetic: everything that is drawn, and nothing else ---------------------------------------------------------
// clicks: items, oldest first; memory: "kept" between clicks, or "zero": the state is set to zero before each click.
export function compute({ shop, clicks, memory }) {
  const number = new Map(shop.items.map((item, i) => [item, i]));
  const zero = zeroState(shop);
  const steps = [];
  for (const item of clicks) {
    const before = memory === "kept" && steps.length ? steps.at(-1).after : zero;
    steps.push({ item, ...gru(shop, number.get(item), before) });
  }
  const now = scoreAll(shop, steps.at(-1)?.after ?? zero);
  const then = scoreAll(shop, steps.at(-2)?.after ?? zero);
  const placeThen = new Map(then.order.map((i, place) => [i, place + 1]));
  const list = now.order.map((i, place) => ({
    item: shop.items[i],
    score: now.scores[i],
    probability: now.probabilities[i],
    rank: place + 1,
    rose: clicks.length ? placeThen.get(i) - (place + 1) : 0, // places won by the last click
  }));
  return { steps, hidden: steps.at(-1)?.after ?? zero, was: steps.at(-2)?.after ?? zero, list };
}

// Items that a reader may mean: every word of the query is in the name.
function found(items, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return items.filter((item) => words.every((word) => item.toLowerCase().includes(word)));
}

// ---- words ----------------------------------------------------------------------------------------------------------
const TOP = 10;
const SHELF = 8;
const MOST_CLICKS = 40;
const arrow = (rose) => (rose > 0 ? `▲ ${rose}` : rose < 0 ? `▼ ${-rose}` : "=");
const said = (rose) => (rose ? `${rose > 0 ? "up" : "down"} ${plural(Math.abs(rose), "place")}` : "same place");

function words({ steps, hidden, was, list }, memory) {
  const first = `${list[0].item} is first with ${share(list[0].probability)}`;
  if (!steps.length) return `No click yet: the state is zero, and the biases alone make the list. ${first}.`;
  const change = hidden.map((h, u) => Math.abs(h - was[u]));
  const most = change.indexOf(Math.max(...change));
  const risen = list.slice(0, TOP).reduce((a, b) => (b.rose > a.rose ? b : a));
  const unit = `Unit ${most + 1} of the state changed most, from ${fixed(was[most])} to ${fixed(hidden[most])}.`;
  return [
    `Click ${steps.length}: ${steps.at(-1).item}.`,
    memory === "zero" && "The state was set to zero before it.",
    unit,
    risen.rose > 0 ? `${first}; ${risen.item} rose most in the list, by ${plural(risen.rose, "place")}.` : `${first}.`,
    steps.length >= MOST_CLICKS && `${MOST_CLICKS} clicks are all that fit here.`,
  ]
    .filter(Boolean)
    .join(" ");
}

// ---- drawing --------------------------------------------------------------------------------------------------------
function drawState({ hidden, was, steps }, width) {
  const left = 30;
  const n = hidden.length;
  const size = Math.min(30, (width - left - 6) / n);
  const high = 84;
  const label = `State of ${n} units, from −1 to 1: ${hidden.map((h) => fixed(h)).join(", ")}.`;
  const ends = [
    [1, 2],
    [0, high / 2 + 1],
    [-1, high],
  ];
  const number = (_, u) =>
    (size > 15 || u % 4 === 3) &&
    svg("text", { x: left + (u + 0.5) * size, y: high + 15, class: "g4r-mid g4r-small g4r-quiet" }, String(u + 1));
  return svg(
    "svg",
    { width: Math.ceil(left + n * size + 4), height: high + 24, role: "img", "aria-label": label },
    ends.map(([v, y]) => svg("text", { x: left - 6, y: y + 3, class: "g4r-small g4r-quiet g4r-end" }, fixed(v, 0))),
    bars({ name: "h", values: hidden, was: steps.length > 1 ? was : undefined, n, left, size, y: 3, high }),
    hidden.map(number),
  );
}

function drawHistory(clicks) {
  if (!clicks.length) return [html("li", { class: "g4r-none" }, "no click yet")];
  return clicks.map((item, i) => html("li", { class: i + 1 === clicks.length && "g4r-last", "data-item": item }, item));
}

// What moved in the list slides to its place.
function drawTop({ rows, show }, list, any) {
  const was = new Map(rows.map((row) => [row.node.dataset.item, row.line.offsetTop]));
  list.slice(0, rows.length).forEach(({ item, probability, rank, rose }, i) => {
    const { node, line, moved } = rows[i];
    show(rows[i], rank, item, probability, list[0].probability);
    node.setAttribute("aria-label", `${rank}: ${item}, ${share(probability)}${any ? `, ${said(rose)}` : ""}`);
    moved.textContent = any ? arrow(rose) : "";
    moved.dataset.rose = rose;
    moved.classList.toggle("g4r-rose", rose > 0);
    slideFrom(line, 0, was.has(item) ? was.get(item) - line.offsetTop : 0, 320);
  });
}

function drawCode({ steps, list }, memory, zero) {
  const last = steps.at(-1);
  const some = (v) =>
    `[${v
      .slice(0, 3)
      .map((x) => fixed(x))
      .join(", ")}, …]`;
  const old = last && Math.round((100 * sum(last.old)) / last.old.length);
  const mixed =
    memory === "zero" || steps.length === 1 ? "the old h is zero" : `on average ${old} % old, ${100 - old} % new`;
  const first = `softmax(O h + b) = ${share(list[0].probability)} for ${list[0].item}`;
  return [
    codeLine("x", last ? `E[${last.item}] = ${some(last.x)}` : "none yet", "the clicked item's row", "x"),
    codeLine("h", last ? `GRU(x, h) = ${some(last.after)}` : some(zero), last ? mixed : "all zero", "h", Boolean(last)),
    codeLine("p", first, "every item of the shop scored; the best are listed", "p", true),
  ];
}

// Items to click: those that the search finds, or some from all over the shop.
function drawShelf({ shop, find, shelf, click }) {
  const query = find.input.value;
  const every = Math.max(1, Math.floor(shop.items.length / SHELF));
  const all = query.trim() ? found(shop.items, query) : shop.items.filter((_, i) => i % every === 0);
  const more = all.length > SHELF && query.trim() && html("small", null, `and ${all.length - SHELF} more`);
  shelf.replaceChildren(...all.slice(0, SHELF).map((item) => button(item, () => click(item))), more || "");
}

// ---- the widget -----------------------------------------------------------------------------------------------------
const starts = (script, clicks) => clicks.length <= script.length && clicks.every((item, i) => item === script[i]);

function build(view, model) {
  const shop = model.get("shop");
  const examples = model.get("examples");
  const clicks = () => model.get("clicks");
  const opening = examples.findIndex(([, script]) => starts(script, clicks()));
  view.script = examples[Math.max(0, opening)][1]; // the example that Step and Play follow
  const put = (items) => view.put({ clicks: items });
  const add = (item) => clicks().length < MOST_CLICKS && put([...clicks(), item]);
  const more = () => starts(view.script, clicks()) && clicks().length < view.script.length;
  const next = () => more() && add(view.script[clicks().length]);
  const time = stepper(
    {
      Undo: () => clicks().length && put(clicks().slice(0, -1)),
      Step: next,
      Play(first) {
        if (more()) next();
        else if (first) put(view.script.slice(0, 1)); // at its end, or off its way: the example from its first click
        return more();
      },
      Reset: () => put([]),
    },
    1600,
  );
  const example = presets({
    label: "Example",
    choices: Object.fromEntries(examples.entries()),
    use: time.by((script) => {
      view.script = script;
      put(script);
    }),
    own: time.by(() => {
      view.redraw();
      find.input.focus();
    }),
  });
  const memory = choice({
    label: "State",
    options: [
      ["kept", "kept between clicks"],
      ["zero", "zero before each click"],
    ],
    value: model.get("memory"),
    onchange: (m) => view.put({ memory: m }),
  });
  const find = textField({
    label: "Find an item and click it",
    value: "",
    oninput(text) {
      drawShelf(view);
      return found(shop.items, text).length ? "" : "No item has this in its name.";
    },
  });
  find.input.setAttribute("placeholder", shop.items[0].split("-")[0]);
  const click = time.by(add);
  const top = bestList(Math.min(TOP, shop.items.length), (row) => click(row.dataset.item));
  for (const row of top.rows) row.name.after((row.moved = html("small", { class: "g4r-moved" })));
  const parts = {
    shop,
    examples,
    more,
    click,
    time,
    example,
    memory,
    find,
    top,
    status: statusLine(),
    history: html("ol", { class: "g4r-history" }),
    picture: pictureBox("State"),
    code: termList(),
    shelf: html("div", { class: "g4r-shelf" }),
  };
  drawShelf(parts);
  return { root: layout(parts), ...parts };
}

function layout(its) {
  return group(
    "g4r-tiny g4r-session",
    "A session",
    controls(its.time.node, its.example.node, its.memory.node),
    section(title("The session so far", "oldest click first"), its.history),
    its.status.node,
    columns(
      section(title(`The ${TOP} most likely next clicks`, "press one to click it"), its.top.node),
      html(
        "div",
        null,
        section(
          title("The state h", "all that it remembers"),
          its.picture.node,
          legend(["up", "positive"], ["down", "negative"], ["was", "before the last click"]),
        ),
        section(title("In code"), its.code),
        section(title("The shop", `${its.shop.items.length} items`), its.find.node, its.find.error, its.shelf),
      ),
    ),
  );
}

function draw(view, { clicks, memory }) {
  const { shop, examples, more } = view;
  const seen = compute({ shop, clicks, memory });
  const any = clicks.length > 0;
  const here = examples.findIndex(([, script]) => starts(script, clicks));
  if (here >= 0 && !starts(view.script, clicks)) view.script = examples[here][1];
  const own = !starts(view.script, clicks);
  view.example.set(own ? "own" : String(examples.findIndex(([, script]) => script === view.script)));
  view.memory.select.value = memory;
  view.time.allow({ Undo: any, Step: more(), Reset: any });
  view.history.replaceChildren(...drawHistory(clicks));
  view.status.say(words(seen, memory));
  drawTop(view.top, seen.list, any);
  view.picture.show(drawState(seen, view.picture.node.clientWidth || 340));
  view.code.replaceChildren(...drawCode(seen, memory, zeroState(shop)));
}

const render = ({ model, el }) => mount({ model, el, fields: ["clicks", "memory"], build, draw });
export default { render };
