// Helpers that every widget of the book uses: elements, controls, time. No import and no export here:
// Python puts this text in front of the widget's own file, and the two together are one module.

// ---- elements ------------------------------------------------------------------------------------------------------
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
const newId = (name) => `g4r-${name}-${(lastId += 1)}-${Math.random().toString(36).slice(2, 7)}`; // pages may hold many widgets

// ---- arithmetic ----------------------------------------------------------------------------------------------------
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

// ---- words and numbers ---------------------------------------------------------------------------------------------
const minus = (text) => text.replaceAll("-", "−");
const fixed = (x, digits = 2) => minus((Number(x.toFixed(digits)) ? x : 0).toFixed(digits)); // 0.00, never −0.00
const short = (x, digits = 2) => minus(String(Number(x.toFixed(digits)))); // 0.5 and not 0.50
const big = (n) => n.toLocaleString("en");
const clip = (text, n) => (text.length > n ? `${text.slice(0, n - 1)}…` : text);
const plural = (n, word, many = `${word}s`) => `${n} ${n === 1 ? word : many}`;
const list = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);
const percent = (part, whole) => `${whole ? Math.round((100 * part) / whole) : 0} %`;

// ---- controls ------------------------------------------------------------------------------------------------------
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
  const set = (v) => { if (Number(input.value) !== v) input.value = v; output.textContent = v; };
  return { node: field(label, input, html("span", { class: "g4r-slide" }, input, output)), input, set };
}
function choice({ label, options, value, onchange }) {
  const select = html("select", CONTROL, options.map(([key, text]) => html("option", { value: key }, text)));
  select.value = value;
  select.addEventListener("change", () => onchange(select.value));
  return { node: field(label, select, select), select };
}
function textField({ label, value, oninput }) {
  const error = html("p", { class: "g4r-error", id: newId("error"), "aria-live": "polite" });
  const input = html("input", {
    type: "text", value, autocomplete: "off", spellcheck: "false", "aria-describedby": error.id, ...CONTROL,
  });
  const tell = (message) => { error.textContent = message; input.setAttribute("aria-invalid", String(Boolean(message))); };
  input.addEventListener("input", () => tell(oninput(input.value) ?? ""));
  return { node: field(label, input, input), error, input, set: (text) => { input.value = text; tell(""); } };
}

// ---- text ----------------------------------------------------------------------------------------------------------
const title = (text, quiet) => html("p", { class: "g4r-title" }, text, quiet && html("span", null, quiet));
// keys: [kind, text, sign] for each sign of a picture; a kind's look is the widget's own `.g4r-key.g4r-kind`.
const legend = (...keys) => html("p", { class: "g4r-legend" }, keys.filter(Boolean).map(([kind, text, sign]) =>
  html("span", null, html("i", { class: `g4r-key g4r-${kind}`, "aria-hidden": "true" }, sign), text)));
// A line of a list of terms: the term, what it comes to, why; `on`: the reader's last move touched it.
const codeLine = (term, value, why, key, on) => html("div", { class: on && "g4r-on", "data-term": key },
  html("dt", null, term), html("dd", null, html("code", { "data-value": key }, value), why && html("small", null, why)));

// The sentence that a screen reader hears. It is not said again while it stays the same, nor while a play runs: nobody can listen that fast.
function statusLine() {
  const node = html("p", { class: "g4r-status", role: "status", "aria-live": "polite" });
  const say = (text, playing = false) => {
    node.setAttribute("aria-live", playing ? "off" : "polite");
    if (node.textContent !== text) node.textContent = text;
  };
  return { node, say };
}

// ---- the model -----------------------------------------------------------------------------------------------------
const stateOf = (model, names) => Object.fromEntries(names.map((name) => [name, model.get(name)]));
function setState(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}

// ---- time ----------------------------------------------------------------------------------------------------------
const stillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Play and Pause in one button. `tick(first)` does one step and returns false when nothing is left to play.
function player({ tick, milliseconds = 1100 }) {
  let timer = null;
  const node = button("Play", () => (timer ? stop() : start()), { class: "g4r-button g4r-main" });
  const show = () => { node.textContent = timer ? "Pause" : "Play"; };
  const beat = (first) => { if (!tick(first)) stop(); };
  function start() { timer = setInterval(() => beat(false), milliseconds); show(); beat(true); }
  function stop() { clearInterval(timer); timer = null; show(); }
  return { node, stop, playing: () => timer !== null };
}

// Calls `draw(width)` now and whenever the element gets another width; returns a function that ends it.
function onWidth(node, draw) {
  let width = 0;
  const observer = new ResizeObserver(() => {
    const now = Math.floor(node.clientWidth);
    if (now && now !== width) draw((width = now));
  });
  observer.observe(node);
  return () => observer.disconnect();
}
// Calls `draw` on a change of any of these; returns a function that ends it.
function onChange(model, names, draw) {
  for (const name of names) model.on(`change:${name}`, draw);
  return () => { for (const name of names) model.off(`change:${name}`, draw); };
}

// ---- pictures ------------------------------------------------------------------------------------------------------
// A box that scrolls, by touch and by key, when its picture is wider than the page; `show(picture, focus)` keeps x = focus in view.
function pictureBox(name) {
  const node = html("div", { class: "g4r-scroll", ...CONTROL });
  const show = (picture, focus) => {
    node.replaceChildren(picture);
    const wide = node.scrollWidth > node.clientWidth + 1;
    for (const [key, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", `${name}, scrolls sideways`]]) {
      if (wide) node.setAttribute(key, value); else node.removeAttribute(key);
    }
    if (wide && focus !== undefined) node.scrollLeft = focus > 0.8 * node.clientWidth ? focus - 0.6 * node.clientWidth : 0;
  };
  return { node, show };
}
// Slides a mark from where it stood; the reader who wants no motion sees it jump.
function slideFrom(dx, node) {
  if (dx && !stillness()) node.animate?.([{ transform: `translateX(${dx}px)` }, { transform: "none" }], { duration: 260, easing: "ease-out" });
}
