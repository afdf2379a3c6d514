"""A small simulated outdoor shop: its visitors have hidden plans, so the best possible prediction can be computed.

A visitor plans one trip and shops in one price line; both are hidden and stay the same for the whole session. She looks
at a shelf (one category of her trip), at another product of that shelf, reads the category's buying guide, or goes on
to the next category of her trip. Sometimes the front page distracts her with a bestseller. After a guide, which
everybody reads, or a bestseller, the last click alone reveals neither line nor trip, but the clicks before it do. Now
and then she reloads the page. How long she stays does not depend on what she looks at.
"""

from __future__ import annotations

import numbers
from dataclasses import dataclass

import numpy as np
import pandas as pd

SHELVES = {  # category -> models; each model exists in each price line
    "tent": ("dome", "tunnel", "cabin", "tarp", "bivy"),
    "sleeping-bag": ("mummy", "quilt", "summer", "winter", "double"),
    "mat": ("foam", "air", "folding", "wide", "seat"),
    "backpack": ("daypack", "trekking", "summit", "travel", "bike"),
    "stove": ("gas", "spirit", "wood", "petrol", "grill"),
    "pot": ("small", "large", "pan", "kettle", "set"),
    "boots": ("hiking", "trail", "snow", "approach", "sandals"),
    "jacket": ("rain", "down", "fleece", "wind", "softshell"),
    "lamp": ("head", "lantern", "torch", "string", "bike"),
    "bottle": ("steel", "soft", "filter", "thermos", "bag"),
}
LINES = {"budget": 0.5, "classic": 0.3, "ultralight": 0.2}  # price line -> share of the visitors
TRIPS = {  # trip -> share of the visitors, categories in the order of looking at them, round and round
    "camping": (0.4, ("tent", "sleeping-bag", "mat", "stove", "pot", "lamp")),
    "hiking": (0.3, ("boots", "jacket", "backpack", "bottle", "lamp")),
    "cycling": (0.2, ("tent", "mat", "stove", "backpack", "bottle", "jacket")),
    "winter": (0.1, ("jacket", "sleeping-bag", "boots", "stove", "bottle", "pot")),
}
SAME_SHELF, READ_GUIDE = 0.25, 0.4  # from a shelf; else on to the next category
BACK_TO_SHELF = 0.6  # from a guide; else on to the next category
OWN_LINE = 0.95  # share of the visitor's own line among what she looks at on a shelf; the other two share the rest
DISTRACTED = 0.15  # share of front-page bestsellers among what she looks at on a shelf
RELOAD = 0.05
MEAN_CLICKS = 6
DAYS = 60


@dataclass(frozen=True)
class Process:
    """The shop as a hidden-state process: S states (trip, line, category, shelf or guide of it) and N items.

    The first state is drawn from ``start`` and shows an item drawn from its row of ``emission``. Then, click by click:
    with probability ``reload`` state and item stay; else the next state is drawn from the state's row of ``transition``
    and shows an item from its row of ``emission``, drawn again while it is the page already open.

    So with belief b over the states (a row vector of S probabilities) and last item y, item x comes next with
    probability   reload · [x = y] + (1 − reload) · [x ≠ y] · Σ_s (b T)_s · E_sx / (1 − E_sy).
    A log without its immediate repeats is a log of the same process with reload = 0.
    """

    items: pd.Index  # (N,) item ids, sorted
    start: np.ndarray  # (S,)
    transition: np.ndarray  # (S, S) T, rows sum to 1
    emission: np.ndarray  # (S, N) E, rows sum to 1
    reload: float


def process() -> Process:
    """The shop's tables, built from the constants of this module."""
    name = "{}-{}-{}".format  # category, model, line
    products = [name(c, models[m], line) for m in range(5) for line in LINES for c, models in SHELVES.items()]
    items = pd.Index(sorted([*products, *(f"guide-{category}" for category in SHELVES)]))
    number = {item: i for i, item in enumerate(items)}
    front_page = np.zeros(len(items))
    front_page[[number[item] for item in products]] = _zipf(len(products))

    steps = {trip: 2 * len(route) for trip, (_, route) in TRIPS.items()}  # 2k: shelf of category k; 2k + 1: its guide
    states = [(trip, line, step) for trip in TRIPS for line in LINES for step in range(steps[trip])]
    state = {key: s for s, key in enumerate(states)}
    start = np.zeros(len(states))
    transition = np.zeros((len(states), len(states)))
    emission = np.zeros((len(states), len(items)))
    for taste, (trip, (share, route)) in enumerate(TRIPS.items()):
        for line, line_share in LINES.items():
            for k, category in enumerate(route):
                shelf, guide = state[trip, line, 2 * k], state[trip, line, 2 * k + 1]
                next_shelf = state[trip, line, (2 * k + 2) % steps[trip]]
                start[shelf] = share * line_share * (0.5 if k == 0 else 0.5 / (len(route) - 1))
                transition[shelf, [shelf, guide, next_shelf]] = SAME_SHELF, READ_GUIDE, 1 - SAME_SHELF - READ_GUIDE
                transition[guide, [shelf, next_shelf]] = BACK_TO_SHELF, 1 - BACK_TO_SHELF
                emission[guide, number[f"guide-{category}"]] = 1
                emission[shelf] = DISTRACTED * front_page
                for other in LINES:
                    part = OWN_LINE if other == line else (1 - OWN_LINE) / (len(LINES) - 1)
                    favourites = np.roll(SHELVES[category], -taste)  # each trip has its own favourites
                    shown = [number[name(category, model, other)] for model in favourites]
                    emission[shelf, shown] += (1 - DISTRACTED) * part * _zipf(len(shown))
    return Process(items, start, transition, emission, RELOAD)


def simulate(n_sessions: int, seed: int = 0) -> pd.DataFrame:
    """A click log of the shop: ``n_sessions`` sessions that begin within 60 days; columns SessionId, ItemId, Time.

    Session lengths are geometric with mean 6: one session in six has one click. Session ids count from 0 in order of
    their start. The clicks of a session are at least a second apart. The same seed gives the same log.
    """
    for name, value, least in (("n_sessions", n_sessions, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
            raise ValueError(f"{name}={value!r} must be an integer of at least {least}")
    shop = process()
    rng = np.random.default_rng(int(seed))
    lengths = rng.geometric(1 / MEAN_CLICKS, n_sessions)
    session = np.arange(n_sessions)
    state = _draw(shop.start[None], np.zeros_like(session), rng)
    item = _draw(shop.emission, state, rng)
    sessions, items = [session], [item]
    for click in range(1, lengths.max()):  # all sessions together, as long as they last
        session, state, item = (a[lengths[session] > click] for a in (session, state, item))
        moves = rng.random(len(session)) >= shop.reload
        state = np.where(moves, _draw(shop.transition, state, rng), state)
        shown = np.where(moves, _draw(shop.emission, state, rng), item)
        while len(again := np.flatnonzero(moves & (shown == item))):
            shown[again] = _draw(shop.emission, state[again], rng)
        item = shown
        sessions.append(session)
        items.append(item)
    by_session = np.argsort(np.concatenate(sessions), kind="stable")
    clock = (1 + rng.exponential(40, len(by_session)).astype(np.int64)).cumsum()
    clock -= np.repeat(clock[lengths.cumsum() - lengths], lengths)  # seconds since the session's first click
    begin = np.sort(rng.integers(0, DAYS * 86_400, n_sessions))
    return pd.DataFrame(
        {
            "SessionId": np.repeat(np.arange(n_sessions), lengths),
            "ItemId": shop.items[np.concatenate(items)[by_session]],
            "Time": np.datetime64("2024-04-01", "s") + np.repeat(begin, lengths) + clock,
        }
    )


def _zipf(n: int) -> np.ndarray:
    """``(n,)`` probabilities; the k-th is 1/k of the first."""
    weights = 1 / np.arange(1, n + 1)
    return weights / weights.sum()


def _draw(table: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """For each of ``rows``, a column drawn with that row's probabilities: one search in all rows laid end to end."""
    width = table.shape[1]
    ends = (table.cumsum(axis=1) + np.arange(len(table))[:, None]).ravel()
    columns = np.searchsorted(ends, rows + rng.random(len(rows)), side="right") - rows * width
    return np.minimum(columns, width - 1)  # a row's sum may be a rounding error below 1
