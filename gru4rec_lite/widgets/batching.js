// Session-parallel mini-batches: B lanes, each playing one session after another, beside the padded batches of the same
// sessions.

// ---- arithmetic: everything that is drawn, and nothing else ---------------------------------------------------------
// sessions: lists of items; batch_size: lanes B. A row of a step is one lane that plays; `lanes` is its place in the
// step before.
export function compute({ sessions, batch_size }) {
  const playable = sessions.map((_, s) => s).filter((s) => sessions[s].length >= 2); // one click has no next click
  const waiting = playable.slice(batch_size);
  let rows = playable.slice(0, batch_size).map((session, lane) => ({ lane, session, position: 0, before: lane }));
  const steps = [];
  while (rows.length) {
    steps.push({
      rows,
      inputs: rows.map((r) => sessions[r.session][r.position]),
      targets: rows.map((r) => sessions[r.session][r.position + 1]),
      resets: rows.map((r) => r.position === 0),
      lanes: rows.map((r) => r.before),
    });
    rows = rows.flatMap(({ lane, session, position }, before) => {
      if (position + 2 < sessions[session].length) return [{ lane, session, position: position + 1, before }];
      if (waiting.length) return [{ lane, session: waiting.shift(), position: 0, before }];
      return []; // no session is left for this lane: the batch shrinks
    });
  }

  const batches = []; // padding: B sessions at a time, each as long as the longest of them
  for (let i = 0, first = 0; i < playable.length; i += batch_size) {
    const members = playable.slice(i, i + batch_size);
    const width = Math.max(...members.map((s) => sessions[s].length - 1));
    batches.push({ first, width, sessions: members });
    first += width;
  }
  const offsets = sessions.reduce((all, s) => [...all, all.at(-1) + s.length], [0]);
  const pairs = playable.reduce((sum, s) => sum + sessions[s].length - 1, 0);
  const parallelWidths = steps.map((s) => s.rows.length);
  const paddedWidths = batches.flatMap((b) => Array(b.width).fill(b.sessions.length));
  const paddedUsed = batches.flatMap((b) =>
    Array.from({ length: b.width }, (_, i) => b.sessions.filter((s) => i + 1 < sessions[s].length).length),
  );
  return {
    steps,
    batches,
    offsets,
    pairs,
    parallel: cost(parallelWidths, parallelWidths, batch_size),
    padded: cost(paddedWidths, paddedUsed, batch_size),
  };
}

// widths: rows computed in each step; used: those that hold a pair of clicks. Rows missing from a narrow step are not
// computed.
function cost(widths, used, batch_size) {
  const cells = sum(widths);
  const wasted = cells - sum(used);
  let total = 0;
  return {
    steps: widths.length,
    widths,
    cells,
    wasted,
    wasted_share: cells ? wasted / cells : 0,
    missing: widths.length * batch_size - cells,
    learned: used.map((n) => (total += n)),
  };
}

// ---- sessions that the reader makes ---------------------------------------------------------------------------------
const MOST_SESSIONS = 12;
const MOST_CLICKS = 16;
const letter = (s) => String.fromCharCode(65 + s);
const lettered = (lengths) => lengths.map((n, s) => Array.from({ length: n }, (_, i) => `${letter(s)}${i + 1}`));
const sized = (name, ...lengths) => [name, lettered(lengths)];
const PRESETS = {
  mixed: sized("mixed", 4, 3, 6, 2, 5, 2, 3),
  even: sized("all equal", 4, 4, 4, 4, 4, 4),
  long: sized("one very long", 3, 2, 12, 2, 3, 2, 4),
  single: sized("single clicks", 3, 1, 4, 1, 2, 5),
};
const lengthsOf = (sessions) => sessions.map((s) => s.length).join(" ");

function readLengths(text) {
  const words = text.split(/[\s,;]+/).filter(Boolean);
  if (!words.length) return { message: "Write how many clicks each session has, such as 4 2 6 3 5." };
  const wrong = words.find((w) => !/^\d+$/.test(w) || Number(w) < 1 || Number(w) > MOST_CLICKS);
  if (wrong) return { message: `“${wrong}” is not a number of clicks: use whole numbers from 1 to ${MOST_CLICKS}.` };
  if (words.length > MOST_SESSIONS)
    return { message: `${words.length} sessions do not fit: use at most ${MOST_SESSIONS}.` };
  const lengths = words.map(Number);
  if (Math.max(...lengths) < 2)
    return { message: "At least one session needs 2 clicks: one click has no next click to predict." };
  return { lengths };
}

// ---- drawing --------------------------------------------------------------------------------------------------------
const chip = (kind, text) => html("span", { class: `g4r-chip g4r-${kind}`, title: text }, text);
const knows = (seen) => (seen.length < 3 ? seen.join(", ") : `${seen[0]} … ${seen.at(-1)}`);
const longest = (sessions) => Math.max(...sessions.map((s) => s.length));
// The room that the queue needs: the letters and states on its left, and boxes as wide as the longest label.
const QUEUE_LEFT = 82;
const boxWidth = (sessions) => 12 + 7.6 * Math.max(...sessions.flat().map((item) => Math.min(String(item).length, 9)));

// The sessions: what is used, what this step reads, what it must predict, what waits.
function drawQueue(sessions, plan, t, width) {
  const now = new Map(plan.steps[t].rows.map((r) => [r.session, r]));
  const begun = new Set(plan.steps.slice(0, t + 1).flatMap((s) => s.rows.map((r) => r.session)));
  const left = QUEUE_LEFT;
  const row = 30;
  const box = Math.max(boxWidth(sessions), Math.min(40, (width - left) / longest(sessions)));
  const told = [];
  const rows = sessions.map((clicks, s) => {
    const r = now.get(s);
    const y = s * row;
    const middle = y + row / 2 + 0.5;
    const state = r ? `lane ${r.lane + 1}` : clicks.length < 2 ? "skipped" : begun.has(s) ? "done" : "waits";
    told.push(`${letter(s)}, ${plural(clicks.length, "click")}, ${state}${r ? ` at click ${r.position + 1}` : ""}`);
    const kindOf = (i) => {
      if (!r) return { done: "used", skipped: "skipped" }[state] ?? "rest";
      return i < r.position ? "used" : (["input", "target"][i - r.position] ?? "rest");
    };
    return svg(
      "g",
      { "data-session": letter(s), "data-state": state },
      svg("text", { x: 2, y: middle, class: "g4r-strong" }, letter(s)),
      svg("text", { x: 22, y: middle, class: r ? "g4r-strong" : "g4r-quiet" }, state),
      clicks.map((item, i) => {
        const text = String(item);
        const x = left + i * box + 1.5;
        return svg(
          "g",
          { class: `g4r-box g4r-${kindOf(i)}`, "data-kind": kindOf(i) },
          svg("title", null, text),
          svg("rect", { x, y: y + 3, width: box - 4, height: row - 6, rx: 4 }),
          svg("text", { x: x + box / 2 - 2, y: middle, class: "g4r-mid" }, clip(text, 9)),
        );
      }),
    );
  });
  return svg(
    "svg",
    {
      width: Math.ceil(left + box * longest(sessions)),
      height: row * sessions.length,
      role: "img",
      "aria-label": `Sessions in order. ${told.join("; ")}.`,
    },
    rows,
  );
}

// Lanes (down) against steps (across). cells: {row, column, session, position, pad}; widths: rows of each step; bounds:
// where batches begin.
const TOP = 20;
const HIGH = 26;
function drawGrid({ cells, widths, lanes, t, left, size, bounds = [], label, was }) {
  const gap = size < 34 ? 2 : 3;
  const bar = gap + 1; // on a phone the boxes stand closer
  const x = (c) => left + c * size;
  const y = (r) => TOP + r * HIGH;
  const low = y(lanes);
  const numbers = widths.map(
    (_, c) =>
      (c === t || size >= 24 || (c + 1) % 5 === 0) &&
      svg(
        "text",
        { x: x(c + 0.5), y: 9, class: `g4r-mid g4r-small ${c === t ? "g4r-now" : "g4r-quiet"}` },
        String(c + 1),
      ),
  );
  const names = Array.from({ length: lanes }, (_, r) =>
    svg("text", { x: 2, y: y(r + 0.5), class: "g4r-quiet" }, left > 40 ? `lane ${r + 1}` : String(r + 1)),
  );
  if (left <= 40) names.push(svg("text", { x: 2, y: 9, class: "g4r-small g4r-quiet" }, "lane"));
  const taken = new Set(cells.map((cell) => `${cell.row},${cell.column}`));
  const absent = widths.flatMap((_, c) =>
    Array.from(
      { length: lanes },
      (_, r) =>
        !taken.has(`${r},${c}`) && svg("circle", { cx: x(c + 0.5), cy: y(r + 0.5), r: 1.5, class: "g4r-absent" }),
    ),
  );
  const boxes = cells.map(({ row, column, session, position, pad }) => {
    const when = pad ? "pad" : column < t ? "used" : column === t ? "input" : "rest";
    const start = position === 0;
    const cx = x(column + 0.5);
    const cy = y(row + 0.5);
    return svg(
      "g",
      { class: `g4r-box g4r-${when}`, "data-kind": pad ? "pad" : "pair", "data-column": column + 1 },
      !pad && !start && svg("line", { x1: x(column) - gap, x2: x(column) + gap, y1: cy, y2: cy, class: "g4r-link" }),
      svg("rect", { x: x(column) + gap, y: y(row) + 2, width: size - 2 * gap, height: HIGH - 4, rx: 3 }),
      pad
        ? svg("path", { d: `M${cx - 4} ${cy - 4}l8 8m0 -8l-8 8` })
        : svg(
            "text",
            { x: cx + (start ? bar / 2 : 0), y: cy + 0.5, class: "g4r-mid g4r-small" },
            `${letter(session)}${position + 1}`,
          ),
      start && svg("rect", { x: x(column) + gap, y: y(row) + 2, width: bar, height: HIGH - 4, class: "g4r-start" }),
    );
  });
  const walls = bounds.map((c) => svg("line", { x1: x(c), x2: x(c), y1: TOP - 6, y2: low + 3, class: "g4r-bound" }));
  const marker =
    t < widths.length &&
    svg("rect", { x: x(t), y: TOP - 1, width: size, height: low - TOP + 2, rx: 5, class: "g4r-column" });
  if (marker) slideFrom(marker, (was - t) * size);
  return svg(
    "svg",
    { width: Math.ceil(x(widths.length) + 2), height: low + 4, role: "img", "aria-label": label },
    numbers,
    names,
    absent,
    boxes,
    walls,
    marker,
  );
}

function costLine(name, { steps, cells, wasted, missing, learned }, t) {
  const value = (key, content) => html("b", { "data-value": `${name}-${key}` }, String(content));
  const phrases = [
    [value("steps", steps), steps === 1 ? " step," : " steps,"],
    [value("cells", cells), " cells computed,"],
    [value("wasted", wasted), " wasted (", value("share", percent(wasted, cells)), "),"],
    [value("missing", missing), " left out."],
    [`After step ${t + 1}: `, value("learned", learned[Math.min(t, steps - 1)]), " predictions."],
  ];
  return phrases.flatMap((phrase) => [html("span", { class: "g4r-nobreak" }, phrase), " "]);
}

function words(plan, t, lanes) {
  const { rows, resets } = plan.steps[t];
  const before = t ? plan.steps[t - 1].rows : [];
  const alone = rows.length === 1;
  const gone = before.filter((r) => !rows.some((now) => now.lane === r.lane)).map((r) => r.lane + 1);
  const said = [`Step ${t + 1} of ${plan.steps.length}.`];
  if (t === 0) {
    said.push(
      alone
        ? "One lane starts a session with a zero state."
        : `${rows.length} lanes start a session, each with a zero state.`,
    );
    if (rows.length < lanes) said.push(`There is no session for ${lanes - rows.length} more.`);
  } else {
    const starting = rows.filter((_, i) => resets[i]);
    said.push(
      ...starting.map((r) => `Lane ${r.lane + 1} starts session ${letter(r.session)}: its state is set to zero.`),
    );
    if (gone.length)
      said.push(`No session is left for lane ${list(gone)}: the batch shrinks to ${plural(rows.length, "row")}.`);
    if (!gone.length && !starting.length)
      said.push(alone ? "The lane goes on with its state." : "Every lane goes on with its state.");
  }
  if (t + 1 === plan.steps.length) said.push("The last step: every pair of neighbouring clicks has been used once.");
  return said.join(" ");
}

function drawTable(sessions, { rows, inputs, targets, resets }, t, lanes) {
  const state = (reset, known) => [
    reset ? chip("zero", "0") : chip("carry", `h from step ${t}`),
    " ",
    html("small", null, reset ? "knows nothing" : `knows ${knows(known)}`),
  ];
  const lines = Array.from({ length: lanes }, (_, lane) => {
    const i = rows.findIndex((r) => r.lane === lane);
    const head = html("th", { scope: "row" }, String(lane + 1));
    if (i < 0)
      return html(
        "tr",
        { class: "g4r-gone", "data-lane": lane + 1 },
        head,
        html("td", { colspan: 4 }, "no session is left: no row"),
      );
    const { session, position } = rows[i];
    const pair = [chip("input", String(inputs[i])), " → ", chip("target", String(targets[i]))];
    return html(
      "tr",
      { "data-lane": lane + 1 },
      head,
      html("td", { "data-value": "session" }, letter(session)),
      html("td", null, html("span", { class: "g4r-pair" }, pair)),
      html("td", { "data-value": "reset", class: resets[i] && "g4r-strong" }, resets[i] ? "yes" : "no"),
      html("td", { "data-value": "state" }, state(resets[i], sessions[session].slice(0, position))),
    );
  });
  return table(["Lane", "Session", "Input → target", "Reset", "State handed in"], lines);
}

function drawCode(plan, t, batch_size, touched) {
  const step = plan.steps[t];
  const array = (values) => `[${values.join(", ")}]`;
  const shrinks = t > 0 && step.rows.length < plan.steps[t - 1].rows.length;
  const flags = array(step.resets.map((flag) => (flag ? "True" : "False")));
  return [
    ["offsets", array(plan.offsets), "where each session begins in the flat list of clicks", touched === "offsets"],
    ["batch_size", batch_size, "lanes: at most so many rows in a step", touched === "batch_size"],
    ["inputs", array(step.inputs), "session[position] of every lane", touched === "step"],
    ["targets", array(step.targets), "session[position + 1]", touched === "step"],
    ["resets", flags, "position == 0: the row's state becomes zero", step.resets.some(Boolean)],
    ["lanes", array(step.lanes), "state = state[lanes]: each row's place in the step before, from 0", shrinks],
  ].map(([term, value, why, on]) => codeLine(term, String(value), why, term, on));
}

// Both pictures of the lanes on one scale, and what each costs. was: the step that was shown before.
function drawLanes({ grids, costs }, plan, { batch_size, sessions }, t, was, width) {
  const left = width < 480 ? 32 : 52; // room for the lanes' names
  const most = Math.max(plan.parallel.steps, plan.padded.steps);
  const size = Math.max(longest(sessions) > 10 ? 33 : 25, Math.min(46, (width - left - 4) / most));
  const padded = ({ first, width, sessions: members }) =>
    members.flatMap((session, row) =>
      Array.from({ length: width }, (_, position) => ({
        row,
        column: first + position,
        session,
        position,
        pad: position + 1 >= sessions[session].length,
      })),
    );
  const cells = {
    parallel: plan.steps.flatMap((step, column) => step.rows.map((r) => ({ ...r, row: r.lane, column }))),
    padded: plan.batches.flatMap(padded),
  };
  for (const [name, text] of Object.entries({ parallel: "Session-parallel", padded: "Padding" })) {
    const { steps, cells: n, wasted, widths } = plan[name];
    const says = `${plural(steps, "step")}, ${n} cells computed, ${wasted} of them wasted`;
    const label = `${text}: ${says}. Step ${t + 1} is marked.`;
    const bounds = name === "padded" ? plan.batches.slice(1).map((b) => b.first) : [];
    const grid = { cells: cells[name], widths, lanes: batch_size, t, left, size, bounds, label, was };
    grids[name].show(drawGrid(grid), left + t * size);
    costs[name].replaceChildren(...costLine(name, plan[name], t));
  }
}

// ---- the widget -----------------------------------------------------------------------------------------------------
// The step that is shown, from 1: a step beyond the last one shows the last one.
const shown = (plan, step) => within(1, step, plan.steps.length);

function build(view, model) {
  const given = model.get("sessions");
  const time = stepper(
    places({
      at: () => shown(view.plan, model.get("step")),
      end: () => view.plan.steps.length,
      go: (step) => view.put({ step }, "step"),
    }),
  );
  const lanes = slider({
    label: "Lanes B",
    min: 1,
    max: 6,
    value: model.get("batch_size"),
    oninput: (b) => view.put({ batch_size: b }, "batch_size"),
  });
  const example = presets({
    label: "Example",
    choices: PRESETS,
    given: ["from Python", given],
    own: () => lengths.input.focus(),
    use(sessions) {
      view.put({ sessions }, "offsets");
      lengths.set(lengthsOf(sessions));
    },
  });
  const lengths = textField({
    label: "Session lengths",
    value: lengthsOf(given),
    oninput(text) {
      const read = readLengths(text);
      if (read.message) return read.message;
      example.set("own");
      view.put({ sessions: lettered(read.lengths) }, "offsets");
    },
  });
  const cost = () => html("p", { class: "g4r-cost" });
  const parts = {
    status: statusLine(),
    queue: pictureBox("Sessions"),
    rows: pictureBox("Mini-batch"),
    rowsTitle: title(""),
    code: termList(),
    grids: { parallel: pictureBox("Session-parallel"), padded: pictureBox("Padding") },
    costs: { parallel: cost(), padded: cost() },
  };
  const { status, queue, rows, rowsTitle, code, grids, costs } = parts;
  const root = group(
    "g4r-batching",
    "Session-parallel mini-batches",
    controls(time.node, lanes.node, example.node, lengths.node),
    lengths.error,
    status.node,
    columns(
      section(
        title("Sessions", "in order of their start"),
        queue.node,
        legend(["used", "used"], ["input", "input"], ["target", "target"], ["rest", "waits"]),
      ),
      section(rowsTitle, rows.node),
    ),
    section(
      title("Session-parallel", "a lane that is free takes the next session"),
      grids.parallel.node,
      costs.parallel,
    ),
    section(
      title("Padding", "a session a lane, each as long as the longest of them"),
      grids.padded.node,
      costs.padded,
      legend(
        ["bar", "state set to zero"],
        ["chain", "state handed on", "–"],
        ["pad", "padding: computed for nothing", "×"],
        ["dot", "left out: not computed", "·"],
      ),
    ),
    section(title("The same step in code"), code),
  );
  return { root, time, lanes, ...parts };
}

function draw(view, state, width) {
  const { sessions, batch_size } = state;
  const plan = (view.plan = compute(state));
  const t = shown(plan, state.step) - 1;
  const roomy = QUEUE_LEFT + boxWidth(sessions) * longest(sessions) < 0.43 * width;
  view.root.classList.toggle("g4r-long", !roomy); // then the mini-batch stands below the sessions
  Object.assign(view.root.dataset, { step: t + 1, steps: plan.steps.length });
  view.lanes.set(batch_size);
  view.time.allow({ Back: t > 0, Step: t + 1 < plan.steps.length });
  view.status.say(words(plan, t, batch_size));
  const furthest = Math.max(...plan.steps[t].rows.map((r) => r.position + 1));
  const queue = drawQueue(sessions, plan, t, view.queue.node.clientWidth || width);
  view.queue.show(queue, QUEUE_LEFT + furthest * boxWidth(sessions));
  view.rowsTitle.textContent = `The mini-batch of step ${t + 1}`;
  view.rows.show(drawTable(sessions, plan.steps[t], t, batch_size));
  view.code.replaceChildren(...drawCode(plan, t, batch_size, view.touched));
  drawLanes(view, plan, state, t, view.was ?? t, width);
  view.was = t;
}

const FIELDS = ["sessions", "batch_size", "step"];
const render = ({ model, el }) => mount({ model, el, fields: FIELDS, touched: "step", build, draw });
export default { render };
