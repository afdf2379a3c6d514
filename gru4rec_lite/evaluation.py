"""How good are the lists? Every next click of every test session, ranked against the whole catalogue and counted once.

An unknown item in a test session changes no state. As a target it cannot be hit: it is counted, left out of ``recall``
and ``mrr``, and counted as a miss in ``recall_all`` and ``mrr_all``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from . import clicks as click_log
from . import metrics
from .internal.blocks import as_blocks
from .internal.caller import warn
from .internal.checks import require_model, require_number, require_one_of, require_that, require_whole

PER_PREDICTION = ("ranks", "sessions", "positions", "targets")


@dataclass(eq=False)
class Result:
    """What an evaluation found; ``recall[20]`` and ``mrr[20]`` are means over predictions.

    Two results are equal (``==``) if they found the same, rank for rank and target for target. They are not hashable.
    """

    ranks: np.ndarray = field(repr=False)  # (P,) rank of each known target
    sessions: np.ndarray = field(repr=False)  # (P,) which session each prediction belongs to
    positions: np.ndarray = field(repr=False)  # (P,) number of the session's clicks before the target
    targets: np.ndarray = field(repr=False)  # (P,) item id of each target
    cutoffs: tuple[int, ...]
    n_unknown: int  # predictions whose target is not in the item index
    ties: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result):
            return NotImplemented
        plain = [(one.cutoffs, one.n_unknown, one.ties) for one in (self, other)]
        return plain[0] == plain[1] and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in PER_PREDICTION
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def n_predictions(self) -> int:
        """Predictions with a known target."""
        return len(self.ranks)

    @property
    def recall(self) -> dict[int, float]:
        """Recall@k over predictions with a known target."""
        return {k: _mean(metrics.recall_at(self.ranks, k)) for k in self.cutoffs}

    @property
    def mrr(self) -> dict[int, float]:
        """MRR@k over predictions with a known target."""
        return {k: _mean(metrics.mrr_at(self.ranks, k)) for k in self.cutoffs}

    @property
    def recall_all(self) -> dict[int, float]:
        """Recall@k where an unknown target counts as a miss."""
        return {k: value * self._known_share for k, value in self.recall.items()}

    @property
    def mrr_all(self) -> dict[int, float]:
        """MRR@k where an unknown target counts as a miss."""
        return {k: value * self._known_share for k, value in self.mrr.items()}

    @property
    def _known_share(self) -> float:
        total = self.n_predictions + self.n_unknown
        return self.n_predictions / total if total else float("nan")

    def interval(self, level: float = 0.95, n: int = 1000, seed: int = 0) -> pd.DataFrame:
        """Bootstrap interval over sessions: columns metric, cutoff, value, low, high."""
        names, values = self._values()
        frame = pd.DataFrame(names, columns=["metric", "cutoff"])
        return _with_interval(frame, values, self.sessions, level, n, seed)

    def frame(self) -> pd.DataFrame:
        """One row per cutoff: cutoff, recall, mrr, recall_all, mrr_all."""
        columns = {"recall": self.recall, "mrr": self.mrr, "recall_all": self.recall_all, "mrr_all": self.mrr_all}
        return pd.DataFrame({"cutoff": self.cutoffs} | {name: list(by_k.values()) for name, by_k in columns.items()})

    def by_position(self, cutoff: int = 20, longest: int = 10) -> pd.DataFrame:
        """How good after the first click, the second, ...: `by` the clicks so far, ``longest`` or more as one group."""
        require_whole("longest", longest)
        return self.by(np.minimum(self.positions, longest), cutoff).rename(columns={"group": "position"})

    def by_popularity(self, train: pd.DataFrame, cutoff: int = 20, bins: int = 4) -> pd.DataFrame:
        """How good for rare and for popular items: `by` the training clicks of the target.

        Items are sorted by their clicks in ``train`` and cut into ``bins`` groups with about the same number of clicks
        each; group 1 holds the rarest items and the most of them. Items that ``train`` lacks are in group 1.
        """
        require_whole("bins", bins)
        log = click_log.encode(train)
        support = pd.Series(log.support, log.index).sort_values(kind="stable")
        group = np.ceil(bins * support.cumsum() / support.sum()).clip(1, bins).astype(int)
        of_target = group.reindex(self.targets).fillna(1).astype(int).to_numpy()
        return self.by(of_target, cutoff).rename(columns={"group": "popularity"})

    def by(self, group: np.ndarray, cutoff: int = 20, level: float = 0.95) -> pd.DataFrame:
        """Recall and MRR of each group of predictions, with bootstrap intervals over sessions.

        Args:
            group: ``(P,)`` label of each prediction.

        Returns:
            one row per label: group, n_predictions, recall, recall_low, recall_high, mrr, mrr_low, mrr_high.
        """
        require_whole("cutoff", cutoff)
        group = np.asarray(group)
        if group.shape != self.ranks.shape:
            raise ValueError(f"group: {group.shape} labels for {self.n_predictions} predictions; give one for each")
        _check_labels(group)
        rows = []
        for label in np.unique(group):
            here = group == label
            part = replace(self, cutoffs=(cutoff,), **{name: getattr(self, name)[here] for name in PER_PREDICTION})
            row = {"group": label, "n_predictions": part.n_predictions}
            for found in part.interval(level).itertuples():
                row |= {found.metric: found.value, f"{found.metric}_low": found.low, f"{found.metric}_high": found.high}
            rows.append(row)
        columns = [f"{name}{end}" for name in ("recall", "mrr") for end in ("", "_low", "_high")]
        return pd.DataFrame(rows, columns=["group", "n_predictions", *columns])

    def _values(self) -> tuple[list[tuple[str, int]], np.ndarray]:
        """Name and per-prediction values of each metric: M names, ``(P, M)``."""
        names = [(name, k) for k in self.cutoffs for name in ("recall", "mrr")]
        at = {"recall": metrics.recall_at, "mrr": metrics.mrr_at}
        return names, np.stack([at[name](self.ranks, k) for name, k in names], axis=1)


def evaluate(model, test: pd.DataFrame, cutoffs: tuple[int, ...] = (5, 10, 20), ties: str = "conservative") -> Result:
    """Rank the next click after every click of every test session.

    Ranks are exact, and memory is bounded whatever the size of the catalogue: one block of the model's scores (see
    `recommender.rows_at_once`), 8 MB of comparisons, and what the model needs for some sessions at a time. The ranks
    are read from the device once, at the end.

    Args:
        model: anything with ``items`` (an index or a list of ids) and ``scores`` (see `recommender.Recommender`),
            whose blocks may be tensors, arrays or lists of rows; they are ranked in their own dtype.
        test: a click log; sessions of one click give no prediction.
        cutoffs: list lengths k, each at least 1.
        ties: "conservative" | "standard" | "median", see `metrics.rank_of_target`.

    Raises:
        ValueError: a cutoff below 1, an unknown tie rule, scores that are not numbers or not one row per prediction.
        ClickLogError: the log cannot be used.
    """
    metrics.check_cutoffs(cutoffs)
    require_one_of("ties", ties, metrics.TIES)
    require_model("model", model)
    log = click_log.encode(test, model.items)
    index = log.index
    is_target = np.ones(len(log.items), dtype=bool)  # every click but the first of its session
    is_target[log.offsets[:-1]] = False
    counted = log.items[is_target] >= 0
    targets = torch.from_numpy(np.maximum(log.items[is_target], 0))  # unknown targets are ranked, but not counted
    sessions = np.repeat(np.arange(len(log.offsets) - 1), np.diff(log.offsets))[is_target]
    positions = (np.arange(len(log.items)) - np.repeat(log.offsets[:-1], np.diff(log.offsets)))[is_target]

    doubled, row = [targets[:0]], 0
    for block in as_blocks(model.scores(log.items, log.offsets, log.times), len(index)) if len(targets) else ():
        targets, doubled[0] = targets.to(block.device), doubled[0].to(block.device)
        target = targets[row : row + len(block)]
        if len(target) < len(block):
            raise ValueError(
                f"scores gave a block {tuple(block.shape)} where {len(target)} rows of {len(index)} scores are left"
            )
        if len(block):
            doubled.append(metrics.doubled_rank(block, target, ties))  # stays on the device until the end
        row += len(block)
    if row != len(targets):
        raise ValueError(f"scores gave {row} rows for {len(targets)} predictions")
    ranks = metrics.checked_ranks(torch.cat(doubled).cpu()[torch.from_numpy(counted)])
    if not counted.any():
        hint = ""
        if len(test) and len(targets):
            here, known = test["ItemId"].tolist()[0], index.tolist()[:1]
            hint = f"; item ids in the test look like {here!r}, in the model like {known[0] if known else None!r}"
        warn("no prediction to count: no session has two clicks, or no next click is a known item" + hint)
    where = sessions[counted], positions[counted], np.asarray(index)[log.items[is_target][counted]]
    return Result(ranks.numpy(), *where, tuple(dict.fromkeys(cutoffs)), int((~counted).sum()), ties)


def compare(
    model, other, test: pd.DataFrame, cutoff: int = 20, level: float = 0.95, n: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """How much better is ``model`` than ``other`` on the same predictions? Paired bootstrap over sessions.

    Both predict the same clicks, so a hard session is hard for both: the interval of the *difference* is narrower than
    the two separate intervals suggest.

    Returns:
        one row per metric: metric, cutoff, model, other, difference, low, high.

    Raises:
        ValueError: the two know different items, so their predictions cannot be paired.
    """
    require_model("model", model)
    require_model("other", other)
    require_whole("cutoff", cutoff)
    _check_interval(level, n, seed)
    if set(model.items) != set(other.items):
        raise ValueError("the two models know different items: fit them on the same clicks")
    first, second = evaluate(model, test, (cutoff,)), evaluate(other, test, (cutoff,))
    names, a = first._values()
    _, b = second._values()
    frame = pd.DataFrame(names, columns=["metric", "cutoff"])
    frame["model"], frame["other"] = [_mean(v) for v in a.T], [_mean(v) for v in b.T]
    return _with_interval(frame, a - b, first.sessions, level, n, seed).rename(columns={"value": "difference"})


def _check_labels(group: np.ndarray) -> None:
    fits = not pd.isna(group).any() and not pd.api.types.infer_dtype(group).startswith("mixed")
    require_that("group", group.tolist(), fits, "labels of one kind, all text or all numbers")


def _check_interval(level: float, n: int, seed: int) -> None:
    require_number("level", level, 0, 1, above=True, below=True)
    require_whole("n", n)
    require_whole("seed", seed, 0)


def _with_interval(frame, values, sessions, level: float, n: int, seed: int) -> pd.DataFrame:
    _check_interval(level, n, seed)
    means = metrics.bootstrap(values, sessions, n, seed)
    frame["value"] = [_mean(v) for v in values.T]
    frame["low"], frame["high"] = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return frame


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
