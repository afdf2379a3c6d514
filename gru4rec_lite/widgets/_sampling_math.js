// A step's candidates: the lanes' own targets and extra samples; positives, negatives, accidental hits; how often each
// item comes; what it costs.

// ---- arithmetic: everything that is drawn, and nothing else ---------------------------------------------------------
const UNITS = 100;
const USUAL = { lanes: 32, samples: 2048 }; // the package's default network

// support: [item, clicks] pairs; draw: steps drawn so far; lane, column: the chosen cell, from 1; n_items: catalogue N
// of the cost.
// Items are known by their place in support.
export function compute({ support, batch_size, n_samples, alpha, logq, draw, lane, column, n_items }) {
  const clicks = support.map(([, n]) => n);
  const weight = clicks.map((n) => (n > 0 ? n ** alpha : 0)); // 0^0 would be 1
  const popularity = shares(clicks);
  const probability = shares(weight);
  const q = clicks.map((_, j) => (batch_size - 1) * popularity[j] + n_samples * probability[j]);
  const own = Math.min(lane, batch_size) - 1;
  const at = Math.min(column, batch_size + n_samples) - 1;

  const zeros = () => clicks.map(() => 0);
  const counted = { batch: zeros(), samples: zeros() };
  let targets;
  let samples;
  let before;
  for (let step = 1; step <= draw; step += 1) {
    if (step === draw) before = { batch: [...counted.batch], samples: [...counted.samples] };
    targets = pick(clicks, batch_size, random(2 * step));
    samples = pick(weight, n_samples, random(2 * step + 1));
    targets.forEach((j, i) => {
      if (i !== own) counted.batch[j] += 1;
    }); // the lane's own column aside
    samples.forEach((j) => {
      counted.samples[j] += 1;
    });
  }
  const candidates = [...targets, ...samples];
  const kinds = targets.map((target, i) =>
    candidates.map((j, c) => (c === i ? "positive" : j === target ? "hit" : "negative")),
  );
  const count = (kind) => kinds.flat().filter((k) => k === kind).length;
  const scores = targets
    .map((_, i) => madeUp(clicks.length, random(1048576 + 8 * draw + i)))
    .map((of) => candidates.map((j) => of[j]));
  const corrections = candidates.map((j) => -logq * Math.log(q[j]));
  return {
    popularity,
    probability,
    weight,
    total_weight: sum(weight),
    total_clicks: sum(clicks),
    q,
    targets,
    candidates,
    kinds,
    scores,
    corrections,
    is_negative: kinds.map((row) => row.map((kind) => kind === "negative")),
    corrected: scores.map((row) => row.map((r, c) => r + corrections[c])),
    positives: count("positive"),
    negatives: count("negative"),
    hits: count("hit"),
    counted,
    before, // longest: a scale of both charts that alpha does not change, unless chance drew far more than was expected
    longest: Math.max(
      1.15 * draw * Math.max(batch_size - 1, n_samples) * Math.max(...popularity),
      ...counted.batch,
      ...counted.samples,
    ),
    expected: {
      batch: popularity.map((p) => draw * (batch_size - 1) * p),
      samples: probability.map((p) => draw * n_samples * p),
    },
    cell: {
      lane: own + 1,
      column: at + 1,
      target: targets[own],
      item: candidates[at],
      kind: kinds[own][at],
      score: scores[own][at],
    },
    cost: {
      // multiplications of one lane: each score is a product of UNITS numbers with UNITS numbers
      all: n_items * UNITS,
      here: (batch_size + n_samples) * UNITS,
      usual: (USUAL.lanes + USUAL.samples) * UNITS,
    },
  };
}

const shares = (values) => values.map((v) => v / sum(values));

// n independent draws, with replacement, each item as often as its weight says: the place where a random point falls.
function pick(weight, n, random) {
  let total = 0;
  const ends = weight.map((w) => (total += w));
  return Array.from({ length: n }, () => {
    const point = random() * total;
    return ends.findIndex((end) => end > point);
  });
}
// Scores from -3 to 3.
const madeUp = (n, random) => Array.from({ length: n }, () => Math.round(60 * random() - 30) / 10);

// ---- words ----------------------------------------------------------------------------------------------------------
const MOST_DRAWS = 1000;
const LETTER = { positive: "P", negative: "N", hit: "H" };
const SAYS = {
  positive: "its own target, the positive",
  negative: "a negative",
  hit: "an accidental hit, no negative",
};
const signed = (x, digits) => (Number(x.toFixed(digits)) > 0 ? "+" : "") + fixed(x, digits);
const few = (x) => (x >= 9.95 ? big(Math.round(x)) : short(x, 1));

function words({ targets, candidates, positives, negatives, hits, cell }, items, draw) {
  const again = cell.kind === "hit" ? " again" : "";
  const kinds = [plural(positives, "positive"), plural(negatives, "negative"), plural(hits, "accidental hit")].join(
    ", ",
  );
  return [
    `Step ${draw}: ${plural(targets.length, "lane")} score ${candidates.length} candidates each: ${kinds}.`,
    `Lane ${cell.lane} clicked ${items[cell.target]};`,
    `column ${cell.column} is ${items[cell.item]}${again}: ${SAYS[cell.kind]}.`,
  ].join(" ");
}
