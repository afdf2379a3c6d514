"""BPR-MF: its step against autograd and a scalar loop, and what it can learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from logs import click_log, random_log

from gru4rec_lite.baselines import BPRMF
from gru4rec_lite.baselines.bpr_mf import descend
from gru4rec_lite.training import Diverged


def random_factors(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"p": rng.normal(size=(5, 3)), "q": rng.normal(size=(7, 3)), "b": rng.normal(size=7)}


@pytest.mark.parametrize("regularisation", [0.0, 0.3])
def test_a_step_is_minus_the_gradient_that_autograd_finds(regularisation):
    factors, lr = random_factors(), 0.1
    s, i, j = np.array([0, 3, 0, 4]), np.array([1, 1, 2, 6]), np.array([2, 1, 5, 0])  # repeats; the second is no order
    t = {name: torch.tensor(array, requires_grad=True) for name, array in factors.items()}
    p, qi, qj, bi, bj = t["p"][s], t["q"][i], t["q"][j], t["b"][i], t["b"][j]
    x = (p * qi).sum(1) + bi - (p * qj).sum(1) - bj
    squares = sum((a**2).sum() for a in (p, qi, qj, bi, bj))
    (-torch.nn.functional.logsigmoid(x).sum() + regularisation / 2 * squares).backward()
    descend(factors, s, i, j, lr, regularisation)
    for name, before in t.items():
        np.testing.assert_allclose(factors[name], (before - lr * before.grad).detach())


def test_side_by_side_is_one_by_one_where_nothing_is_shared():
    together, apart = random_factors(), random_factors()
    s, i, j = np.array([0, 1, 2]), np.array([0, 2, 4]), np.array([1, 3, 5])
    descend(together, s, i, j, 0.1, 0.2)
    for k in range(3):
        descend(apart, s[k : k + 1], i[k : k + 1], j[k : k + 1], 0.1, 0.2)
    for name in together:
        np.testing.assert_allclose(together[name], apart[name])


def test_a_session_is_the_mean_of_its_items_vectors():
    model = BPRMF(n_factors=4, n_epochs=1).fit(random_log())
    q, b = model.factors["q"], model.factors["b"]
    expected = [b[j] + np.mean([q[i] @ q[j] for i in (2, 5, 2)]) for j in range(len(q))]
    np.testing.assert_allclose(model.score(np.array([2, 5, 2]), 0.0), expected, rtol=1e-4)


def test_items_of_one_taste_are_found():
    rng = np.random.default_rng(0)
    sessions = ["".join(rng.choice(list("abcd" if taste else "wxyz"), 4)) for taste in rng.integers(2, size=200)]
    model = BPRMF(n_factors=8, learning_rate=0.05, n_epochs=20).fit(click_log(*sessions))
    assert set(model.recommend(["a"], k=4)["ItemId"]) == set("abcd")
    assert set(model.recommend(["z"], k=4)["ItemId"]) == set("wxyz")


def test_the_biases_learn_and_carry_popularity():
    sessions = ["aab", "aac", "aad"] * 40
    model = BPRMF(n_factors=2, n_epochs=20).fit(click_log(*sessions))
    assert model.recommend([])["ItemId"].tolist()[0] == "a"


def test_a_seed_gives_the_same_model_and_another_seed_another():
    one, same, other = (BPRMF(n_epochs=1, seed=seed).fit(random_log()).factors for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["q"], other["q"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_factors", 0),
        ("n_epochs", 0),
        ("batch_size", 1.5),
        ("seed", -1),
        ("learning_rate", 0),
        ("regularisation", -1),
    ],
)
def test_a_setting_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name}=.*: must be a"):
        BPRMF(**{name: value})


def test_a_learning_rate_that_explodes_is_named():
    model = BPRMF(n_factors=4, learning_rate=1000, regularisation=1.0, batch_size=4096)
    named = pytest.raises(Diverged, match=r"learning_rate=1000: the factors became infinite; try a quarter")
    with np.errstate(all="ignore"), named:
        model.fit(random_log(200))
