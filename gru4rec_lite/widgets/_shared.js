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

// ---- words ---------------------------------------------------------------------------------------------------------
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
  return { node, stop };
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
