// Five losses on the scores of one target and its negatives: value, terms, and the gradient on every score; how that
// fades as negatives are added; and what float32 makes of a cross-entropy that takes the logarithm of a softmax.

// ---- arithmetic: everything that is drawn, and nothing else ---------------------------------------------------------
const COUNTS = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]; // how many negatives can be added
const slope = (x) => sigmoid(x) * sigmoid(-x); // σ′(x)
const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))); // −ln σ(−x), and no exponential overflows
function logSum(values, counts) {
  const most = Math.max(...values);
  return most + Math.log(values.reduce((sum, v, i) => sum + counts[i] * Math.exp(v - most), 0));
}

// target, negatives: scores; `added` more negatives, each with the score `low`; bpreg: λ of BPR-max.
export function compute({ target, negatives, added, low, bpreg }) {
  const own = negatives.map((score) => ({ score, count: 1 }));
  const groups = (count) => (count ? [...own, { score: low, count }] : own);
  const hardest = negatives.indexOf(Math.max(...negatives));
  return {
    ...measure(target, groups(added), bpreg),
    hardest,
    curve: COUNTS.map((count) => {
      const { losses } = measure(target, groups(count), bpreg);
      const pushes = ([name, { gradient }]) => [name, { up: -gradient.target, down: gradient.each[hardest] }];
      return { added: count, ...Object.fromEntries(Object.entries(losses).map(pushes)) };
    }),
    float32: inFloat32(target, groups(added)),
    // the target as far below the best negative as `below` says
    falling: Array.from({ length: 131 }, (_, below) => ({
      below,
      ...inFloat32(negatives[hardest] - below, groups(added)),
    })),
  };
}

// groups: {score, count}, negatives with the same score. The gradient `each` is that on every single one of a group.
function measure(target, groups, bpreg) {
  const scores = groups.map((g) => g.score);
  const counts = groups.map((g) => g.count);
  const n = counts.reduce((a, b) => a + b);
  const all = logSum([target, ...scores], [1, ...counts]);
  const rivals = logSum(scores, counts);
  const pairs = groups.map(({ score, count }) => ({
    score,
    count,
    ahead: sigmoid(score - target),
    slope: slope(score - target), // σ(r_j − r_s) and its slope
    square: sigmoid(score ** 2),
    pull: 2 * score * slope(score ** 2), // σ(r_j²) and its slope
    logWin: -softplus(score - target), // ln σ(r_s − r_j)
    p: Math.exp(score - all),
    w: Math.exp(score - rivals), // softmax with the target, and over the negatives alone
  }));
  const sum = (f) => pairs.reduce((total, pair) => total + pair.count * f(pair), 0);
  const logWins = logSum(
    pairs.map((j) => j.score - rivals + j.logWin),
    counts,
  ); // ln Σ w_j σ(r_s − r_j)
  const squares = sum((j) => j.w * j.score ** 2);
  const top1Max = sum((j) => j.w * (j.ahead + j.square));
  const loss = (value, onTarget, each) => ({
    value,
    gradient: { target: onTarget, each: pairs.map(each), sum: onTarget + sum(each) },
  });
  return {
    target,
    n,
    pairs,
    p: Math.exp(target - all),
    exponentials: Math.exp(all),
    logWins,
    squares,
    bpreg,
    losses: {
      "cross-entropy": loss(all - target, -sum((j) => j.p), (j) => j.p),
      bpr: loss(-sum((j) => j.logWin) / n, -sum((j) => j.ahead) / n, (j) => j.ahead / n),
      top1: loss(sum((j) => j.ahead + j.square) / n, -sum((j) => j.slope) / n, (j) => (j.slope + j.pull) / n),
      "bpr-max": loss(
        -logWins + bpreg * squares,
        -sum((j) => Math.exp(j.score - rivals + j.logWin - logWins) * j.ahead),
        (j) =>
          j.w -
          Math.exp(j.score - rivals + 2 * j.logWin - logWins) +
          bpreg * j.w * (j.score ** 2 - squares + 2 * j.score),
      ),
      "top1-max": loss(
        top1Max,
        -sum((j) => j.w * j.slope),
        (j) => j.w * (j.ahead + j.square - top1Max + j.slope + j.pull),
      ),
    },
  };
}

// Cross-entropy in 32 bits, each operation rounded as torch rounds it: loss and gradient on the target, the latter back
// through the logarithm (−1/p) and then through the softmax.
function inFloat32(target, groups) {
  const round = Math.fround;
  const most = Math.max(target, ...groups.map((g) => g.score));
  const exp = (score) => round(Math.exp(round(score - most)));
  const rest = groups.reduce((total, { score, count }) => round(total + round(count * exp(score))), 0);
  const total = round(exp(target) + rest);
  const p = round(exp(target) / total);
  const logOf = (inside) => {
    const back = round(-1 / inside);
    return { value: round(-Math.log(inside)), gradient: round(round(back - round(back * p)) * p) };
  };
  const all = round(most + round(Math.log(total))); // ln Σ e^r
  return {
    plain: logOf(p),
    guarded: logOf(round(p + 1e-24)),
    stable: { value: round(all - target), gradient: round(round(Math.exp(round(target - all))) - 1) },
  };
}

// ---- words ----------------------------------------------------------------------------------------------------------
const NAMES = {
  "cross-entropy": "Cross-entropy",
  bpr: "BPR",
  top1: "TOP1",
  "bpr-max": "BPR-max",
  "top1-max": "TOP1-max",
};
const compared = (loss) => Object.keys(NAMES).filter((name) => loss.endsWith("max") || !name.endsWith("max"));
function num(x) {
  if (Number.isNaN(x)) return "not a number";
  if (Math.abs(x) === Infinity) return x > 0 ? "∞" : "−∞";
  const size = Math.abs(x);
  return minus(size === 0 ? "0" : size < 0.0005 || size >= 1e5 ? x.toExponential(1).replace("e+", "e") : x.toFixed(3));
}
const signed = (x) => (x > 0 ? `+${num(x)}` : num(x));
// "r_j" and "e^{r}" with small letters below and above.
const math = (text) =>
  text
    .split(/([_^](?:\{[^}]*\}|\w))/)
    .map((part) =>
      /^[_^]./.test(part)
        ? html(part[0] === "_" ? "sub" : "sup", null, math(part.slice(1).replace(/[{}]/g, "")))
        : part,
    );

// The chosen loss, the term and the gradient of the touched score (`at`; −1 is the target): [in symbols, in numbers].
function equation(loss, seen, at) {
  const { target, n, pairs, p, logWins, squares, bpreg } = seen;
  const { value, gradient } = seen.losses[loss];
  const j = pairs[at];
  const s = short(target);
  const r = j && short(j.score);
  const L = num(value);
  const Z = num(seen.exponentials);
  const W = num(Math.exp(logWins));
  const g = signed(j ? gradient.each[at] : gradient.target);
  const less = (a, b) => `${short(a)} ${b < 0 ? "+" : "−"} ${short(Math.abs(b))}`; // a − b
  const each = (f) => pairs.map((pair) => (pair.count > 1 ? `${big(pair.count)} · ` : "") + num(f(pair))).join(" + ");
  const pull = j && j.score ** 2 + 2 * j.score - squares;
  const squared = j && (j.score < 0 ? `(${r})²` : `${r}²`);
  const pair = j && `${num(j.ahead)} + ${num(j.square)}`;
  return {
    "cross-entropy": [
      ["−ln p_s", `−ln ${num(p)} = ${L}`],
      j
        ? ["p_j = e^{r_j} / Σ_k e^{r_k}", `e^{${r}} / ${Z} = ${num(j.p)}`]
        : ["p_s = e^{r_s} / Σ_k e^{r_k}", `e^{${s}} / ${Z} = ${num(p)}`],
      j ? ["p_j", g] : ["p_s − 1", `${num(p)} − 1 = ${g}`],
    ],
    bpr: [
      ["1/N Σ_j −ln σ(r_s − r_j)", `(${each((i) => -i.logWin)}) / ${n} = ${L}`],
      j && ["−ln σ(r_s − r_j)", `−ln σ(${less(target, j.score)}) = ${num(-j.logWin)}`],
      j
        ? ["1/N σ(r_j − r_s)", `${num(j.ahead)} / ${n} = ${g}`]
        : ["−1/N Σ_j σ(r_j − r_s)", `−(${each((i) => i.ahead)}) / ${n} = ${g}`],
    ],
    top1: [
      ["1/N Σ_j [σ(r_j − r_s) + σ(r_j²)]", `(${each((i) => i.ahead + i.square)}) / ${n} = ${L}`],
      j && [
        "σ(r_j − r_s) + σ(r_j²)",
        `σ(${less(j.score, target)}) + σ(${squared}) = ${pair} = ${num(j.ahead + j.square)}`,
      ],
      j
        ? ["1/N [σ′(r_j − r_s) + 2 r_j σ′(r_j²)]", `(${num(j.slope)} + ${num(j.pull)}) / ${n} = ${g}`]
        : ["−1/N Σ_j σ′(r_j − r_s)", `−(${each((i) => i.slope)}) / ${n} = ${g}`],
    ],
    "bpr-max": [
      [
        "−ln W + λ R,  W = Σ_j w_j σ(r_s − r_j),  R = Σ_j w_j r_j²",
        `−ln ${W} + ${short(bpreg)} · ${num(squares)} = ${L}`,
      ],
      j && ["w_j σ(r_s − r_j)", `${num(j.w)} · ${num(Math.exp(j.logWin))} = ${num(j.w * Math.exp(j.logWin))}`],
      j
        ? [
            "w_j [1 − σ(r_s − r_j)² / W + λ (r_j² + 2 r_j − R)]",
            `${num(j.w)} · [1 − ${num(Math.exp(2 * j.logWin - logWins))} + ${short(bpreg)} · (${num(pull)})] = ${g}`,
          ]
        : ["−Σ_j w_j σ′(r_s − r_j) / W", `−(${each((i) => i.w * i.slope)}) / ${W} = ${g}`],
    ],
    "top1-max": [
      ["Σ_j w_j t_j,  t_j = σ(r_j − r_s) + σ(r_j²)", `${each((i) => i.w * (i.ahead + i.square))} = ${L}`],
      j && ["w_j t_j", `${num(j.w)} · (${pair}) = ${num(j.w * (j.ahead + j.square))}`],
      j
        ? [
            "w_j [t_j − L + σ′(r_j − r_s) + 2 r_j σ′(r_j²)]",
            `${num(j.w)} · [${num(j.ahead + j.square)} − ${L} + ${num(j.slope)} + ${num(j.pull)}] = ${g}`,
          ]
        : ["−Σ_j w_j σ′(r_j − r_s)", `−(${each((i) => i.w * i.slope)}) = ${g}`],
    ],
  }[loss];
}

const moved = (g) => (Math.abs(g) < 0.005 ? "hardly at all" : g < 0 ? "up" : "down");
function words(loss, seen, added) {
  const { value, gradient } = seen.losses[loss];
  const hard = gradient.each[seen.hardest];
  const up = `the target ${moved(gradient.target)} (gradient ${signed(gradient.target)})`;
  const down = `negative ${seen.hardest + 1}, the hardest, ${moved(hard)} (${signed(hard)})`;
  const more = added ? `, with ${big(added)} negative${added > 1 ? "s" : ""} added` : "";
  return `${NAMES[loss]} is ${num(value)}. A step of training pushes ${up} and ${down}${more}.`;
}
