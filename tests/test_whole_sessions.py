"""Whole sessions side by side against one session and one click at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gru4rec_lite.batching import side_by_side, whole_sessions
from gru4rec_lite.network import Network, hidden_states

N = 9
LENGTHS = st.lists(st.integers(0, 7), max_size=12)


def starts(lengths) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(lengths))).astype(int)


def states_one_by_one(network, items, offsets):
    """The hidden state after every click but the last; an unknown click is left out."""
    states = [torch.zeros(0, network.layers[-1].units)]
    for begin, end in pairwise(offsets.tolist()):
        state = network.zeros(1)
        for item in items[begin : max(begin, end - 1)].tolist():
            if item >= 0:
                _, state = network(network.input_table[[item]], state)
            states.append(state[-1][:, 0])
    return torch.cat(states)


@pytest.mark.parametrize("cell", ["gru", "gru-paper", "lstm", "rnn"])
@pytest.mark.parametrize("embedding", ["one-hot", "separate", "shared"])
@pytest.mark.parametrize("layers", [(5,), (6, 3, 4)])
@pytest.mark.parametrize("unknown", [0, 4])  # of 12 numbers that are drawn, so many are no item
@torch.no_grad()
def test_states_are_those_of_one_click_at_a_time(cell, embedding, layers, unknown):
    torch.manual_seed(0)
    network = Network(N, layers, cell, embedding).eval()
    rng = np.random.default_rng(len(layers))
    offsets = starts([3, 1, 8, 0, 2, 8, 1, 5])
    items = rng.integers(-unknown, N, offsets[-1]).clip(min=-1)
    expected = states_one_by_one(network, items, offsets)
    torch.testing.assert_close(hidden_states(network, items, offsets), expected)


@torch.no_grad()
def test_dropout_is_left_out_even_while_the_network_trains():
    network = Network(N, (5,), dropout_embed=0.9, dropout_hidden=0.9).train()
    items, offsets = np.array([1, 2, 3, 4]), np.array([0, 4])
    training = hidden_states(network, items, offsets)
    assert torch.equal(training, hidden_states(network.eval(), items, offsets))


@pytest.mark.parametrize("lengths", [[], [1], [0, 1, 1]])
def test_no_prediction_needs_no_state(lengths):
    items = np.zeros(sum(lengths), dtype=int)
    assert hidden_states(Network(N, (6, 5)), items, starts(lengths)).shape == (0, 5)


@settings(max_examples=80, deadline=None)
@given(LENGTHS)
def test_every_click_but_the_last_is_played_at_its_step(lengths):
    offsets = starts(lengths)
    click, widths, place = side_by_side(offsets)
    assert sorted(click.tolist()) == [c for a, b in pairwise(offsets.tolist()) for c in range(a, b - 1)]
    assert click[place].tolist() == sorted(click.tolist())  # back in the order of the log
    assert widths == [sum(length - 1 > t for length in lengths) for t in range(max([1, *lengths]) - 1)]
    steps = [step.tolist() for step in np.split(click, np.cumsum(widths)[:-1])] if widths else []
    for before, after in pairwise(steps):  # row i goes on in row i
        assert after == [c + 1 for c in before[: len(after)]]


@settings(max_examples=80, deadline=None)
@given(LENGTHS, st.integers(0, 20))
def test_runs_hold_all_sessions_once_and_no_more_clicks_than_asked(lengths, clicks):
    offsets = starts(lengths)
    runs = list(whole_sessions(offsets, clicks))
    assert [s for first, end in runs for s in range(first, end)] == list(range(len(lengths)))
    for first, end in runs:
        assert end - first == 1 or sum(lengths[first:end]) <= clicks
    for (first, end), _ in pairwise(runs):  # and as many as fit
        assert sum(lengths[first : end + 1]) > clicks
