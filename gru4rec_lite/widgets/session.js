// A visit to a small shop: after each click the state of a trained GRU4Rec, its list, and what moved.

// ---- arithmetic: everything that is drawn, and nothing else ------------------------------------------------------------
// clicks: items, oldest first; memory: "kept" between clicks, or "zero": the state is set to zero before each click.
export function compute({ shop, clicks, memory }) {
  const number = new Map(shop.items.map((item, i) => [item, i])), zero = zeroState(shop);
  const steps = [];
  for (const item of clicks) {
    const before = memory === "kept" && steps.length ? steps.at(-1).after : zero;
    steps.push({ item, ...gru(shop, number.get(item), before) });
  }
  const now = scoreAll(shop, steps.at(-1)?.after ?? zero), then = scoreAll(shop, steps.at(-2)?.after ?? zero);
  const placeThen = new Map(then.order.map((i, place) => [i, place + 1]));
  const list = now.order.map((i, place) => ({
    item: shop.items[i], score: now.scores[i], probability: now.probabilities[i], rank: place + 1,
    rose: clicks.length ? placeThen.get(i) - (place + 1) : 0, // places won by the last click
  }));
  return { steps, hidden: steps.at(-1)?.after ?? zero, was: steps.at(-2)?.after ?? zero, list };
}

// Items that a reader may mean: every word of the query is in the name.
function found(items, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return items.filter((item) => words.every((word) => item.toLowerCase().includes(word)));
}

// ---- words -------------------------------------------------------------------------------------------------------------
const TOP = 10, SHELF = 8, MOST_CLICKS = 40;
const moved = (rose) => (rose > 0 ? `▲ ${rose}` : rose < 0 ? `▼ ${-rose}` : "=");
const said = (rose) => (rose ? `${rose > 0 ? "up" : "down"} ${plural(Math.abs(rose), "place")}` : "same place");

function words({ steps, hidden, was, list }, memory) {
  if (!steps.length) return `No click yet: the state is zero, and the biases alone make the list. ${list[0].item} is first with ${share(list[0].probability)}.`;
  const change = hidden.map((h, u) => Math.abs(h - was[u])), most = change.indexOf(Math.max(...change));
  const risen = list.slice(0, TOP).reduce((a, b) => (b.rose > a.rose ? b : a));
  return `Click ${steps.length}: ${steps.at(-1).item}. ${memory === "zero" ? "The state was set to zero before it. " : ""}`
    + `Unit ${most + 1} of the state changed most, from ${fixed(was[most])} to ${fixed(hidden[most])}. ${list[0].item} is first with ${share(list[0].probability)}`
    + (risen.rose > 0 ? `; ${risen.item} rose most in the list, by ${plural(risen.rose, "place")}.` : ".");
}

// ---- drawing -----------------------------------------------------------------------------------------------------------
function drawState({ hidden, was, steps }, width) {
  const left = 30, n = hidden.length, size = Math.min(30, (width - left - 6) / n), high = 84;
  const told = hidden.map((h) => fixed(h)).join(", ");
  return svg("svg", { width: Math.ceil(left + n * size + 4), height: high + 24, role: "img", "aria-label": `State of ${n} units, from −1 to 1: ${told}.` },
    [[1, 2], [0, high / 2 + 1], [-1, high]].map(([v, y]) => svg("text", { x: left - 6, y: y + 3, class: "g4r-small g4r-quiet g4r-end" }, fixed(v, 0))),
    bars({ name: "h", values: hidden, was: steps.length > 1 ? was : undefined, n, left, size, y: 3, high }),
    hidden.map((_, u) => (size > 15 || u % 4 === 3) && svg("text", { x: left + (u + 0.5) * size, y: high + 15, class: "g4r-mid g4r-small g4r-quiet" }, String(u + 1))));
}

// ---- the widget --------------------------------------------------------------------------------------------------------
function render({ model, el }) {
  const shop = model.get("shop"), examples = model.get("examples");
  const starts = (script, clicks) => clicks.length <= script.length && clicks.every((item, i) => item === script[i]);
  let chosen = Math.max(0, examples.findIndex(([, script]) => starts(script, model.get("clicks"))));
  const script = () => examples[chosen][1], clicks = () => model.get("clicks");
  const put = (name, value) => setState(model, { [name]: value });
  const click = (item) => { if (clicks().length < MOST_CLICKS) put("clicks", [...clicks(), item]); };
  const more = () => starts(script(), clicks()) && clicks().length < script().length;

  const play = player({ milliseconds: 1600, tick: (first) => {
    if (more()) click(script()[clicks().length]);
    else if (first) put("clicks", script().slice(0, 1)); // at its end, or off its way: the example from its first click
    return more();
  } });
  const by = (move) => () => { play.stop(); move(); };
  const undo = button("Undo", by(() => clicks().length && put("clicks", clicks().slice(0, -1))));
  const step = button("Step", by(() => more() && click(script()[clicks().length])));
  const reset = button("Reset", by(() => put("clicks", [])));
  const example = choice({
    label: "Example", value: "own", options: [...examples.map(([name], i) => [String(i), name]), ["own", "your own"]],
    onchange: (key) => { play.stop(); if (key === "own") { draw(); find.input.focus(); } else { chosen = Number(key); put("clicks", script()); } },
  });
  const memory = choice({
    label: "State", options: [["kept", "kept between clicks"], ["zero", "zero before each click"]], value: model.get("memory"),
    onchange: (m) => put("memory", m),
  });
  const find = textField({ label: "Find an item and click it", value: "", oninput: () => { drawShelf(); return found(shop.items, find.input.value).length ? "" : "No item has this in its name."; } });
  find.input.setAttribute("placeholder", shop.items[0].split("-")[0]);

  const status = statusLine();
  const shelf = html("div", { class: "g4r-shelf" }), history = html("ol", { class: "g4r-history" });
  const top = html("ol", { class: "g4r-top" }), picture = pictureBox("State"), code = html("dl", { class: "g4r-code" });
  const root = html("div", { class: "g4r g4r-tiny g4r-session", role: "group", "aria-label": "A session" },
    html("div", { class: "g4r-controls" },
      html("div", { class: "g4r-buttons" }, undo, step, play.node, reset), example.node, memory.node),
    html("section", null, title("The session so far", "oldest click first"), history),
    status.node,
    html("div", { class: "g4r-columns" },
      html("section", null, title(`The ${TOP} most likely next clicks`, "press one to click it"), top),
      html("div", null,
        html("section", null, title("The state h", "all that it remembers"), picture.node,
          legend(["up", "positive"], ["down", "negative"], ["was", "before the last click"])),
        html("section", null, title("In code"), code),
        html("section", null, title("The shop", `${shop.items.length} items`), find.node, find.error, shelf))));

  function drawShelf() {
    const query = find.input.value, every = Math.max(1, Math.floor(shop.items.length / SHELF));
    const all = query.trim() ? found(shop.items, query) : shop.items.filter((_, i) => i % every === 0);
    shelf.replaceChildren(...all.slice(0, SHELF).map((item) => button(item, by(() => click(item)))),
      all.length > SHELF && query.trim() ? html("small", null, `and ${all.length - SHELF} more`) : "");
  }
  // The rows are kept, so that a pressed one keeps the focus; what moved slides to its place.
  const rows = Array.from({ length: Math.min(TOP, shop.items.length) }, () => {
    const parts = { rank: html("b"), move: html("small", { class: "g4r-moved" }), name: html("span"), bar: html("i", { "aria-hidden": "true" }), p: html("em") };
    const node = button("", by(() => click(node.dataset.item)), { class: "g4r-row" });
    node.append(parts.rank, parts.name, parts.move, parts.bar, parts.p);
    return { ...parts, node, line: html("li", null, node) };
  });
  top.append(...rows.map((row) => row.line));
  function drawTop(list, any) {
    const was = new Map(rows.map((row) => [row.node.dataset.item, row.line.offsetTop]));
    list.slice(0, rows.length).forEach(({ item, probability, rank, rose }, i) => {
      const { node, line, ...row } = rows[i];
      node.dataset.item = item;
      node.setAttribute("aria-label", `${rank}: ${item}, ${share(probability)}${any ? `, ${said(rose)}` : ""}`);
      row.rank.textContent = rank; row.name.textContent = row.name.title = item;
      row.move.textContent = any ? moved(rose) : ""; row.move.dataset.rose = rose; row.move.className = rose > 0 ? "g4r-moved g4r-rose" : "g4r-moved";
      row.p.textContent = share(probability);
      row.bar.style.setProperty("--share", `${(100 * probability) / list[0].probability}%`);
      const dy = was.has(item) ? was.get(item) - line.offsetTop : 0;
      if (dy && !stillness()) line.animate?.([{ transform: `translateY(${dy}px)` }, { transform: "none" }], { duration: 320, easing: "ease-out" });
    });
  }
  function drawCode({ steps, list }, memory) {
    const last = steps.at(-1), some = (v) => `[${v.slice(0, 3).map((x) => fixed(x)).join(", ")}, …]`;
    const old = last && Math.round((100 * sum(last.old)) / last.old.length);
    const mixed = memory === "zero" || steps.length === 1 ? "the old h is zero" : `on average ${old} % old, ${100 - old} % new`;
    return [
      codeLine("x", last ? `E[${last.item}] = ${some(last.x)}` : "none yet", "the clicked item's row", "x"),
      codeLine("h", last ? `GRU(x, h) = ${some(last.after)}` : `${some(zeroState(shop))}`, last ? mixed : "all zero", "h", Boolean(last)),
      codeLine("p", `softmax(O h + b) = ${share(list[0].probability)} for ${list[0].item}`, "every item of the shop scored; the best are listed", "p", true),
    ];
  }

  function draw() {
    const state = { shop, clicks: clicks(), memory: model.get("memory") }, seen = compute(state), any = state.clicks.length > 0;
    const here = examples.findIndex(([, s]) => starts(s, state.clicks));
    if (here >= 0 && !starts(script(), state.clicks)) chosen = here;
    example.select.value = starts(script(), state.clicks) ? String(chosen) : "own";
    memory.select.value = state.memory;
    enable(undo, any); enable(reset, any); enable(step, more());
    history.replaceChildren(...(any ? state.clicks.map((item, i) => html("li", { class: i + 1 === state.clicks.length && "g4r-last", "data-item": item }, item)) : [html("li", { class: "g4r-none" }, "no click yet")]));
    const text = words(seen, state.memory) + (state.clicks.length >= MOST_CLICKS ? ` ${MOST_CLICKS} clicks are all that fit here.` : "");
    status.say(text);
    drawTop(seen.list, any);
    picture.show(drawState(seen, picture.node.clientWidth || 340));
    code.replaceChildren(...drawCode(seen, state.memory));
  }

  el.append(root);
  drawShelf();
  draw();
  const ends = [onChange(model, ["clicks", "memory"], draw), onWidth(root, draw)];
  return () => { play.stop(); ends.forEach((end) => end()); };
}

export default { render };
