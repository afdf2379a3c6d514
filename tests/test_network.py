from __future__ import annotations

import pytest
import torch
from helpers import Watch, assert_same_bits, catches, check_glorot, copies, seeded
from torch import nn
from torch.testing import assert_close

from gru4rec_lite import training
from gru4rec_lite.batching import Step
from gru4rec_lite.cells import CELLS
from gru4rec_lite.losses import cross_entropy
from gru4rec_lite.museum import network as museum
from gru4rec_lite.network import EMBEDDINGS, Network
from gru4rec_lite.optim import EPS, Adagrad
from gru4rec_lite.sampling import NegativeSampler

N, LANES = 11, 4
each_embedding = pytest.mark.parametrize("embedding", EMBEDDINGS)
each_cell = pytest.mark.parametrize("cell", list(CELLS))
each_depth = pytest.mark.parametrize("layers", [(6,), (6, 6)], ids=["one layer", "two layers"])


@pytest.fixture(autouse=True)
def _same_draws_every_time():
    with seeded(2, 1):
        yield


def shaken(*args, **settings) -> Network:
    """A network whose biases are random too, in float64."""
    network = Network(*args, **settings).double()
    for name, parameter in network.named_parameters():
        if "bias" in name:
            nn.init.normal_(parameter)
    return network


def random_state(network: Network, lanes: int = LANES):
    return [torch.randn_like(s) for s in network.zeros(lanes)]


# --- inputs


def test_the_input_table_has_the_shape_of_its_embedding():
    assert Network(N, (6,), "gru", "one-hot").item_in.shape == (N, 3 * 6)
    assert Network(N, (6,), "lstm", "one-hot").item_in.shape == (N, 4 * 6)
    assert Network(N, (6,), "gru", "separate").item_in.shape == (N, 6)
    assert Network(N, (6, 4), "gru", "separate", embedding_size=9).item_in.shape == (N, 9)
    assert not hasattr(Network(N, (6, 4), "gru", "shared"), "item_in")
    for embedding in EMBEDDINGS:
        assert Network(N, (6, 4), "gru", embedding).item_out.shape == (N, 4)


@each_cell
def test_one_hot_is_a_one_hot_vector_times_a_matrix(cell):
    network = shaken(N, (6,), cell, "one-hot")
    clicked, state = torch.tensor([3, 0, 10, 3]), random_state(network)
    dense = CELLS[cell](N, 6).double()
    dense.load_state_dict({**network.layers[0].state_dict(), "weight_ih": network.item_in.T})
    expected = dense(nn.functional.one_hot(clicked, N).double(), state[0])
    assert_close(network(network.input_table[clicked], state)[1][0], expected)


@pytest.mark.parametrize(("cell", "theirs"), [("gru", nn.GRU), ("lstm", nn.LSTM), ("rnn", nn.RNN)])
@pytest.mark.parametrize("embedding", ["separate", "shared"])
def test_layers_of_one_width_click_by_click_are_torchs_over_the_whole_session(cell, theirs, embedding):
    network = shaken(N, (5, 5), cell, embedding)
    reference = theirs(5, 5, num_layers=2, batch_first=True).double()
    weights = {f"{name}_l{i}": p for i, layer in enumerate(network.layers) for name, p in layer.named_parameters()}
    biases = {f"bias_hh_l{i}": torch.zeros_like(weights[f"bias_ih_l{i}"]) for i in range(2)}
    reference.load_state_dict({**biases, **weights})
    clicks = torch.randint(N, (LANES, 7))
    state, hidden = network.zeros(LANES), []
    for t in range(7):
        h, state = network(network.input_table[clicks[:, t]], state)
        hidden.append(h)
    assert_close(torch.stack(hidden, dim=1), reference(network.input_table[clicks])[0])


@each_embedding
@each_cell
def test_layers_of_other_widths_are_a_chain_of_cells(cell, embedding):
    network = shaken(N, (7, 3, 5), cell, embedding, embedding_size=4 if embedding == "separate" else None)
    widths = [layer.weight_ih.shape[1] if hasattr(layer, "weight_ih") else None for layer in network.layers]
    assert widths == [{"one-hot": None, "separate": 4, "shared": 5}[embedding], 7, 3]
    state = random_state(network)
    rows = network.input_table[torch.tensor([1, 5, 5, 10])]
    hidden, new_state = network(rows, state)
    x = rows
    for layer, before, after in zip(network.layers, state, new_state, strict=True):
        assert_close(after, layer(x, before))
        x = layer(x, before)[:, 0]
    assert_close(hidden, x)
    assert hidden.shape == (LANES, 5)


def test_a_fresh_state_is_zero_in_each_layer():
    fresh = Network(N, (7, 3), "lstm").zeros(LANES)
    assert [s.shape for s in fresh] == [(LANES, 2, 7), (LANES, 2, 3)]
    assert not any(s.any() for s in fresh)


# --- T13: the shared table


def check_one_storage(network):
    assert network.input_table.untyped_storage().data_ptr() == network.item_out.untyped_storage().data_ptr()
    with torch.no_grad():
        network.item_out[3] = 8.0
    assert (network.input_table[3] == 8.0).all()


def check_a_row_that_is_input_and_candidate_gets_both_gradients(network):
    inputs, targets, samples = torch.tensor([4, 9, 4]), torch.tensor([2, 4, 7]), torch.tensor([4, 1])
    state = network.zeros(3)
    before = copies(dict(network.named_parameters()))
    dense = {"item_out": before["item_out"].clone().requires_grad_(), "bias_out": before["bias_out"]}
    # autograd over the whole table, used twice
    hidden, _ = torch.func.functional_call(network, dense, (dense["item_out"][inputs], state))
    candidates = torch.cat((targets, samples))
    scores = hidden @ dense["item_out"][candidates].T + before["bias_out"][candidates].T
    summed = torch.autograd.grad(
        cross_entropy(scores, candidates != targets[:, None]).mean(), dense["item_out"]
    )[0]  # fmt: skip
    optimiser = Adagrad(dict(network.named_parameters()), 0.1)
    sampler = NegativeSampler(torch.ones(N), 2, 0.0)
    step = Step(inputs, targets, torch.ones(3, dtype=torch.bool), torch.arange(3))
    training.train_step(network, optimiser, cross_entropy, step, samples, state, sampler)
    assert_close(network.item_out.detach(), before["item_out"] - 0.1 * summed / (summed**2 + EPS).sqrt())


def test_the_shared_table_is_one_storage():
    check_one_storage(Network(N, (6,)))
    catches(check_one_storage, museum.untied(Network(N, (6,))))
    for embedding in ("one-hot", "separate"):
        catches(check_one_storage, Network(N, (6,), "gru", embedding))


def test_in_the_shared_table_a_row_that_is_input_and_candidate_gets_the_sum_of_both_gradients():
    check_a_row_that_is_input_and_candidate_gets_both_gradients(shaken(N, (6,)))
    catches(check_a_row_that_is_input_and_candidate_gets_both_gradients, museum.untied(shaken(N, (6,))))


# --- T10, T11: dropout


def two_passes(network):
    rows, state = network.input_table[torch.arange(N)], network.zeros(N)
    return network(rows, state)[0], network(rows, state)[0]


def check_dropout_is_felt(network):
    one, other = two_passes(network.train())
    assert not torch.equal(one, other)


@each_depth
@each_embedding
@pytest.mark.parametrize("where", ["dropout_embed", "dropout_hidden"])
def test_each_dropout_alone_changes_two_passes_in_training_and_none_in_evaluation(where, embedding, layers):
    network = Network(N, layers, "gru", embedding, **{where: 0.9})
    check_dropout_is_felt(network)
    with museum.dead_dropout(network):
        catches(check_dropout_is_felt, network)
    assert_same_bits(*two_passes(network.eval()))


@each_embedding
def test_evaluation_is_that_of_a_network_without_dropout(embedding):
    network = Network(N, (6, 6), "gru", embedding, dropout_embed=0.4, dropout_hidden=0.6).eval()
    without = Network(N, (6, 6), "gru", embedding)
    without.load_state_dict(network.state_dict())
    assert_same_bits(two_passes(network)[0], two_passes(without)[0])


def seen_by_the_network(p_embed: float, p_hidden: float, variant=None):
    """The hidden state of an RNN cell that only passes its input on, 0.5 everywhere: it shows what was dropped."""
    network = Network(1, (200,), "rnn", "separate", dropout_embed=p_embed, dropout_hidden=p_hidden).double().train()
    cell = network.layers[0]
    with torch.no_grad():
        cell.weight_ih.copy_(torch.eye(200))
        cell.weight_hh.zero_()
    rows = torch.full((500, 200), 0.5).double()
    if variant is None:
        return network(rows, network.zeros(500))[0]
    with variant(network):
        return network(rows, network.zeros(500))[0]


def check_share_of_zeros_at_the_input(p, variant=None):
    into_cell = seen_by_the_network(p, 0.0, variant).atanh()
    assert (into_cell == 0).double().mean().item() == pytest.approx(p, abs=0.01)
    assert_close(into_cell[into_cell != 0], torch.full_like(into_cell[into_cell != 0], 0.5 / (1 - p)))
    assert into_cell.mean().item() == pytest.approx(0.5, rel=0.02)  # the expectation is kept


def check_share_of_zeros_in_the_hidden_state(p, variant=None):
    hidden = seen_by_the_network(0.0, p, variant)
    clean = torch.tensor(0.5).double().tanh()
    assert (hidden == 0).double().mean().item() == pytest.approx(p, abs=0.01)
    assert_close(hidden[hidden != 0], (clean / (1 - p)).expand_as(hidden[hidden != 0]))
    assert hidden.mean().item() == pytest.approx(clean.item(), rel=0.02)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_dropout_p_makes_a_share_p_of_zeros_and_keeps_the_expectation(p):
    check_share_of_zeros_at_the_input(p)
    check_share_of_zeros_in_the_hidden_state(p)


def test_the_museum_of_dropouts_is_caught():
    for check in (check_share_of_zeros_at_the_input, check_share_of_zeros_in_the_hidden_state):
        catches(check, 0.1, museum.keep_for_drop)
        catches(check, 0.1, museum.dead_dropout)
        catches(check, 0.1, museum.one_dropout_for_two)


@each_cell
def test_the_dropped_hidden_state_is_the_one_carried_on_and_passed_up(cell):
    network = shaken(N, (40, 30), cell, "separate", dropout_hidden=0.5).train()
    rows, state = network.input_table[torch.arange(LANES)], random_state(network)
    hidden, carried = network(rows, state)
    assert_same_bits(hidden, carried[1][:, 0])
    for s in carried:
        assert 0 < (s[:, 0] == 0).double().mean() < 1
    clean = network.layers[0](rows, state[0])
    assert_close(carried[0][:, 0], torch.where(carried[0][:, 0] == 0, 0.0, 2 * clean[:, 0]))
    assert_same_bits(carried[0][:, 1:], clean[:, 1:])  # the LSTM's memory is never dropped
    above = network.layers[1](carried[0][:, 0], state[1])[:, 0]
    assert_close(hidden, torch.where(hidden == 0, 0.0, 2 * above))


# --- scores


def test_scores_are_products_and_a_bias_through_the_activation():
    for output, elu, activation in (
        ("linear", 0.5, lambda x: x),
        ("tanh", 0.5, torch.tanh),
        ("elu", 0.5, lambda x: torch.where(x > 0, x, 0.5 * (x.exp() - 1))),
        ("elu", 2.0, lambda x: torch.where(x > 0, x, 2.0 * (x.exp() - 1))),
    ):
        network = shaken(N, (6,), output=output, elu=elu)
        hidden, candidates = torch.randn(LANES, 6).double(), torch.tensor([10, 0, 3, 3, 7])
        scores = network.score(hidden, network.item_out[candidates], network.bias_out[candidates])
        for lane in range(LANES):
            for column, item in enumerate(candidates.tolist()):
                raw = (hidden[lane] * network.item_out[item]).sum() + network.bias_out[item, 0]
                assert_close(scores[lane, column], activation(raw))


def test_the_elu_levels_off_where_it_says():
    network = Network(N, (6,), output="elu", elu=0.7)
    scores = network.score(torch.full((1, 6), -100.0), torch.ones(2, 6), torch.zeros(2, 1))
    assert_close(scores, torch.full((1, 2), -0.7))


def test_scores_of_the_catalogue_hold_those_of_the_candidates():
    network = shaken(N, (6,))
    hidden, candidates = torch.randn(LANES, 6).double(), torch.tensor([10, 0, 3])
    assert network.score_all(hidden).shape == (LANES, N)
    some = network.score(hidden, network.item_out[candidates], network.bias_out[candidates])
    assert_close(network.score_all(hidden)[:, candidates], some)


def check_only_candidates_are_scored(scores_of):
    network = Network(5000, (6,))
    hidden, candidates = torch.randn(LANES, 6), torch.randint(5000, (20,))
    with Watch() as watch:
        scores = scores_of(network, hidden, candidates)
    assert scores.shape == (LANES, 20)
    assert watch.widest(list(network.parameters())) == 20


def test_scoring_candidates_makes_no_column_for_the_rest_of_the_catalogue():
    def gathered(network, hidden, candidates):
        return network.score(hidden, network.item_out[candidates], network.bias_out[candidates])

    check_only_candidates_are_scored(gathered)
    catches(check_only_candidates_are_scored, museum.score_all_then_pick)


# --- T16: first weights


def check_first_weights(network, embedding, gates):
    if embedding != "shared":
        check_glorot(network.item_in, gates if embedding == "one-hot" else 1, columns=True)
    check_glorot(network.item_out, 1)
    for layer in network.layers:
        for name, parameter in layer.named_parameters():
            assert "bias" not in name or not parameter.any()
            if "weight" in name:
                check_glorot(parameter, layer.n_gates)
    assert not network.bias_out.any()
    assert all(p.dtype == torch.float32 for p in network.parameters())


@each_embedding
@each_cell
def test_first_weights_are_glorot_uniform_by_gate_and_biases_zero(cell, embedding):
    network = Network(150, (60, 80), cell, embedding)
    check_first_weights(network, embedding, network.layers[0].n_gates)


@each_embedding
def test_torchs_first_weights_are_caught(embedding):
    network = Network(150, (60, 80), "gru", embedding)
    museum.torch_initialisation(network)
    catches(check_first_weights, network, embedding, 3)


@each_embedding
def test_a_seed_gives_the_same_first_weights_and_another_gives_others(embedding):
    def weights(seed):
        with seeded(seed, 0):
            return torch.cat([p.detach().flatten() for p in Network(N, (6, 5), "gru", embedding).parameters()])

    assert_same_bits(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
