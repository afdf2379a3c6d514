// Helpers that every widget of the book uses: elements, controls, time. No import and no export here:
// Python puts this text in front of the widget's own file, and the two together are one module.

// ---- elements -------------------------------------------------------------------------------------------------------
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return node;
}
const html = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

let lastId = 0;
// pages may hold many widgets
const newId = (name) => `g4r-${name}-${(lastId += 1)}-${Math.random().toString(36).slice(2, 7)}`;

// What all are laid out of.
const group = (kind, label, ...content) =>
  html("div", { class: `g4r ${kind}`, role: "group", "aria-label": label }, content);
const section = (...content) => html("section", null, content);
const controls = (...content) => html("div", { class: "g4r-controls" }, content);
const columns = (...content) => html("div", { class: "g4r-columns" }, content);
const table = (heads, lines) =>
  html(
    "table",
    { class: "g4r-table" },
    html(
      "thead",
      null,
      html(
        "tr",
        null,
        heads.map((head) => html("th", { scope: "col" }, head)),
      ),
    ),
    html("tbody", null, lines),
  );

// ---- arithmetic -----------------------------------------------------------------------------------------------------
const within = (low, x, high) => Math.min(Math.max(x, low), high);
const sum = (values) => values.reduce((a, b) => a + b, 0);
const sigmoid = (x) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x))); // no exponential overflows

// Random numbers from 0 to 1 that are the same for every reader: mulberry32.
function random(seed) {
  let state = Math.imul(seed, 0x9e3779b9);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

// ---- words and numbers ----------------------------------------------------------------------------------------------
const minus = (text) => text.replaceAll("-", "−");
const fixed = (x, digits = 2) => minus((Number(x.toFixed(digits)) ? x : 0).toFixed(digits)); // 0.00, never −0.00
const short = (x, digits = 2) => minus(String(Number(x.toFixed(digits)))); // 0.5 and not 0.50
const big = (n) => n.toLocaleString("en");
const clip = (text, n) => (text.length > n ? `${text.slice(0, n - 1)}…` : text);
const plural = (n, word, many = `${word}s`) => `${n} ${n === 1 ? word : many}`;
const list = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
const percent = (part, whole) => `${whole ? Math.round((100 * part) / whole) : 0} %`;

// ---- controls -------------------------------------------------------------------------------------------------------
// JupyterLab takes the keys of a focused control for its own shortcuts unless the control itself says no.
const CONTROL = { "data-lm-suppress-shortcuts": "true" };

function button(text, onclick, attributes) {
  return html("button", { type: "button", class: "g4r-button", onclick, ...CONTROL, ...attributes }, text);
}
// A button that cannot act now keeps the focus: `disabled` would throw a keyboard reader out of the widget.
const enable = (control, yes) => control.setAttribute("aria-disabled", String(!yes));

function field(label, control, ...content) {
  control.id = newId("control");
  return html("div", { class: "g4r-field" }, html("label", { for: control.id }, label), content);
}
function slider({ label, min, max, step = 1, value, oninput }) {
  const input = html("input", { type: "range", min, max, step, value, ...CONTROL });
  const output = html("output", { "aria-hidden": "true" }, String(value)); // the slider itself tells its value
  input.addEventListener("input", () => oninput(Number(input.value)));
  // `shown` and `said`: where the number itself is not what it stands for.
  const set = (v, shown = v, said = shown) => {
    if (Number(input.value) !== v) input.value = v;
    output.textContent = shown;
    if (said !== v) input.setAttribute("aria-valuetext", said);
  };
  return { node: field(label, input, html("span", { class: "g4r-slide" }, input, output)), input, set };
}
function choice({ label, options, value, onchange }) {
  const select = html(
    "select",
    CONTROL,
    options.map(([key, text]) => html("option", { value: key }, text)),
  );
  select.value = value;
  select.addEventListener("change", () => onchange(select.value));
  return { node: field(label, select, select), select };
}
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
// A choice among settings that are ready-made. choices: {key: [name, value]}, a function where the value depends on the
// moment; given: the same for what Python gave, which stands first where it is none of them; your own stand last.
// use(value): one was chosen; own(): the reader wants to make one.
function presets({ label, choices, given, use, own }) {
  const valueOf = ([, value]) => (typeof value === "function" ? value() : value);
  const opening = given && Object.keys(choices).find((key) => same(valueOf(choices[key]), given[1]));
  const all = given && !opening ? { given, ...choices } : choices;
  const { node, select } = choice({
    label,
    value: opening ?? Object.keys(all)[0],
    options: [...Object.entries(all).map(([key, [name]]) => [key, name]), ["own", "your own"]],
    onchange(key) {
      if (key === "own") own?.();
      else use(valueOf(all[key]), key);
    },
  });
  const set = (key) => {
    select.value = key;
  };
  return { node, set };
}
function textField({ label, value, oninput }) {
  const error = html("p", { class: "g4r-error", id: newId("error"), "aria-live": "polite" });
  const input = html("input", {
    type: "text",
    value,
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": error.id,
    ...CONTROL,
  });
  const tell = (message) => {
    error.textContent = message;
    input.setAttribute("aria-invalid", String(Boolean(message)));
  };
  input.addEventListener("input", () => tell(oninput(input.value) ?? ""));
  const set = (text) => {
    input.value = text;
    tell("");
  };
  return { node: field(label, input, input), error, input, set };
}

// ---- text -----------------------------------------------------------------------------------------------------------
const title = (text, quiet) => html("p", { class: "g4r-title" }, text, quiet && html("span", null, quiet));
// keys: [kind, text, sign] for each sign of a picture; a kind's look is the widget's own `.g4r-key.g4r-kind`.
const legend = (...keys) =>
  html(
    "p",
    { class: "g4r-legend" },
    keys
      .filter(Boolean)
      .map(([kind, text, sign]) =>
        html("span", null, html("i", { class: `g4r-key g4r-${kind}`, "aria-hidden": "true" }, sign), text),
      ),
  );
const termList = () => html("dl", { class: "g4r-code" });
// A line of a list of terms: the term, what it comes to, why; `on`: the reader's last move touched it.
const codeLine = (term, value, why, key, on) =>
  html(
    "div",
    { class: on && "g4r-on", "data-term": key },
    html("dt", null, term),
    html("dd", null, html("code", { "data-value": key }, value), why && html("small", null, why)),
  );

// The sentence that a screen reader hears. It is not said again while it stays the same, nor while a play runs: nobody
// can listen that fast.
function statusLine() {
  const node = html("p", { class: "g4r-status", role: "status", "aria-live": "polite" });
  const say = (text, playing = false) => {
    node.setAttribute("aria-live", playing ? "off" : "polite");
    if (node.textContent !== text) node.textContent = text;
  };
  return { node, say };
}

// ---- time -----------------------------------------------------------------------------------------------------------
const stillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Play and Pause in one button. `tick(first)` does one step and returns false when nothing is left to play.
function player({ tick, milliseconds = 1100 }) {
  let timer = null;
  const node = button("Play", () => (timer ? stop() : start()), { class: "g4r-button g4r-main" });
  const show = () => {
    node.textContent = timer ? "Pause" : "Play";
  };
  const beat = (first) => {
    if (!tick(first)) stop();
  };
  function start() {
    timer = setInterval(() => beat(false), milliseconds);
    show();
    beat(true);
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    show();
  }
  return { node, stop, playing: () => timer !== null };
}

// A bar of buttons that move time: {name: move} in their order; `Play` is a tick (see player). A move by hand ends the
// play, and so does any other move that goes `by` it.
function stepper(moves, milliseconds) {
  const play = player({ tick: moves.Play, milliseconds });
  function by(move) {
    return (...given) => {
      play.stop();
      return move(...given);
    };
  }
  const buttons = {};
  for (const [name, move] of Object.entries(moves)) {
    buttons[name] = name === "Play" ? play.node : button(name, by(move));
  }
  const allow = (can) => Object.entries(can).forEach(([name, yes]) => enable(buttons[name], yes));
  return { ...play, by, allow, node: html("div", { class: "g4r-buttons" }, Object.values(buttons)) };
}
// The moves of a bar that goes from place to place, from `first` to `end()`; a play that stands at the end begins anew.
function places({ first = 1, at, end, go }) {
  const to = (place) => place >= first && place <= end() && go(place);
  return {
    Back: () => to(at() - 1),
    Step: () => to(at() + 1),
    Play(start) {
      to(start && at() === end() ? first : at() + 1);
      return at() < end();
    },
    Reset: () => to(first),
  };
}

// ---- pictures -------------------------------------------------------------------------------------------------------
// A box that scrolls, by touch and by key, when its picture is wider than the page; `show(picture, focus)` keeps
// x = focus in view.
function pictureBox(name) {
  const node = html("div", { class: "g4r-scroll", ...CONTROL });
  const show = (picture, focus) => {
    node.replaceChildren(picture);
    const wide = node.scrollWidth > node.clientWidth + 1;
    const scrolls = { tabindex: "0", role: "group", "aria-label": `${name}, scrolls sideways` };
    for (const [key, value] of Object.entries(scrolls)) {
      if (wide) node.setAttribute(key, value);
      else node.removeAttribute(key);
    }
    const room = node.clientWidth;
    if (wide && focus !== undefined) node.scrollLeft = focus > 0.8 * room ? focus - 0.6 * room : 0;
  };
  return { node, show };
}
// Slides a mark or a line from where it stood; the reader who wants no motion sees it jump.
function slideFrom(node, dx, dy = 0, duration = 260) {
  if ((!dx && !dy) || stillness()) return;
  const from = { transform: `translate(${dx}px, ${dy}px)` };
  node.animate?.([from, { transform: "none" }], { duration, easing: "ease-out" });
}

// ---- a widget -------------------------------------------------------------------------------------------------------
// Calls `draw` now and whenever the element gets another width; returns a function that ends it.
function onWidth(node, draw) {
  let width = 0;
  const observer = new ResizeObserver(() => {
    const now = Math.floor(node.clientWidth);
    if (now < 100 || now === width) return; // hidden, or in a page that is not laid out yet: no room for any picture
    width = now;
    draw();
  });
  observer.observe(node);
  return () => observer.disconnect();
}

// Puts a widget into its page, and returns a function that takes it out: no listener stays, and no timer.
// build(view, model) makes the elements once, and returns what `view` is to hold besides: `root`, the outermost one;
// `time`, its stepper; and what draw fills. draw(view, state, width) fills it, now and whenever a field of the model or
// the width changes. Both find in view: put(values, touched) writes fields, `touched` is what the last move touched,
// state() reads the fields, redraw() draws without any change of them.
function mount({ model, el, fields, touched, build, draw }) {
  const view = {
    touched,
    state: () => Object.fromEntries(fields.map((name) => [name, model.get(name)])),
    put(values, term) {
      view.touched = term;
      for (const [name, value] of Object.entries(values)) model.set(name, value);
      model.save_changes();
    },
    redraw: () => draw(view, view.state(), view.root.clientWidth || 640),
  };
  Object.assign(view, build(view, model));
  el.append(view.root);
  view.redraw();
  for (const name of fields) model.on(`change:${name}`, view.redraw);
  const still = onWidth(view.root, view.redraw);
  return () => {
    view.time?.stop();
    still();
    for (const name of fields) model.off(`change:${name}`, view.redraw);
  };
}
