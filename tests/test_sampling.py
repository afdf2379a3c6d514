from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import all_but_diagonal, catches, gradient, random_candidates, seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch.testing import assert_close

from gru4rec_lite import losses
from gru4rec_lite.museum import sampling as museum
from gru4rec_lite.sampling import NegativeSampler, alias_table, correct_logq, negatives

SUPPORT = torch.tensor(
    [0, 50, 3, 1, 0, 12, 7, 200, 1, 30, 0]
)  # the first, one in the middle and the last are never clicked
alphas = pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])


@pytest.fixture(autouse=True)
def _same_draws_every_time():
    with seeded(1, 1):
        yield


# --- draws


@alphas
def test_a_million_draws_follow_popularity_to_the_alpha(alpha):
    drawn = np.bincount(NegativeSampler(SUPPORT, 1000, alpha).draw(1000).flatten(), minlength=len(SUPPORT))
    clicked = SUPPORT.numpy() > 0
    weight = SUPPORT.numpy()[clicked].astype(float) ** alpha
    assert drawn[~clicked].sum() == 0
    assert chisquare(drawn[clicked], 1_000_000 * weight / weight.sum()).pvalue > 1e-3


def test_the_chi_square_would_notice_another_alpha():
    drawn = np.bincount(NegativeSampler(SUPPORT[SUPPORT > 0], 1000, 0.5).draw(1000).flatten())
    weight = SUPPORT[SUPPORT > 0].numpy() ** 0.51
    assert chisquare(drawn, 1_000_000 * weight / weight.sum()).pvalue < 1e-3


def check_alias_table(probability: torch.Tensor, table=alias_table) -> None:
    """A cell is hit with probability 1/N and gives its own item or its alias: what each item gets in all is its due."""
    keep, alias = table(probability)
    assert ((keep >= 0) & (keep <= 1)).all()
    given = np.zeros(len(probability))
    for cell, (k, other) in enumerate(zip(keep.tolist(), alias.tolist(), strict=True)):
        given[cell] += k / len(probability)
        given[other] += (1 - k) / len(probability)
    assert_close(given, probability.numpy(), rtol=1e-9, atol=1e-14)
    assert (given[probability.numpy() == 0] == 0).all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60).filter(any), st.sampled_from([0.0, 0.3, 1.0]))
def test_the_alias_table_gives_every_item_its_due(support, alpha):
    check_alias_table(NegativeSampler(torch.tensor(support), 1, alpha).probability)


def test_an_alias_table_with_two_cells_changed_is_caught():
    def broken(probability):
        keep, alias = alias_table(probability)
        return keep, alias.roll(1)

    catches(check_alias_table, NegativeSampler(SUPPORT, 1, 1.0).probability, broken)


@pytest.mark.parametrize(
    "support",
    [[7], [3, 3, 3], [1, 1, 1, 97], [0, 0, 5], [1] * 1000 + [10**9], list(range(1, 2000)), [2, 1] * 500],
    ids=["one item", "uniform", "one above all", "unclicked", "a long tail", "a staircase", "in turn"],
)
def test_the_alias_table_of_odd_catalogues(support):
    check_alias_table(NegativeSampler(torch.tensor(support), 1, 1.0).probability)


@alphas
def test_the_ends_of_the_unit_interval_never_draw_an_item_without_clicks(alpha, monkeypatch):
    sampler = NegativeSampler(SUPPORT, 1000, alpha)
    for end in (0.0, np.nextafter(1.0, 0.0)):
        monkeypatch.setattr(torch, "rand", lambda shape, end=end, **kind: torch.full(shape, end, dtype=kind["dtype"]))
        assert (SUPPORT[sampler.draw(3)] > 0).all()


def test_the_last_item_of_a_long_tail_is_drawn():
    support = torch.ones(50_000, dtype=torch.int64)
    support[0] = 10**9  # in float32 a running sum of this size would not see a single click more
    sampler = NegativeSampler(support, 10**6, 1.0)
    probability = sampler.probability.numpy()
    assert_close(probability[1:], np.full(49_999, 1 / (10**9 + 49_999)), rtol=1e-9, atol=0)
    assert (sampler._keep > 0).all()
    assert NegativeSampler(support, 10**6, 0.0).draw(2).max() == 49_999


def test_probabilities_are_those_of_the_definition():
    sampler = NegativeSampler(SUPPORT, 3, 0.75)
    weight = np.array([s**0.75 if s > 0 else 0.0 for s in SUPPORT.tolist()])
    assert_close(sampler.probability.numpy(), weight / weight.sum())
    assert_close(sampler.popularity.numpy(), SUPPORT.numpy() / 304)


def test_draws_are_item_numbers_of_the_shape_asked_for():
    draws = NegativeSampler(SUPPORT, 5, 0.5).draw(4)
    assert draws.shape == (4, 5)
    assert draws.dtype == torch.int64


def test_no_samples_is_an_empty_draw_and_no_expected_extra():
    sampler = NegativeSampler(SUPPORT, 0, 0.5)
    assert sampler.draw(4).shape == (4, 0)
    assert_close(sampler.expected_count(torch.arange(11), lanes=5), 4 * SUPPORT.double() / SUPPORT.sum())


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_an_alpha_outside_0_to_1_is_refused(alpha):
    with pytest.raises(ValueError, match=f"alpha={alpha}: must be a number of at least 0, at most 1"):
        NegativeSampler(SUPPORT, 1, alpha)


def test_a_negative_number_of_samples_is_refused():
    with pytest.raises(ValueError, match="n_samples=-1: must be a whole number of at least 0"):
        NegativeSampler(SUPPORT, -1, 0.5)


# --- accidental hits


def check_negatives_double_loop(which):
    for seed in range(3):
        candidates = random_candidates(5, 7, n_items=6, seed=seed)
        expected = [[other != own for other in candidates.tolist()] for own in candidates[:5].tolist()]
        assert torch.equal(which(candidates, candidates[:5]), torch.tensor(expected))


def check_hits_get_no_gradient(which, loss):
    # lane 0's target 4 is lane 1's target and the second sample as well
    candidates = torch.tensor([4, 4, 2, 9, 4])
    scores = torch.tensor([[0.2, 1.0, -0.3, 0.8, 1.5]] * 3, dtype=torch.float64)
    got = gradient(loss, scores, which(candidates, candidates[:3]))
    assert got[0, [1, 4]].tolist() == [0.0, 0.0]
    assert got[1, [0, 4]].tolist() == [0.0, 0.0]
    assert (got[2, [0, 1, 3, 4]] != 0).all()  # to lane 2 they are negatives like any other
    assert (got[0, [2, 3]] != 0).all()


def test_negatives_are_the_candidates_that_are_another_item():
    check_negatives_double_loop(negatives)
    catches(check_negatives_double_loop, museum.negatives_with_hits)
    catches(check_negatives_double_loop, museum.negatives_with_target)


@pytest.mark.parametrize("name", list(losses.LOSSES))
def test_an_accidental_hit_gets_no_gradient_from_the_lane_whose_target_it_is(name):
    check_hits_get_no_gradient(negatives, losses.LOSSES[name])
    catches(check_hits_get_no_gradient, museum.negatives_with_hits, losses.LOSSES[name])


def test_targets_that_are_all_the_same_item_leave_no_negatives():
    assert not negatives(torch.tensor([3, 3, 3, 3]), torch.tensor([3, 3, 3])).any()


# --- logQ


@alphas
def test_expected_counts_are_what_a_simulation_counts(alpha):
    lanes, n_samples, n_steps = 6, 9, 20_000
    sampler = NegativeSampler(SUPPORT, n_samples, alpha)
    rng = np.random.default_rng(3)
    in_batch = rng.choice(len(SUPPORT), (n_steps, lanes - 1), p=SUPPORT.numpy() / SUPPORT.sum().item())
    candidates = np.concatenate((in_batch, sampler.draw(n_steps).numpy()), axis=1)  # of one lane, its own target aside
    expected = sampler.expected_count(torch.arange(len(SUPPORT)), lanes).numpy()
    assert expected.sum() == pytest.approx(lanes - 1 + n_samples)
    for item, q in enumerate(expected):
        counts = (candidates == item).sum(axis=1)
        assert abs(counts.mean() - q) <= 4 * counts.std() / n_steps**0.5


def test_logq_takes_the_logarithm_of_the_expected_count_from_every_column():
    candidates = torch.tensor([7, 1, 7, 3, 5])
    scores = torch.randn(3, 5, dtype=torch.float64)
    q = NegativeSampler(SUPPORT, 2, 0.5).expected_count(candidates, lanes=3)
    total = sum(s**0.5 for s in SUPPORT.tolist())
    for column, item in enumerate(candidates.tolist()):
        support = SUPPORT[item].item()
        by_hand = 2 * support / 304 + 2 * support**0.5 / total
        corrected = correct_logq(scores, q, 0.7)[:, column]
        assert_close(corrected, scores[:, column] - 0.7 * np.log(by_hand))  # the target's own column as well


def test_logq_keeps_the_scores_precision():
    q = NegativeSampler(SUPPORT, 2, 0.5).expected_count(torch.tensor([1, 2]), lanes=2)
    assert correct_logq(torch.zeros(2, 2), q, 1.0).dtype == torch.float32


def ours(support, n_samples, alpha, candidates, lanes):
    return NegativeSampler(support, n_samples, alpha).expected_count(candidates, lanes)


def gradient_with_logq(expected, support, alpha, logq=1.0):
    candidates = torch.tensor([4, 0, 2, 1, 3, 3, 0])
    scores = torch.from_numpy(np.random.default_rng(5).normal(size=(3, 7)))
    q = expected(support.double(), 4, alpha, candidates, 3)
    return gradient(lambda s, n: losses.cross_entropy(correct_logq(s, q, logq), n), scores, all_but_diagonal(3, 7))


def check_uniform_popularity_changes_nothing(expected):
    for alpha in (0.0, 0.5, 1.0):
        support = torch.full((5,), 8)
        assert_close(
            gradient_with_logq(expected, support, alpha), gradient_with_logq(expected, support, alpha, logq=0.0)
        )


def check_ten_times_the_clicks_change_nothing(expected):
    support = torch.tensor([3, 8, 1, 40, 7])
    for alpha in (0.0, 0.5, 1.0):
        assert_close(gradient_with_logq(expected, support, alpha), gradient_with_logq(expected, 10 * support, alpha))
        uncorrected = gradient_with_logq(expected, support, alpha, logq=0.0)
        assert (gradient_with_logq(expected, support, alpha) - uncorrected).abs().max() > 0.01


def test_with_uniform_popularity_logq_changes_no_gradient():
    check_uniform_popularity_changes_nothing(ours)
    catches(check_uniform_popularity_changes_nothing, museum.raw_counts)


def test_ten_times_the_clicks_change_no_gradient():
    check_ten_times_the_clicks_change_nothing(ours)
    catches(check_ten_times_the_clicks_change_nothing, museum.raw_counts)


def test_a_corrected_sample_estimates_the_softmax_over_the_catalogue():
    """Why logQ is there: the mean gradient over many samples points where that of all items points."""
    n_items, n_samples = 40, 400
    support = (1000 / np.arange(1, n_items + 1) ** 1.2).astype(int)
    scores = torch.from_numpy(np.random.default_rng(6).normal(size=n_items))
    sampler = NegativeSampler(torch.from_numpy(support), n_samples, 1.0)
    target = n_items // 2

    def mean_gradient(logq):
        total = torch.zeros(n_items, dtype=torch.float64)
        for draw in sampler.draw(50):
            candidates = torch.cat((torch.tensor([target]), draw))
            q = sampler.expected_count(candidates, lanes=1)

            def loss(s, is_negative, q=q):
                return losses.cross_entropy(correct_logq(s, q, logq), is_negative)

            per_column = gradient(loss, scores[candidates].unsqueeze(0), negatives(candidates, candidates[:1]))[0]
            total.index_add_(0, candidates, per_column)
        return total / 50

    full = scores.softmax(0)
    full[target] = 0.0  # the other items' share is what the sample estimates
    corrected, plain = mean_gradient(1.0), mean_gradient(0.0)
    corrected[target] = plain[target] = 0.0
    assert torch.cosine_similarity(corrected, full, dim=0) > 0.98
    assert torch.cosine_similarity(plain, full, dim=0) < 0.8


# --- devices, and what is refused


def test_draws_and_counts_are_made_on_the_device_asked_for():
    for device in ("cpu", "meta"):
        sampler = NegativeSampler(SUPPORT, 3, 0.5, device)
        drawn = sampler.draw(4)
        assert (drawn.device.type, drawn.shape, drawn.dtype) == (device, (4, 3), torch.int64)
        assert sampler.expected_count(drawn[0], lanes=2).device.type == device
        assert sampler.probability.dtype == sampler.popularity.dtype == torch.float64
    assert NegativeSampler(SUPPORT, 3, 0.5).draw(1).device.type == "cpu"


def test_no_step_draws_nothing_and_one_lane_expects_no_click_of_another():
    sampler = NegativeSampler(SUPPORT, 3, 1.0)
    assert sampler.draw(0).shape == (0, 3)
    assert_close(sampler.expected_count(torch.arange(11), lanes=1), 3 * SUPPORT.double() / SUPPORT.sum())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_column_that_nobody_expects_stays_a_number(dtype):
    corrected = correct_logq(torch.zeros(1, 2), torch.tensor([0.0, 1.0], dtype=dtype), 1.0)
    assert corrected.isfinite().all()
    assert corrected[0, 1] == 0  # ln 1
    # the smallest number above 0 stands in for 0: it changes no count that can occur
    assert_close(corrected[0, 0].item(), -np.log(torch.finfo(dtype).tiny), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("support", "message"),
    [
        ([1, 2], r"support=\[1, 2\]: must be a tensor \(N,\), the clicks of each item"),
        (torch.ones(2, 2), r"support=Tensor \(2, 2\) of float32: must be a tensor \(N,\)"),
        (torch.tensor([True, False]), r"support=Tensor \(2,\) of bool: must be a tensor \(N,\)"),
        (torch.tensor([3, -1, 2]), r"support=\[3, -1, 2\]: must be clicks of each item, 0 or more, and not all 0"),
        (torch.tensor([1.0, float("inf")]), r"support=\[1.0, inf\]: must be clicks of each item"),
        (torch.tensor([1.0, float("nan")]), r"support=\[1.0, nan\]: must be clicks of each item"),
        (torch.tensor([0, 0]), r"support=\[0, 0\]: must be clicks of each item, 0 or more, and not all 0"),
        (torch.zeros(0), r"support=\[\]: must be clicks of each item"),
    ],
)
def test_a_support_that_nothing_can_be_drawn_by_is_refused(support, message):
    with pytest.raises(ValueError, match=message):
        NegativeSampler(support, 1, 0.5)


def test_a_catalogue_of_a_single_click_is_enough():
    sampler = NegativeSampler(torch.tensor([0, 1]), 4, 0.5)
    assert sampler.draw(2).tolist() == [[1] * 4] * 2
    assert sampler.probability.tolist() == [0, 1]


ITEMS = torch.tensor([1, 2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: NegativeSampler(SUPPORT, 1, 0.5, "moon"), "device='moon': must be 'cpu' or a device that is here"),
        (lambda: NegativeSampler(SUPPORT, 1, 0.5).draw(-1), "n_steps=-1: must be a whole number of at least 0"),
        (lambda: NegativeSampler(SUPPORT, 1, 0.5).expected_count([1], 2), r"items=\[1\]: must be a tensor"),
        (lambda: NegativeSampler(SUPPORT, 1, 0.5).expected_count(ITEMS, 0), "lanes=0: must be a whole number of"),
        (lambda: negatives([1, 2], ITEMS), r"candidates=\[1, 2\]: must be a tensor of 1 dimension of int64"),
        (lambda: negatives(ITEMS.double(), ITEMS), r"candidates=Tensor \(2,\) of float64: must be a tensor of 1 dim"),
        (lambda: negatives(ITEMS, [1]), r"targets=\[1\]: must be a tensor of 1 dimension of int64"),
        (lambda: negatives(ITEMS, ITEMS.unsqueeze(1)), r"targets=Tensor \(2, 1\) of int64: must be a tensor of 1 dim"),
        (lambda: correct_logq(torch.zeros(2, 3), torch.ones(3), -0.1), "logq=-0.1: must be a number of at least 0, at"),
        (lambda: correct_logq(torch.zeros(2, 3), torch.ones(3), 1.1), "logq=1.1: must be a number of at least 0, at m"),
        (lambda: correct_logq(torch.zeros(2, 3), torch.ones(1), 1.0), r"expected_count=\(1,\): must be one for each"),
    ],
)
def test_an_argument_that_would_be_taken_for_something_else_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
