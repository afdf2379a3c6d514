"""Session neighbours: what did visitors click next in past sessions that look like this one?

A family of three. SKNN compares sets of items; V-SKNN trusts recent clicks more; STAN also trusts recent sessions and,
within a neighbour, the items close to those that the two sessions share. Only sessions that had ended before the
current click can be neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from .. import clicks as click_log
from ..internal import rules
from ..internal.rules import setting
from .by_history import ByHistory

DAY = 86_400.0
DECAYS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {  # weight by age (1: last click) among n clicks
    "none": lambda age, n: np.ones(len(age)),
    "linear": lambda age, n: (n - age + 1) / n,
    "inverse": lambda age, n: 1 / age,
    "log": lambda age, n: 1 / np.log2(1 + age),
    "quadratic": lambda age, n: 1 / age**2.0,
}


class Neighbours(NamedTuple):
    """The k past sessions nearest to a running one."""

    session: np.ndarray  # (K,) in order of time
    similarity: np.ndarray  # (K,)
    newest: np.ndarray  # (K,) age of the latest shared click, 1 for the last click


@dataclass(eq=False)
class SKNN(ByHistory):
    """Scores an item by the similarity of the neighbours that hold it.

    sim(s, c) = |s ∩ c| / √(|s| |c|),   s_j = Σ sim(s, c) over the neighbours c with item j,

    where the neighbours are the k most similar of the m most recent past sessions that share an item with s.

    Args:
        k: neighbours.
        m: sessions to compare with.

    Raises:
        ValueError: a setting out of range.

    Source: Jannach & Ludewig, "When recurrent neural networks meet the neighborhood for session-based recommendation",
    RecSys 2017.
    """

    k: int = setting(500, rules.whole())
    m: int = setting(1000, rules.whole())

    def fit(self, train: pd.DataFrame) -> Self:
        self._check_settings()
        log = click_log.encode(train)
        self.items = log.index
        ended = np.maximum.reduceat(log.times, log.offsets[:-1])
        lengths, order = np.diff(log.offsets), np.argsort(ended, kind="stable")
        clicks = np.repeat(log.offsets[:-1][order] - np.cumsum(lengths[order]) + lengths[order], lengths[order])
        clicks += np.arange(len(clicks))
        self._build_lookups(log.items[clicks], np.append(0, np.cumsum(lengths[order])), ended[order])
        return self

    def _build_lookups(self, clicked: np.ndarray, offsets: np.ndarray, ended: np.ndarray) -> None:
        """Look-up tables from sessions to items and back, with positions; sessions in the order in which they ended."""
        self._log, self.ended, self.clock = (clicked, offsets), ended, float(ended.max()) + 1
        session = np.repeat(np.arange(len(ended)), np.diff(offsets))
        # an item counts once in its session, at its last occurrence
        pair, backwards = np.unique((session * len(self.items) + clicked)[::-1], return_index=True)
        self.held_by, self.held = np.divmod(pair, len(self.items))
        self.position = len(clicked) - 1 - backwards - offsets[self.held_by]
        self.n_held = np.bincount(self.held_by, minlength=len(ended))
        self.begin = np.append(0, self.n_held.cumsum())
        by_item = np.argsort(self.held, kind="stable")
        self.sessions_of, self.place_of = self.held_by[by_item], by_item
        self.begin_of = np.searchsorted(self.held[by_item], np.arange(len(self.items) + 1))

    def score(self, history: np.ndarray, now: float) -> np.ndarray:
        """See `ByHistory.score`."""
        scores = np.zeros(len(self.items))
        items, backwards = np.unique(history[::-1], return_index=True)
        age = backwards + 1  # of each item's last click
        found = self._neighbours(items, age, len(history), now)
        if len(found.session):
            n = self.n_held[found.session]
            place = np.arange(n.sum()) + np.repeat(self.begin[found.session] - n.cumsum() + n, n)
            weight = np.repeat(self._neighbour_weight(found, len(history)), n) * self._item_weight(place, n, items)
            scores += np.bincount(self.held[place], weight, len(self.items))
        return scores

    def _neighbours(self, items: np.ndarray, age: np.ndarray, n_clicks: int, now: float) -> Neighbours:
        """The k nearest of the m latest sessions that ended before ``now`` and hold one of ``items`` ``(V,)``."""
        past = int(np.searchsorted(self.ended, now))
        lists = []
        for item in items:
            holding = self.sessions_of[self.begin_of[item] : self.begin_of[item + 1]]
            end = int(np.searchsorted(holding, past))
            lists.append(holding[max(0, end - self.m) : end])  # no earlier session can be among the m latest overall
        which = np.repeat(np.arange(len(items)), [len(holding) for holding in lists])
        session, row = np.unique(np.concatenate([*lists, np.empty(0, dtype=np.int64)]), return_inverse=True)
        weight = self._click_weight(age, n_clicks)
        shared = np.bincount(row, weight[which], len(session))
        newest = np.full(len(session), n_clicks + 1)
        np.minimum.at(newest, row, age[which])
        similarity = shared / (self._size(weight) * np.sqrt(self.n_held[session])) * self._freshness(session, now)
        latest = slice(max(0, len(session) - self.m), None)
        session, similarity, newest = session[latest], similarity[latest], newest[latest]
        nearest = np.sort(np.lexsort((session, similarity))[-self.k :])  # among equally near ones, the latest
        return Neighbours(session[nearest], similarity[nearest], newest[nearest])

    # --- where the members of the family differ

    def _click_weight(self, age: np.ndarray, n_clicks: int) -> np.ndarray:
        """How much each item of the session counts, given the age of its last click: ``(V,) -> (V,)``."""
        return np.ones(len(age))

    def _size(self, weight: np.ndarray) -> float:
        """The session's part of the cosine's denominator."""
        return float(np.sqrt((weight**2).sum())) or 1.0

    def _freshness(self, session: np.ndarray, now: float) -> np.ndarray | float:
        """How much a past session counts, given its age."""
        return 1.0

    def _neighbour_weight(self, found: Neighbours, n_clicks: int) -> np.ndarray:
        """How much each neighbour adds to its items: ``(K,)``."""
        return found.similarity

    def _item_weight(self, place: np.ndarray, n: np.ndarray, items: np.ndarray) -> np.ndarray | float:
        """Which share of that each of the neighbours' ``n`` ``(K,)`` items, found at ``place``, gets."""
        return 1.0

    def tensors(self) -> dict[str, Tensor]:
        clicked, offsets = self._log
        arrays = {"clicked": clicked, "offsets": offsets, "ended": self.ended}
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self._build_lookups(*(tensors[name].numpy() for name in ("clicked", "offsets", "ended")))


@dataclass(eq=False)
class VSKNN(SKNN):
    """SKNN in which recent clicks count more, in the similarity and again in the scores.

    sim(s, c) = Σ_{v ∈ s ∩ c} w_v / (√(Σ_v w_v²) √|c|),   s_j = (1 + idf_weight · ln(S / supp_j)) Σ sim(s, c) · u_c

    w_v decays with the age of v's last click in the session, u_c with the age of the newest click that s shares with c;
    supp_j is the number of the S past sessions that hold item j.

    Args:
        k, m: see `SKNN`.
        decay: how w decays, one of `DECAYS`; "linear" is position / length.
        neighbour_decay: how u decays; "inverse" is 1 / age.
        idf_weight: how much rare items are preferred, at least 0.

    Source: Ludewig & Jannach, "Evaluation of session-based recommendation algorithms", UMUAI 2018.
    """

    decay: str = setting("linear", rules.one_of(*DECAYS))
    neighbour_decay: str = setting("inverse", rules.one_of(*DECAYS))
    idf_weight: float = setting(0.0, rules.number(0))

    def _click_weight(self, age: np.ndarray, n_clicks: int) -> np.ndarray:
        return DECAYS[self.decay](age, n_clicks)

    def _neighbour_weight(self, found: Neighbours, n_clicks: int) -> np.ndarray:
        return found.similarity * DECAYS[self.neighbour_decay](found.newest, n_clicks)

    def _item_weight(self, place: np.ndarray, n: np.ndarray, items: np.ndarray) -> np.ndarray | float:
        support = np.diff(self.begin_of)[self.held[place]]
        return 1 + self.idf_weight * np.log(len(self.ended) / support)


@dataclass(eq=False)
class STAN(SKNN):
    """SKNN with three decays: of the session's clicks, of past sessions, and of items around the shared ones.

    sim(s, c) = Σ_{v ∈ s ∩ c} exp(−(age_v − 1) / click_scale) / √(|s| |c|) · exp(−(now − t_c) / session_scale)
    s_j       = Σ sim(s, c) · exp(−|pos_c(j) − pos_c(i*)| / item_scale)

    age_v is 1 for the last click; t_c is when c ended; i* is the last item of c that s also holds.

    Args:
        k, m: see `SKNN`.
        click_scale: in clicks.
        session_scale: in days.
        item_scale: in clicks. An infinite scale switches its decay off; with all three infinite this is SKNN.

    Source: Garg et al., "Sequence and time aware neighborhood for session-based recommendations", SIGIR 2019.
    """

    click_scale: float = setting(1.02, rules.scale)
    session_scale: float = setting(5.0, rules.scale)
    item_scale: float = setting(2.05, rules.scale)

    def _click_weight(self, age: np.ndarray, n_clicks: int) -> np.ndarray:
        return np.exp((1 - age) / self.click_scale)

    def _size(self, weight: np.ndarray) -> float:
        return float(np.sqrt(len(weight))) or 1.0

    def _freshness(self, session: np.ndarray, now: float) -> np.ndarray | float:
        return np.exp((self.ended[session] - now) / (self.session_scale * DAY))

    def _item_weight(self, place: np.ndarray, n: np.ndarray, items: np.ndarray) -> np.ndarray | float:
        common = np.isin(self.held[place], items)
        last_common = np.maximum.reduceat(np.where(common, self.position[place], -1), n.cumsum() - n)
        return np.exp(-np.abs(self.position[place] - np.repeat(last_common, n)) / self.item_scale)
