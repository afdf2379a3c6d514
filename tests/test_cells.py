from __future__ import annotations

from itertools import permutations, product

import pytest
import torch
from helpers import catches, check_glorot
from torch import Tensor, nn
from torch.testing import assert_close

from gru4rec_lite.cells import CELLS, GRUCell, LSTMCell, RNNCell, glorot_blocks_
from gru4rec_lite.museum.network import swapped_update_gate

LANES, N_IN, UNITS = 3, 4, 5
each_cell = pytest.mark.parametrize("name", list(CELLS))


def shaken(cell):
    """The cell with every parameter random, biases too, in float64."""
    torch.manual_seed(7)
    cell = cell.double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.7)
    return cell


def inputs_and_state(cell, lanes: int = LANES) -> tuple[Tensor, Tensor]:
    torch.manual_seed(8)
    return torch.randn(lanes, N_IN).double(), torch.randn(lanes, cell.n_states, cell.units).double()


# The equations once more, number by number: `total(gate, u)` is row u of W x + U h + b of that gate.
def rnn_loop(x, state, w):
    h = state[0]
    return [[(total(0, u, x, h, w)).tanh() for u in range(UNITS)]]


def lstm_loop(x, state, w):
    h, memory = state
    new_h, new_memory = [], []
    for u in range(UNITS):
        i, f, g, o = (total(gate, u, x, h, w) for gate in range(4))
        c = f.sigmoid() * memory[u] + i.sigmoid() * g.tanh()
        new_memory.append(c)
        new_h.append(o.sigmoid() * c.tanh())
    return [new_h, new_memory]


def paper_gru_loop(x, state, w):
    h = state[0]
    r = [total(0, u, x, h, w).sigmoid() for u in range(UNITS)]
    z = [total(1, u, x, h, w).sigmoid() for u in range(UNITS)]
    reset_h = [r[u] * h[u] for u in range(UNITS)]
    candidate = [total(2, u, x, reset_h, w).tanh() for u in range(UNITS)]
    return [[(1 - z[u]) * h[u] + z[u] * candidate[u] for u in range(UNITS)]]


def torch_gru_loop(x, state, w):
    h, b = state[0], w["bias_hh"]
    new = []
    for u in range(UNITS):
        r = (total(0, u, x, h, w) + b[u]).sigmoid()
        z = (total(1, u, x, h, w) + b[UNITS + u]).sigmoid()
        from_x = sum(w["weight_ih"][2 * UNITS + u, i] * x[i] for i in range(N_IN)) + w["bias_ih"][2 * UNITS + u]
        from_h = sum(w["weight_hh"][2 * UNITS + u, v] * h[v] for v in range(UNITS)) + b[2 * UNITS + u]
        new.append(z * h[u] + (1 - z) * (from_x + r * from_h).tanh())
    return [new]


def total(gate, u, x, h, w):
    row = gate * UNITS + u
    from_x = sum(w["weight_ih"][row, i] * x[i] for i in range(N_IN))
    return from_x + sum(w["weight_hh"][row, v] * h[v] for v in range(UNITS)) + w["bias_ih"][row]


LOOPS = {"gru": torch_gru_loop, "gru-paper": paper_gru_loop, "lstm": lstm_loop, "rnn": rnn_loop}


def check_scalar_loop(cell, loop, forward=None):
    x, state = inputs_and_state(cell)
    leaves = [x.requires_grad_(), state.requires_grad_(), *cell.parameters()]
    actual = forward(cell, x, state) if forward else cell(x, state)
    expected = torch.stack([
        torch.stack([torch.stack(states) for states in loop(x[lane], state[lane], dict(cell.named_parameters()))])
        for lane in range(LANES)
    ])  # fmt: skip
    assert_close(actual, expected)
    weight = torch.rand_like(expected)
    for got, wanted in zip(
        torch.autograd.grad((actual * weight).sum(), leaves),
        torch.autograd.grad((expected * weight).sum(), leaves),
        strict=True,
    ):
        assert_close(got, wanted)


@each_cell
def test_each_cell_equals_the_scalar_loop_in_value_and_gradient(name):
    check_scalar_loop(shaken(CELLS[name](N_IN, UNITS)), LOOPS[name])


@pytest.mark.parametrize("name", ["gru", "gru-paper"])
def test_the_scalar_loop_catches_a_swapped_update_gate(name):
    catches(check_scalar_loop, shaken(CELLS[name](N_IN, UNITS)), LOOPS[name], swapped_update_gate)


@each_cell
def test_gradients_equal_finite_differences(name):
    cell = shaken(CELLS[name](N_IN, UNITS))
    x, state = inputs_and_state(cell)
    assert torch.autograd.gradcheck(cell, (x.requires_grad_(), state.requires_grad_()))


def test_a_gru_worked_by_hand():
    # one unit, one input: W = (r: 0, z: ln 3, c: 1), U = (r: 0, z: 0, c: 2), x = 1, h = 0.5
    cell = GRUCell(1, 1, reset="before").double()
    ln3 = torch.tensor(3.0, dtype=torch.float64).log()
    cell.load_state_dict({
        "weight_ih": torch.stack((torch.zeros_like(ln3), ln3, torch.ones_like(ln3))).reshape(3, 1),
        "weight_hh": torch.tensor([[0.0], [0.0], [2.0]]),
        "bias_ih": torch.zeros(3),
    })  # fmt: skip
    x, h = torch.ones(1, 1).double(), torch.full((1, 1, 1), 0.5).double()
    # r = 1/2, z = 3/4, c = tanh(1 + 2 · (1/2 · 1/2)) = tanh 1.5, h' = 1/4 · 0.5 + 3/4 · c
    assert_close(cell(x, h), torch.full((1, 1, 1), 0.125 + 0.75 * 0.9051482536448664).double())


# --- torch's own cells


def test_the_gru_that_resets_after_is_torchs_parameters_one_to_one():
    theirs = shaken(nn.GRUCell(N_IN, UNITS))
    ours = GRUCell(N_IN, UNITS, reset="after").double()
    ours.load_state_dict(theirs.state_dict())  # strict: the same names and shapes
    x, state = inputs_and_state(ours)
    assert_close(ours(x, state)[:, 0], theirs(x, state[:, 0]))


@pytest.mark.parametrize(("ours", "theirs"), [(LSTMCell, nn.LSTMCell), (RNNCell, nn.RNNCell)])
def test_the_lstm_and_rnn_are_torchs_without_the_second_bias(ours, theirs):
    ours, theirs = shaken(ours(N_IN, UNITS)), theirs(N_IN, UNITS).double()
    theirs.load_state_dict({**ours.state_dict(), "bias_hh": torch.zeros_like(ours.bias_ih)})
    x, state = inputs_and_state(ours)
    wanted = theirs(x, (state[:, 0], state[:, 1]) if ours.n_states == 2 else state[:, 0])
    wanted = torch.stack(wanted, dim=1) if ours.n_states == 2 else wanted.unsqueeze(1)
    assert_close(ours(x, state), wanted)


# --- reset before or after


def same_weights(before: GRUCell, blocks=(0, 1, 2), signs=(1, -1, 1)) -> GRUCell:
    """The other kind of GRU with these weights, gate blocks reordered and their signs turned."""
    after = GRUCell(N_IN, UNITS, reset="after").double()
    weights = {name: w.detach().chunk(3) for name, w in before.named_parameters()}
    weights = {
        name: torch.cat([sign * w[b] for b, sign in zip(blocks, signs, strict=True)]) for name, w in weights.items()
    }
    after.load_state_dict({**weights, "bias_hh": torch.zeros(3 * UNITS)})
    return after


def test_the_place_of_the_reset_gate_is_all_that_differs():
    before = shaken(GRUCell(N_IN, UNITS, reset="before"))
    with torch.no_grad():
        before.bias_ih[:UNITS] = 100.0  # r = 1 everywhere: nothing is reset, before or after
    x, state = inputs_and_state(before)
    assert_close(same_weights(before)(x, state), before(x, state))  # z ↔ 1 - z is the turned sign of block 1


def test_no_relabelling_of_gates_makes_reset_before_and_after_the_same():
    before = shaken(GRUCell(N_IN, UNITS, reset="before"))
    x, state = inputs_and_state(before)
    for blocks, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        difference = same_weights(before, blocks, signs)(x, state) - before(x, state)
        assert difference.abs().max() > 0.05


def test_an_unknown_place_of_the_reset_gate_is_refused():
    with pytest.raises(ValueError, match=r"reset='between'.*'before'.*'after'"):
        GRUCell(N_IN, UNITS, reset="between")


# --- the two halves, one-hot inputs, states


@each_cell
def test_a_cell_without_input_matrix_is_one_fed_with_one_hot_vectors(name):
    rows = shaken(CELLS[name](None, UNITS))
    assert "weight_ih" not in dict(rows.named_parameters())
    table = torch.randn(9, rows.n_gates * UNITS).double()
    dense = CELLS[name](9, UNITS).double()
    dense.load_state_dict({**rows.state_dict(), "weight_ih": table.T})
    clicked = torch.tensor([8, 0, 8])
    _, state = inputs_and_state(rows)
    assert_close(rows(table[clicked], state), dense(nn.functional.one_hot(clicked, 9).double(), state))


@each_cell
def test_step_after_input_gates_is_the_whole_cell(name):
    cell = shaken(CELLS[name](N_IN, UNITS))
    x, state = inputs_and_state(cell)
    gates = cell.input_gates(x)
    assert gates.shape == (LANES, cell.n_gates * UNITS)
    assert_close(gates, x @ cell.weight_ih.T + cell.bias_ih)
    assert_close(cell.step(gates, state), cell(x, state))


@each_cell
def test_lanes_do_not_see_each_other(name):
    cell = shaken(CELLS[name](N_IN, UNITS))
    x, state = inputs_and_state(cell)
    together = cell(x, state)
    for lane in range(LANES):
        assert_close(cell(x[lane : lane + 1], state[lane : lane + 1]), together[lane : lane + 1])


@each_cell
def test_a_fresh_state_is_zero_and_as_large_as_the_next_one(name):
    cell = CELLS[name](N_IN, UNITS)
    fresh = cell.zeros(LANES)
    assert fresh.shape == (LANES, 2 if name == "lstm" else 1, UNITS)
    assert not fresh.any()
    assert cell(torch.ones(LANES, N_IN), fresh).shape == fresh.shape


# --- first weights


@each_cell
def test_first_weights_are_glorot_uniform_in_each_gates_block(name):
    torch.manual_seed(1)
    cell = CELLS[name](60, 80)
    assert all(parameter.dtype == torch.float32 for parameter in cell.parameters())
    check_glorot(cell.weight_ih, cell.n_gates)
    check_glorot(cell.weight_hh, cell.n_gates)


@each_cell
def test_first_biases_are_zero(name):
    biases = [p for n, p in CELLS[name](6, 8).named_parameters() if n.startswith("bias")]
    assert biases
    assert not any(p.any() for p in biases)


def test_torchs_default_weights_are_not_glorots():
    for cell in (nn.GRUCell(60, 80), nn.LSTMCell(60, 80), nn.RNNCell(60, 80)):
        catches(check_glorot, cell.weight_hh, cell.weight_hh.shape[0] // 80)


def test_first_weights_of_a_table_are_glorot_uniform_in_each_gates_columns():
    torch.manual_seed(1)
    weight = torch.empty(60, 240)
    glorot_blocks_(weight, 3, columns=True)
    check_glorot(weight, 3, columns=True)


# --- what is refused


@each_cell
@pytest.mark.parametrize("value", [0, -1, 2.5, True])
def test_widths_that_are_no_numbers_of_units_are_refused(name, value):
    with pytest.raises(ValueError, match=f"units={value}: must be a whole number of at least 1"):
        CELLS[name](N_IN, value)
    with pytest.raises(ValueError, match=f"n_in={value}: must be a whole number of at least 1"):
        CELLS[name](value, UNITS)


@each_cell
def test_a_cell_of_one_unit_and_one_input_is_a_cell(name):
    cell = CELLS[name](1, 1)
    assert cell(torch.ones(2, 1), cell.zeros(2)).shape == (2, cell.n_states, 1)


@each_cell
def test_no_lane_has_a_state_too_and_fewer_are_refused(name):
    cell = CELLS[name](N_IN, UNITS).double()
    assert cell.zeros(0).shape == (0, cell.n_states, UNITS)
    assert cell.zeros(0).dtype == torch.float64
    with pytest.raises(ValueError, match="lanes=-1: must be a whole number of at least 0"):
        cell.zeros(-1)


@each_cell
def test_a_state_or_input_of_another_shape_is_refused(name):
    cell = CELLS[name](N_IN, UNITS)
    state = cell.zeros(LANES)
    for wrong in (state[:1], state[:, :, :1], state.repeat(1, 2, 1), state[:, 0]):
        with pytest.raises(ValueError, match=r"state=\(.+\): must be \(B, \d, 5\), .* here \(3, 4\)"):
            cell(torch.zeros(LANES, N_IN), wrong)
    with pytest.raises(ValueError, match=r"here \(3, 1, 4\)"):
        cell(torch.zeros(LANES, 1, N_IN), state)


def test_a_gru_resets_after_unless_said_otherwise():
    assert GRUCell(N_IN, UNITS).reset == "after"
    assert "bias_hh" in dict(GRUCell(N_IN, UNITS).named_parameters())
    assert "bias_hh" not in dict(GRUCell(N_IN, UNITS, reset="before").named_parameters())
