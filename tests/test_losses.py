from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import all_but_diagonal, catches, gradient, random_scores
from torch.testing import assert_close

from gru4rec_lite import losses
from gru4rec_lite.museum import losses as museum

NAMES = list(losses.LOSSES)
each_loss = pytest.mark.parametrize("name", NAMES)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def softmax(x: list[float]) -> list[float]:
    total = sum(math.exp(v) for v in x)
    return [math.exp(v) / total for v in x]


# The equations once more, a lane at a time: own score s, list r of its negatives' scores.
def cross_entropy_of_lane(s, r):
    return math.log(math.exp(s) + sum(math.exp(v) for v in r)) - s


def bpr_of_lane(s, r):
    return -sum(math.log(sigmoid(s - v)) for v in r) / len(r)


def top1_of_lane(s, r):
    return sum(sigmoid(v - s) + sigmoid(v * v) for v in r) / len(r)


def bpr_max_of_lane(s, r, bpreg=1.0):
    w = softmax(r)
    win = sum(wj * sigmoid(s - v) for wj, v in zip(w, r, strict=True))
    return -math.log(win) + bpreg * sum(wj * v * v for wj, v in zip(w, r, strict=True))


def top1_max_of_lane(s, r):
    return sum(wj * (sigmoid(v - s) + sigmoid(v * v)) for wj, v in zip(softmax(r), r, strict=True))


OF_LANE = {
    "cross-entropy": cross_entropy_of_lane,
    "bpr": bpr_of_lane,
    "top1": top1_of_lane,
    "bpr-max": bpr_max_of_lane,
    "top1-max": top1_max_of_lane,
}


def check_double_loop(loss, of_lane, lanes=6, extra=3, n_items=7, seed=0):
    scores, is_negative = random_scores(lanes, extra, n_items, seed)
    expected = []
    for i, row in enumerate(scores.tolist()):
        r = [row[j] for j in range(len(row)) if is_negative[i, j]]
        expected.append(of_lane(row[i], r) if r else 0.0)
    actual = loss(scores, is_negative)
    assert actual.shape == (lanes,)
    assert_close(actual, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("lanes", "extra", "n_items"), [(6, 3, 7), (5, 0, 4), (1, 4, 3), (4, 9, 100), (3, 3, 1)])
@each_loss
def test_each_loss_equals_the_double_loop(name, lanes, extra, n_items):
    for seed in range(3):
        check_double_loop(losses.LOSSES[name], OF_LANE[name], lanes, extra, n_items, seed)


@pytest.mark.parametrize("bpreg", [0.0, 0.7, 3.0])
def test_bpr_max_equals_the_double_loop_at_any_regularisation(bpreg):
    check_double_loop(partial(losses.bpr_max, bpreg=bpreg), partial(bpr_max_of_lane, bpreg=bpreg))


@pytest.mark.parametrize(
    ("broken", "name"),
    [
        (museum.cross_entropy_of_softmax, "cross-entropy"),
        (museum.bpr_max_of_the_matrix, "bpr-max"),
        (museum.bpr_max_with_target, "bpr-max"),
        (museum.top1_with_target, "top1"),
        (museum.bpr_with_target, "bpr"),
    ],
)
def test_the_double_loop_catches_the_museum(broken, name):
    catches(check_double_loop, broken, OF_LANE[name], 4, 3, 100)


@each_loss
def test_gradients_equal_finite_differences_with_accidental_hits_masked(name):
    scores, is_negative = random_scores(4, 3, n_items=4)
    assert (~is_negative).sum() > 4  # more than the targets: there are hits
    assert torch.autograd.gradcheck(lambda s: losses.LOSSES[name](s, is_negative), scores.requires_grad_())


@each_loss
def test_second_gradients_equal_finite_differences(name):
    scores, is_negative = random_scores(3, 2)
    assert torch.autograd.gradgradcheck(lambda s: losses.LOSSES[name](s, is_negative), scores.requires_grad_())


@each_loss
def test_what_is_neither_target_nor_negative_gets_no_gradient(name):
    scores, is_negative = random_scores(5, 6)
    got = gradient(losses.LOSSES[name], scores, is_negative)
    outside = ~is_negative & all_but_diagonal(5, 11)
    assert outside.any()
    assert (got[outside] == 0).all()
    assert (got[is_negative] != 0).all()
    assert (got.diagonal() < 0).all()


@each_loss
def test_the_score_of_what_is_outside_changes_no_loss(name):
    scores, is_negative = random_scores(5, 6)
    outside = ~is_negative & all_but_diagonal(5, 11)
    loss = losses.LOSSES[name]
    assert_close(loss(scores.masked_fill(outside, 1e4), is_negative), loss(scores, is_negative), rtol=0, atol=0)


@each_loss
def test_the_order_of_the_extra_negatives_does_not_matter(name):
    scores, is_negative = random_scores(4, 6)
    order = [0, 1, 2, 3, 9, 5, 8, 4, 7, 6]
    loss = losses.LOSSES[name]
    assert_close(loss(scores[:, order], is_negative[:, order]), loss(scores, is_negative))


# --- lanes without negatives


@each_loss
def test_a_lane_without_negatives_has_loss_and_gradient_exactly_zero(name):
    scores, is_negative = random_scores(4, 3, n_items=50)
    is_negative[1] = False
    loss, got = losses.LOSSES[name](scores, is_negative), gradient(losses.LOSSES[name], scores, is_negative)
    assert loss[1] == 0
    assert (got[1] == 0).all()
    assert (loss[[0, 2, 3]] > 0).all()  # and its neighbours learn as before
    assert got[[0, 2, 3]].isfinite().all()


@pytest.mark.parametrize("score", [0.0, 3.0, -200.0, 1e4])
@each_loss
def test_one_lane_alone_without_samples_has_nothing_to_learn(name, score):
    scores, nothing = torch.tensor([[score]]), torch.tensor([[False]])
    assert losses.LOSSES[name](scores, nothing).tolist() == [0.0]
    assert gradient(losses.LOSSES[name], scores, nothing).tolist() == [[0.0]]


@each_loss
def test_no_nan_arises_on_the_way_even_where_it_would_be_masked_later(name):
    scores, is_negative = random_scores(3, 2)
    is_negative[1] = False
    with torch.autograd.set_detect_anomaly(True):  # raises on the first NaN of a backward step
        gradient(losses.LOSSES[name], scores, is_negative)


# --- one negative: the losses meet


def test_with_one_negative_bpr_max_without_regularisation_bpr_and_cross_entropy_are_one():
    for own, other in random_scores(5, 0)[0][:, :2]:
        pair, is_negative = torch.stack((own, other)).unsqueeze(0), torch.tensor([[False, True]])
        expected = F.softplus(other - own).unsqueeze(0)
        assert_close(losses.bpr_max(pair, is_negative, bpreg=0.0), expected)
        assert_close(losses.bpr(pair, is_negative), expected)
        assert_close(losses.cross_entropy(pair, is_negative), expected)
        assert_close(losses.bpr_max(pair, is_negative, bpreg=0.7), expected + 0.7 * other**2)


def test_with_one_negative_top1_max_is_top1():
    scores, is_negative = random_scores(2, 0, n_items=50)
    assert_close(losses.top1_max(scores, is_negative), losses.top1(scores, is_negative))
    assert_close(gradient(losses.top1_max, scores, is_negative), gradient(losses.top1, scores, is_negative))


def test_with_equal_negatives_the_max_losses_are_the_plain_ones():
    scores = torch.full((1, 9), 0.3, dtype=torch.float64)
    scores[0, 0] = 1.1
    is_negative = all_but_diagonal(1, 9)
    assert_close(losses.bpr_max(scores, is_negative, bpreg=0.0), losses.bpr(scores, is_negative))
    assert_close(losses.top1_max(scores, is_negative), losses.top1(scores, is_negative))


def test_solved_negatives_dilute_the_plain_losses_and_leave_the_max_losses_alone():
    def pull(loss, solved):
        scores = torch.tensor([[0.0, 1.0] + [-50.0] * solved], dtype=torch.float64)
        return gradient(loss, scores, all_but_diagonal(1, 2 + solved))[0, 0].item()

    for loss in (losses.bpr, losses.top1):
        assert pull(loss, 9) == pytest.approx(pull(loss, 0) / 10, rel=1e-6)
    for loss in (losses.bpr_max, losses.top1_max, losses.cross_entropy):
        assert pull(loss, 9) == pytest.approx(pull(loss, 0), rel=1e-6)


# --- constants


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.bpr, partial(losses.bpr_max, bpreg=0.0)])
def test_only_differences_of_scores_count(loss):
    scores, is_negative = random_scores(5, 4)
    shift = torch.tensor([[-3.0], [100.0], [0.1], [7.0], [-50.0]], dtype=torch.float64)
    assert_close(loss(scores + shift, is_negative), loss(scores, is_negative))
    assert_close(gradient(loss, scores + shift, is_negative), gradient(loss, scores, is_negative))
    assert_close(
        gradient(loss, scores, is_negative).sum(dim=1), torch.zeros(5, dtype=torch.float64), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("loss", [losses.top1, losses.top1_max, losses.bpr_max])
def test_a_loss_that_regularises_scores_does_see_a_constant(loss):
    scores, is_negative = random_scores(5, 4)
    assert ((loss(scores + 1.0, is_negative) - loss(scores, is_negative)).abs() > 1e-3).any()


# --- T5, T6: cross-entropy


def check_cross_entropy_is_torchs(loss):
    lanes = torch.arange(32)
    assert (loss(20 * torch.eye(32, dtype=torch.float64), all_but_diagonal(32, 32)) < 1e-6).all()
    scores = random_scores(32, 11, n_items=10**6)[0]
    expected = F.cross_entropy(scores, lanes, reduction="none")
    assert_close(loss(scores, all_but_diagonal(32, 43)), expected)
    leaf = scores.clone().requires_grad_()
    F.cross_entropy(leaf, lanes, reduction="sum").backward()
    assert_close(gradient(loss, scores, all_but_diagonal(32, 43)), leaf.grad)


def test_cross_entropy_is_torchs_where_all_others_are_negatives():
    check_cross_entropy_is_torchs(losses.cross_entropy)
    catches(check_cross_entropy_is_torchs, museum.cross_entropy_of_softmax)


def test_softmax_twice_makes_a_perfect_ranking_cost_two_and_a_half():
    cost = museum.cross_entropy_of_softmax(100 * torch.eye(32), all_but_diagonal(32, 32))
    assert_close(cost, torch.full((32,), math.log(math.e + 31) - 1))


def check_a_hopeless_target_gets_the_whole_gradient(loss):
    scores, is_negative = torch.tensor([[-60.0, 0.0, 0.0]]), torch.tensor([[False, True, True]])
    assert_close(loss(scores, is_negative), torch.tensor([60.0 + math.log(2)]))
    assert_close(gradient(loss, scores, is_negative), torch.tensor([[-1.0, 0.5, 0.5]]))


def test_a_target_60_below_the_rest_gets_the_whole_gradient():
    check_a_hopeless_target_gets_the_whole_gradient(losses.cross_entropy)
    catches(check_a_hopeless_target_gets_the_whole_gradient, museum.saturated_cross_entropy)


def test_the_saturated_cross_entropy_gives_a_hopeless_target_a_250th_of_its_gradient():
    got = gradient(museum.saturated_cross_entropy, torch.tensor([[-60.0, 0.0, 0.0]]), all_but_diagonal(1, 3))
    assert got[0, 0].item() == pytest.approx(-0.004, abs=5e-4)


# --- T7, T9: BPR-max, and B12, B13


def check_a_perfect_ranking_is_free(loss):
    scores = 50.0 * torch.eye(6, 9, dtype=torch.float64)
    assert_close(loss(scores, all_but_diagonal(6, 9)), torch.zeros(6, dtype=torch.float64))


def test_a_perfect_ranking_is_free():
    for loss in (losses.cross_entropy, losses.bpr, partial(losses.bpr_max, bpreg=0.0)):
        check_a_perfect_ranking_is_free(loss)
    for broken in (museum.cross_entropy_of_softmax, museum.bpr_with_target, museum.bpr_max_of_the_matrix):
        catches(check_a_perfect_ranking_is_free, broken)


def test_bpr_max_of_the_matrix_makes_a_perfect_ranking_cost_two_and_a_half():
    cost = museum.bpr_max_of_the_matrix(50.0 * torch.eye(6), all_but_diagonal(6, 6))
    assert_close(cost, torch.full((6,), math.log(12.0)))


def check_the_price_of_regularisation(loss):
    scores, is_negative = random_scores(5, 4, n_items=50)
    price = loss(scores, is_negative, bpreg=2.5) - loss(scores, is_negative, bpreg=1.5)
    rows = zip(scores.numpy(), is_negative.numpy(), strict=True)
    assert_close(price, torch.tensor([np.dot(softmax(r[m]), r[m] ** 2) for r, m in rows], dtype=torch.float64))


def test_regularisation_costs_the_weighted_squares_of_the_negatives_scores():
    check_the_price_of_regularisation(losses.bpr_max)
    catches(check_the_price_of_regularisation, museum.bpr_max_of_the_matrix)
    catches(check_the_price_of_regularisation, museum.bpr_max_with_target)


def check_top1_does_not_pull_the_target_to_zero(loss):
    # far above its negatives the target has won: all that could still move it is a pull on its own score
    scores = torch.tensor([[1.0, -40.0, -40.0]], dtype=torch.float64)
    assert gradient(loss, scores, all_but_diagonal(1, 3))[0, 0].abs() < 1e-12


def test_top1_does_not_pull_the_target_to_zero():
    check_top1_does_not_pull_the_target_to_zero(losses.top1)
    check_top1_does_not_pull_the_target_to_zero(losses.top1_max)
    catches(check_top1_does_not_pull_the_target_to_zero, museum.top1_with_target)


# --- T8: large scores


def check_large_scores_stay_numbers(loss):
    for size in (200.0, 1e4):
        for own in (-size, 0.0, size):
            for other in (-size, size):
                for activation in (lambda x: x, F.relu, lambda x: F.elu(x, 0.5), F.elu):
                    scores = torch.full((3, 5), other)
                    scores.fill_diagonal_(own)
                    leaf = scores.requires_grad_()
                    value = loss(activation(leaf), all_but_diagonal(3, 5))
                    assert value.isfinite().all()
                    assert torch.autograd.grad(value.sum(), leaf)[0].isfinite().all()


@each_loss
def test_large_scores_give_finite_losses_and_gradients(name):
    check_large_scores_stay_numbers(losses.LOSSES[name])


def test_large_scores_catch_the_museum():
    catches(check_large_scores_stay_numbers, museum.unguarded_bpr_max)
    catches(check_large_scores_stay_numbers, museum.bpr_max_masked_by_zero)


@pytest.mark.parametrize("size", [200.0, 1e4])
def test_a_hopeless_target_costs_what_the_limit_says(size):
    scores, is_negative = torch.tensor([[-size, size, size, -size]]), all_but_diagonal(1, 4)
    assert_close(losses.cross_entropy(scores, is_negative), torch.tensor([2 * size + math.log(2)]))
    # two of three negatives are 2·size above, one is level
    assert_close(losses.bpr(scores, is_negative), torch.tensor([(4 * size + math.log(2)) / 3]))
    assert_close(losses.top1(scores, is_negative), torch.tensor([(2 * 1.0 + 0.5 + 3 * 1.0) / 3]))
    assert_close(losses.top1_max(scores, is_negative), torch.tensor([2.0]))
    # the level negative wins with 1/2, but its weight is exp(-2·size): weight and win meet in one logarithm
    expected = 2 * size - math.log(1.0 + 0.25) + size**2
    assert_close(losses.bpr_max(scores, is_negative), torch.tensor([expected]))


@each_loss
def test_float32_agrees_with_float64_where_scores_are_ordinary(name):
    scores, is_negative = random_scores(8, 24, n_items=60)
    assert_close(
        losses.LOSSES[name](scores.float(), is_negative).double(),
        losses.LOSSES[name](scores, is_negative),
        rtol=1e-5,
        atol=1e-5,
    )


# --- what is refused


SCORES, NEGATIVES = torch.zeros(2, 3), all_but_diagonal(2, 3)


@pytest.mark.parametrize(
    ("scores", "is_negative", "message"),
    [
        ([[0.0]], NEGATIVES, r"scores=\[\[0.0\]\]: must be a tensor \(B, C\)"),
        (SCORES[0], NEGATIVES, r"scores=torch.Size\(\[3\]\): must be a tensor \(B, C\)"),
        (SCORES, None, r"is_negative=None: must be a tensor \(B, C\)"),
        (SCORES, NEGATIVES[0], r"is_negative=torch.Size\(\[3\]\): must be a tensor \(B, C\)"),
        (SCORES.long(), NEGATIVES, r"scores=torch.int64, \(2, 3\): must be floats"),
        (SCORES.T, NEGATIVES.T, r"scores=torch.float32, \(3, 2\): must be floats \(B, C\), with B at most C"),
        (SCORES, NEGATIVES.int(), r"is_negative=torch.int32, \(2, 3\): must be bool"),
        (SCORES, NEGATIVES[:1], r"is_negative=torch.bool, \(1, 3\): must be bool, with the shape of scores, \(2, 3\)"),
    ],
)
@each_loss
def test_what_is_not_scores_and_negatives_is_refused(name, scores, is_negative, message):
    with pytest.raises(ValueError, match=message):
        losses.LOSSES[name](scores, is_negative)


@pytest.mark.parametrize("bpreg", [True, "1", None, -0.1, math.inf, math.nan])
def test_a_regularisation_that_is_no_finite_weight_is_refused(bpreg):
    with pytest.raises(ValueError, match=f"bpreg={bpreg!r}: must be a number of at least 0"):
        losses.bpr_max(SCORES, NEGATIVES, bpreg=bpreg)
