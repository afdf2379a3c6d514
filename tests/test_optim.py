from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import assert_same_bits, catches, copies
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from gru4rec_lite.museum import optim as museum
from gru4rec_lite.optim import Adagrad, row_sums

LR, EPS = 0.3, 1e-6
momenta = pytest.mark.parametrize("momentum", [0.0, 0.6])


def table(rows: int = 6, width: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(rows, width)))


class InNumPy:
    """The equations again, number by number over a dense gradient; `touched` says which rows may move."""

    def __init__(self, weights: np.ndarray, momentum: float):
        self.w, self.acc, self.v, self.momentum = (
            weights.copy(),
            np.zeros(weights.shape),
            np.zeros(weights.shape),
            momentum,
        )

    def step(self, grad: np.ndarray, touched=None) -> None:
        for row in range(len(self.w)) if touched is None else sorted(set(touched)):
            for column in range(self.w.shape[1]):
                g = grad[row, column]
                self.acc[row, column] += g * g
                self.v[row, column] = (
                    self.momentum * self.v[row, column] - LR * g / (self.acc[row, column] + EPS) ** 0.5
                )
                self.w[row, column] += self.v[row, column]


def update_rows(optimiser, name, rows, grad):
    optimiser.update_rows(name, rows, grad)


def check_three_dense_steps(momentum, prepare=lambda optimiser: optimiser, after=lambda optimiser: None):
    weights = table()
    expected = InNumPy(weights.numpy(), momentum)
    optimiser = prepare(Adagrad({"w": weights}, LR, momentum))
    for step in range(3):
        grad = table(seed=10 + step)
        optimiser.update("w", grad)
        after(optimiser)
        expected.step(grad.numpy())
        assert_close(weights.numpy(), expected.w, rtol=1e-12, atol=1e-12)


def check_three_row_steps(momentum, update=update_rows, repeats=True):
    weights = table()
    expected = InNumPy(weights.numpy(), momentum)
    optimiser = Adagrad({"w": weights}, LR, momentum)
    for step, rows in enumerate([[4, 1, 4, 0, 4], [1, 1], [5, 0, 4]] if repeats else [[4, 1, 0], [1], [5, 0, 4]]):
        grad = table(len(rows), seed=20 + step)
        update(optimiser, "w", torch.tensor(rows), grad)
        dense = np.zeros(weights.shape)
        for row, g in zip(rows, grad.numpy(), strict=True):
            dense[row] += g
        expected.step(dense, touched=rows)
        assert_close(weights.numpy(), expected.w, rtol=1e-12, atol=1e-12)
        assert_close(optimiser.state["acc.w"].numpy(), expected.acc, rtol=1e-12, atol=1e-12)
        if momentum:
            assert_close(optimiser.state["velocity.w"].numpy(), expected.v, rtol=1e-12, atol=1e-12)


@momenta
def test_three_dense_steps_equal_numpys(momentum):
    check_three_dense_steps(momentum)


@momenta
def test_three_steps_over_rows_equal_numpys_on_the_summed_gradient(momentum):
    check_three_row_steps(momentum)
    check_three_row_steps(momentum, repeats=False)


@momenta
def test_an_accumulator_above_zero_and_a_decaying_rate_are_caught(momentum):
    catches(check_three_dense_steps, momentum, museum.warm_accumulator)
    catches(check_three_dense_steps, momentum, lambda optimiser: optimiser, museum.decay)


@pytest.mark.parametrize("broken", [museum.update_one_by_one, museum.update_last_wins])
@momenta
def test_repeated_rows_that_are_not_summed_are_caught(broken, momentum):
    check_three_row_steps(momentum, broken, repeats=False)  # without repeats it is right: this is the whole bug
    catches(check_three_row_steps, momentum, broken)


@momenta
def test_the_first_step_has_the_size_of_the_learning_rate(momentum):
    weights = torch.zeros(2, 2, dtype=torch.float64)
    Adagrad({"w": weights}, LR, momentum).update("w", torch.tensor([[5.0, -0.01], [200.0, 0.0]]).double())
    assert_close(weights, torch.tensor([[-LR, LR], [-LR, 0.0]]).double(), rtol=0, atol=0.01 * LR)


def check_untouched_rows_stay(update):
    weights = table().float()
    optimiser = Adagrad({"w": weights}, LR, 0.9)
    everywhere, some = torch.arange(6), torch.tensor([2, 5, 2])
    update(optimiser, "w", everywhere, table(seed=1).float())  # all rows have velocity now
    before, before_state = weights.clone(), copies(optimiser.state)
    update(optimiser, "w", some, table(3, seed=2).float())
    untouched = [0, 1, 3, 4]
    assert_same_bits(weights[untouched], before[untouched])
    for name, tensor in optimiser.state.items():
        assert_same_bits(tensor[untouched], before_state[name][untouched])
    assert (weights[[2, 5]] != before[[2, 5]]).all()


def test_untouched_rows_their_accumulator_and_velocity_stay_bit_for_bit():
    check_untouched_rows_stay(update_rows)
    catches(check_untouched_rows_stay, museum.update_everywhere)


def test_the_order_of_the_rows_does_not_matter():
    rows, grad = torch.tensor([3, 0, 3, 5, 0, 3]), table(6, seed=3)
    shuffled = torch.tensor([5, 2, 0, 4, 3, 1])
    one, other = table(), table()
    Adagrad({"w": one}, LR, 0.5).update_rows("w", rows, grad)
    Adagrad({"w": other}, LR, 0.5).update_rows("w", rows[shuffled], grad[shuffled])
    assert_close(one, other, rtol=1e-12, atol=1e-12)


@momenta
def test_rows_of_a_table_and_the_whole_table_are_updated_alike(momentum):
    by_rows, whole = table(), table()
    one, other = Adagrad({"w": by_rows}, LR, momentum), Adagrad({"w": whole}, LR, momentum)
    order = torch.tensor([5, 3, 1, 0, 2, 4])
    for step in range(3):
        grad = table(seed=30 + step)
        one.update_rows("w", order, grad[order])
        other.update("w", grad)
    assert_close(by_rows, whole, rtol=1e-12, atol=1e-12)
    for name in one.state:
        assert_close(one.state[name], other.state[name], rtol=1e-12, atol=1e-12)


def test_it_is_torchs_adagrad_but_for_the_place_of_eps():
    ours, theirs = table(), torch.nn.Parameter(table())
    reference = torch.optim.Adagrad([theirs], lr=LR, eps=EPS)
    optimiser = Adagrad({"w": ours}, LR)
    for step in range(5):
        theirs.grad = table(seed=40 + step)
        reference.step()
        optimiser.update("w", theirs.grad)
    assert_close(ours, theirs.detach(), rtol=0, atol=1e-4)


def test_parameters_are_updated_in_place_and_without_a_graph():
    weights = torch.nn.Parameter(table())
    place = weights.data_ptr()
    Adagrad({"w": weights}, LR).update_rows("w", torch.tensor([1]), table(1))
    assert weights.data_ptr() == place
    assert weights.grad_fn is None
    assert not torch.equal(weights[1], table()[1])


def test_the_state_begins_at_zero_and_has_velocity_only_with_momentum():
    for momentum, kinds in ((0.0, ["acc.a", "acc.b"]), (0.5, ["acc.a", "acc.b", "velocity.a", "velocity.b"])):
        state = Adagrad({"a": table(), "b": table(2, 7)}, LR, momentum).state
        assert sorted(state) == kinds
        assert not any(tensor.any() for tensor in state.values())
        assert state["acc.b"].shape == (2, 7)


def test_an_optimiser_goes_on_from_a_saved_state_as_if_it_had_never_stopped():
    whole, halves = table(), table()
    one, first = Adagrad({"w": whole}, LR, 0.5), Adagrad({"w": halves}, LR, 0.5)
    one.update("w", table(seed=1))
    first.update("w", table(seed=1))
    second = Adagrad({"w": halves}, LR, 0.5)
    for name, tensor in first.state.items():
        second.state[name].copy_(tensor)
    one.update_rows("w", torch.tensor([2, 2]), table(2, seed=2))
    second.update_rows("w", torch.tensor([2, 2]), table(2, seed=2))
    assert_same_bits(whole, halves)


@pytest.mark.parametrize("lr", [0.0, -0.1, float("nan")])
def test_a_learning_rate_that_is_not_above_0_is_refused(lr):
    with pytest.raises(ValueError, match=f"lr={lr}: must be a number above 0"):
        Adagrad({"w": table()}, lr)


@pytest.mark.parametrize("momentum", [1.0, -0.1, float("nan")])
def test_a_momentum_outside_0_to_1_is_refused(momentum):
    with pytest.raises(ValueError, match=f"momentum={momentum}: must be a number of at least 0, below 1"):
        Adagrad({"w": table()}, LR, momentum)


# --- more occurrences than rows, tables of several sizes, a compiled step


@momenta
@pytest.mark.parametrize("occurrences", [5, 6, 7, 40])  # of 6 rows: with more of them the whole table is updated
def test_any_number_of_occurrences_equals_numpys_on_the_summed_gradient(momentum, occurrences):
    weights, rng = table(), np.random.default_rng(occurrences)
    expected, optimiser = InNumPy(weights.numpy(), momentum), Adagrad({"w": weights}, LR, momentum)
    for step in range(3):
        rows, grad = rng.choice([0, 2, 3, 5], occurrences), table(occurrences, seed=50 + step)
        optimiser.update_rows("w", torch.from_numpy(rows), grad)
        dense = np.zeros(weights.shape)
        np.add.at(dense, rows, grad.numpy())
        expected.step(dense, touched=rows.tolist())
        assert_close(weights.numpy(), expected.w, rtol=1e-12, atol=1e-12)
        assert_close(optimiser.state["acc.w"].numpy(), expected.acc, rtol=1e-12, atol=1e-12)
    assert_same_bits(weights[[1, 4]], table()[[1, 4]])


@momenta
def test_tables_of_several_sizes_and_shapes_do_not_disturb_each_other(momentum):
    sizes = {"a": (6, 3), "b": (6, 5), "c": (9, 3), "bias": (9, 1)}
    together, alone = ({n: table(*size, seed=len(n)) for n, size in sizes.items()} for _ in range(2))
    optimiser = Adagrad(together, LR, momentum)
    others = {n: Adagrad({n: alone[n]}, LR, momentum) for n in sizes}
    for step in range(3):
        for n, (rows, width) in sizes.items():
            touched = torch.tensor([rows - 1, 0, rows - 1])
            grad = table(3, width, seed=step)
            optimiser.update_rows(n, touched, grad)
            others[n].update_rows(n, touched, grad)
    for n in sizes:
        assert_same_bits(together[n], alone[n])


def summed_by_loop(grad, rows, n_rows):
    total = np.zeros((n_rows, grad.shape[1]))
    for row, g in zip(rows.tolist(), grad.numpy(), strict=True):
        total[row] += g
    return total


@pytest.mark.parametrize("compiling", [False, True])
def test_what_falls_to_each_row_is_summed_compiled_or_not(compiling, monkeypatch):
    seen = []

    class Names(TorchDispatchMode):
        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            seen.append(operation.overloadpacket.__name__)
            return operation(*args, **(kwargs or {}))

    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: compiling)
    grad, rows = table(5), torch.tensor([3, 0, 3, 1, 3])
    with Names():
        found = row_sums(grad, rows, 7)
    assert_close(found.numpy(), summed_by_loop(grad, rows, 7))
    assert ("row_sums" in seen) == compiling  # one operation for the compiler, which adds rows one number at a time
    shape_only = row_sums(grad.to("meta"), rows.to("meta"), 7)  # another device than the processor: as it is
    assert (shape_only.device.type, shape_only.shape) == ("meta", (7, 3))


def test_the_compiler_is_told_the_shape_that_the_sum_will_have():
    with FakeTensorMode() as fake:
        grad, rows = fake.from_tensor(table(5)), fake.from_tensor(torch.tensor([3, 0, 3, 1, 3]))
        told = torch.ops.gru4rec_lite.row_sums(grad, rows, 7)
    assert (told.shape, told.dtype, told.device.type) == ((7, 3), torch.float64, "cpu")


@momenta
def test_updates_are_made_on_the_device_of_the_table(momentum):
    optimiser = Adagrad({"w": table().to("meta")}, LR, momentum)  # a device that refuses tensors of another one
    optimiser.update("w", table().to("meta"))
    optimiser.update_rows("w", torch.tensor([1, 4, 1]).to("meta"), table(3).to("meta"))
    assert {tensor.device.type for tensor in optimiser.state.values()} == {"meta"}


# --- what is refused


@pytest.mark.parametrize("parameters", [[table()], {"w": [1.0]}, {"w": table(), "b": None}, table()])
def test_parameters_that_are_no_tensors_by_name_are_refused(parameters):
    with pytest.raises(ValueError, match=r"parameters=.+: must be a dict of tensors by name") as error:
        Adagrad(parameters, LR)
    assert "parameters=None" not in str(error.value)


ROWS = torch.tensor([1, 2])


@pytest.mark.parametrize(
    ("update", "message"),
    [
        (lambda o: o.update("v", table()), "name='v': must be one of 'w', 'b'"),
        (lambda o: o.update_rows("v", ROWS, table(2)), "name='v': must be one of 'w', 'b'"),
        (lambda o: o.update("w", table()[:1, :1]), r"grad=\(1, 1\): must be \(6, 3\), as 'w' is"),
        (lambda o: o.update_rows("w", [1, 2], table(2)), r"rows=\[1, 2\]: must be a tensor of 1 dimension of int64"),
        (lambda o: o.update_rows("w", ROWS.double(), table(2)), r"rows=Tensor \(2,\) of float64: must be a tensor"),
        (lambda o: o.update_rows("w", ROWS.unsqueeze(0), table(1)), r"rows=Tensor \(1, 2\) of int64: must be a tensor"),
        (lambda o: o.update_rows("w", ROWS, table(1)), r"grad=\(1, 3\): must be a row of 'w' for each of the 2 rows"),
        (
            lambda o: o.update_rows("w", ROWS, table(2, 1)),
            r"grad=\(2, 1\): must be a row of 'w' for each of the 2 rows",
        ),
    ],
)
def test_an_update_that_does_not_fit_is_refused_and_changes_nothing(update, message):
    weights = {"w": table(), "b": table(4)}
    optimiser = Adagrad(weights, LR)
    with pytest.raises(ValueError, match=message):
        update(optimiser)
    assert_same_bits(weights["w"], table())
    assert not any(tensor.any() for tensor in optimiser.state.values())
