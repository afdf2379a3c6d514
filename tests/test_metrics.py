"""Ranks and what is counted from them (checks T21, T22, T23; bug B11)."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from helpers import Watch

from gru4rec_lite import metrics
from gru4rec_lite.museum.evaluation import mean_of_batch_means

INCREASING = [lambda x: 3 * x + 1, torch.exp, torch.sigmoid, lambda x: x**3]


def rank_by_loop(scores, target, ties):
    above = sum(score > scores[target] for score in scores)
    equal = sum(score == scores[target] for j, score in enumerate(scores) if j != target)
    return 1 + above + {"standard": 0, "median": equal / 2, "conservative": equal}[ties]


@pytest.mark.parametrize("ties", metrics.TIES)
@pytest.mark.parametrize("values", [2, 5, 1000])  # few distinct scores: many ties
def test_ranks_equal_the_loop(ties, values):
    scores = torch.randint(values, (40, 13), generator=torch.Generator().manual_seed(values)).float()
    targets = torch.arange(40) % 13
    expected = [rank_by_loop(row, target, ties) for row, target in zip(scores.tolist(), targets.tolist(), strict=True)]
    assert metrics.rank_of_target(scores, targets, ties).tolist() == expected


@pytest.mark.parametrize("ties", metrics.TIES)
@pytest.mark.parametrize("at_once", [1, 40, 41, 123, 10**9])  # columns of one row, of all rows, all at once
def test_the_size_of_a_block_changes_no_rank(monkeypatch, ties, at_once):
    scores = torch.randint(4, (40, 13), generator=torch.Generator().manual_seed(0)).float()
    targets = torch.arange(40) % 13
    expected = [rank_by_loop(row, target, ties) for row, target in zip(scores.tolist(), targets.tolist(), strict=True)]
    monkeypatch.setattr(metrics, "COMPARED_AT_ONCE", at_once)
    assert metrics.rank_of_target(scores, targets, ties).tolist() == expected


@pytest.mark.parametrize("ties", metrics.TIES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_ranks_of_any_kind_of_float_are_exact(ties, dtype):
    # 5000 equal scores: half precision cannot count them, and float16 has no number above 65504
    scores = torch.zeros(2, 5_000, dtype=dtype)
    scores[1, :3] = torch.tensor([2.0, 1.0, -1.0])
    ranks = metrics.rank_of_target(scores, torch.tensor([7, 7]), ties).tolist()
    # row 0: all are equal; row 1: two are above the target, 4996 others equal to it, one below
    assert ranks == {"standard": [1, 3], "median": [2500.5, 2501], "conservative": [5000, 4999]}[ties]


@pytest.mark.parametrize("ties", metrics.TIES)
def test_doubled_ranks_never_wait_for_the_device(ties):
    scores, targets = torch.rand(6, 9), torch.arange(6)
    with Watch() as watch:
        doubled = metrics.doubled_rank(scores, targets, ties)
    assert watch.waits == []
    assert doubled.dtype == torch.int64
    assert torch.equal(metrics.checked_ranks(doubled), metrics.rank_of_target(scores, targets, ties))


def test_ranking_leaves_the_scores_as_they_were():
    scores = torch.rand(6, 9)
    before = scores.clone()
    for ties in metrics.TIES:
        metrics.rank_of_target(scores, torch.arange(6), ties)
    assert torch.equal(scores, before)


@pytest.mark.parametrize(("ties", "rank"), [("standard", 1), ("conservative", 10), ("median", 5.5)])
def test_ten_equal_scores(ties, rank):
    assert metrics.rank_of_target(torch.zeros(1, 10), torch.tensor([3]), ties).tolist() == [rank]


def test_ties_are_conservative_unless_said_otherwise():
    assert metrics.rank_of_target(torch.zeros(1, 10), torch.tensor([3])).tolist() == [10]


@pytest.mark.parametrize("ties", metrics.TIES)
@pytest.mark.parametrize("place", [0, 3])  # the target itself, or another item
def test_a_score_that_is_not_a_number_raises(ties, place):
    scores = torch.zeros(2, 5)
    scores[1, place] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        metrics.rank_of_target(scores, torch.tensor([0, 0]), ties)
    scores[1, 2], scores[1, 4] = float("inf"), -float("inf")
    with pytest.raises(ValueError, match="NaN"):
        metrics.rank_of_target(scores, torch.tensor([0, 0]), ties)


def test_infinite_scores_have_ranks():
    scores = torch.tensor([[float("inf"), 0.0, -float("inf")]]).expand(3, 3)
    assert metrics.rank_of_target(scores, torch.arange(3)).tolist() == [1, 2, 3]


def test_an_unknown_tie_rule_is_named():
    with pytest.raises(ValueError, match="ties='lucky': must be one of 'conservative', 'standard', 'median'"):
        metrics.rank_of_target(torch.zeros(1, 2), torch.tensor([0]), "lucky")


def test_no_prediction_has_no_rank():
    assert metrics.rank_of_target(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)).shape == (0,)


@pytest.mark.parametrize("increasing", INCREASING)
def test_an_increasing_function_of_the_scores_changes_no_rank(increasing):
    scores = torch.randn(30, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(30) % 8
    assert torch.equal(metrics.rank_of_target(increasing(scores), targets), metrics.rank_of_target(scores, targets))


def test_recall_and_mrr_by_hand():
    ranks = np.array([1, 20, 21])
    assert metrics.recall_at(ranks, 20).tolist() == [1, 1, 0]  # 20 is still among the first 20
    assert metrics.recall_at(ranks, 20).mean() == pytest.approx(2 / 3)
    assert metrics.mrr_at(ranks, 20).mean() == pytest.approx((1 + 1 / 20) / 3)


def test_half_ranks_count_at_the_cutoff():
    assert metrics.recall_at(np.array([2.0, 2.5, 3.0]), 2).tolist() == [1, 0, 0]
    assert metrics.mrr_at(np.array([2.0, 2.5, 3.0]), 3).tolist() == [1 / 2, 1 / 2.5, 1 / 3]


def test_a_longer_list_never_recalls_less_and_the_whole_catalogue_recalls_all():
    n_items = 12
    scores = torch.randn(50, n_items, generator=torch.Generator().manual_seed(1))
    ranks = metrics.rank_of_target(scores, torch.arange(50) % n_items).numpy()
    recall = [metrics.recall_at(ranks, k).mean() for k in range(1, n_items + 1)]
    mrr = [metrics.mrr_at(ranks, k).mean() for k in range(1, n_items + 1)]
    assert recall == sorted(recall)
    assert mrr == sorted(mrr)
    assert recall[-1] == 1
    assert recall[0] == mrr[0]
    assert all(m <= r for m, r in zip(mrr, recall, strict=True))


def test_random_scores_recall_k_of_n():
    n_items, k, n = 50, 10, 20_000
    scores = torch.rand(n, n_items, generator=torch.Generator().manual_seed(0))
    recall = metrics.recall_at(metrics.rank_of_target(scores, torch.arange(n) % n_items).numpy(), k).mean()
    p = k / n_items
    assert abs(recall - p) < 4 * np.sqrt(p * (1 - p) / n)


def test_means_are_over_predictions_not_over_batches_B11():
    def assert_two_thirds(mean):
        assert mean(metrics.recall_at(np.array([1, 20, 21]), 20)) == pytest.approx(2 / 3)

    assert_two_thirds(np.mean)
    with pytest.raises(AssertionError):
        assert_two_thirds(lambda values: mean_of_batch_means(values, widths=[2, 1]))  # (1 + 0) / 2


# the best


@pytest.mark.parametrize("values", [1, 2, 5, 10**6])  # few distinct scores: many ties
@pytest.mark.parametrize("k", [1, 2, 5, 12, 13, 14, 100])
def test_the_largest_are_those_of_pythons_sort(values, k):
    scores = torch.randint(values, (30, 13), generator=torch.Generator().manual_seed(k)).float()
    scores[3, 4:6], scores[5] = -float("inf"), -float("inf")
    largest, place = metrics.largest(scores, k)
    for row, found, at in zip(scores.tolist(), largest.tolist(), place.tolist(), strict=True):
        assert at == sorted(range(13), key=lambda j, row=row: -row[j])[:k]  # Python's sort is stable
        assert found == [row[j] for j in at]


@pytest.mark.parametrize("k", [99, 100, 101, 300, 400])
def test_of_equal_scores_the_first_are_listed_in_wide_rows_too(k):
    # a short row is sorted as it comes; in a wide one a sort that need not be stable puts equal scores in any order
    generator = torch.Generator().manual_seed(k)
    scores = torch.randint(1, 4, (6, 400), generator=generator).float()
    scores.scatter_(1, torch.rand(6, 400, generator=generator).argsort(dim=1)[:, 100:], 0.0)  # 100 are above 0
    largest, place = metrics.largest(scores, k)
    for row, found, at in zip(scores.tolist(), largest.tolist(), place.tolist(), strict=True):
        assert at == sorted(range(400), key=lambda j, row=row: -row[j])[:k]
        assert found == [row[j] for j in at]


def test_a_score_that_is_not_a_number_is_listed_first_as_a_sort_would():
    scores = torch.tensor([[1.0, float("nan"), 3.0, float("nan"), 3.0, 2.0]])
    for k in range(1, 7):
        assert metrics.largest(scores, k)[1].tolist() == [[1, 3, 2, 4, 5, 0][:k]]


# bootstrap


def width(means):
    low, high = np.quantile(means, [0.05, 0.95])
    return high - low


def test_two_sessions_can_only_be_resampled_in_three_ways():
    # three hits in one session, one miss in the other; with both drawn, the mean over predictions is 3/4 (not 1/2)
    means = metrics.bootstrap(np.array([1, 1, 1, 0]), np.array([8, 8, 8, 3]), n=4000)
    assert set(means) == {0.0, 0.75, 1.0}
    for mean, share in {0.0: 0.25, 0.75: 0.5, 1.0: 0.25}.items():
        assert abs((means == mean).mean() - share) < 0.04


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits, repeats = 0, 300
    for _ in range(repeats):  # 60 sessions, some easy and some hard; the truth is the mean of Beta(2, 2)
        sessions = np.repeat(np.arange(60), rng.integers(1, 6, 60))
        easy = rng.beta(2, 2, 60)
        values = (rng.random(len(sessions)) < easy[sessions]).astype(float)
        low, high = np.quantile(metrics.bootstrap(values, sessions, n=200), [0.05, 0.95])
        hits += low <= 0.5 <= high
    assert 0.84 <= hits / repeats <= 0.95


def test_predictions_of_one_session_stand_and_fall_together():
    values = np.repeat(np.random.default_rng(0).integers(0, 2, 50), 20).astype(float)  # a session hits all 20 or none
    by_session = metrics.bootstrap(values, np.repeat(np.arange(50), 20))
    by_prediction = metrics.bootstrap(values, np.arange(1000))
    ratio = width(by_session) / width(by_prediction)
    assert 0.8 * np.sqrt(20) < ratio < 1.2 * np.sqrt(20)  # 50 independent things, not 1000


def test_a_seed_gives_the_same_resamples_and_another_seed_others():
    values, sessions = np.arange(10.0), np.arange(10) // 2
    again, other = metrics.bootstrap(values, sessions, seed=0), metrics.bootstrap(values, sessions, seed=1)
    assert np.array_equal(metrics.bootstrap(values, sessions), again)
    assert not np.array_equal(again, other)


def test_several_metrics_are_resampled_together():
    rng = np.random.default_rng(0)
    values, sessions = rng.random((30, 2)), np.arange(30) // 3
    both = metrics.bootstrap(values, sessions, n=50)
    assert both.shape == (50, 2)
    for m in range(2):
        np.testing.assert_allclose(both[:, m], metrics.bootstrap(values[:, m], sessions, n=50))
    np.testing.assert_allclose(metrics.bootstrap(values[:, [0, 0]], sessions, n=50) @ [1, -1], 0, atol=1e-12)


def test_nothing_to_resample_is_not_a_number():
    assert np.isnan(metrics.bootstrap(np.zeros(0), np.zeros(0), n=7)).tolist() == [True] * 7
    assert metrics.bootstrap(np.zeros((0, 2)), np.zeros(0), n=7).shape == (7, 2)


# --- sampled metrics


@pytest.mark.parametrize(
    ("rank", "n_sampled", "cutoff"), [(1, 3, 1), (4, 5, 2), (7, 8, 5), (9, 3, 3), (9, 4, 1), (5, 8, 5)]
)
def test_the_chance_of_a_sampled_hit_is_counted_over_all_samples(rank, n_sampled, cutoff):
    others = [item < rank - 1 for item in range(8)]  # which of 8 other items outrank the target
    hits = [sum(sample) < cutoff for sample in itertools.combinations(others, n_sampled)]
    assert metrics.sampled_recall_at(np.array([rank]), cutoff, 9, n_sampled)[0] == pytest.approx(np.mean(hits))


def test_a_sample_of_all_other_items_is_recall():
    ranks = np.arange(1, 51)
    np.testing.assert_allclose(metrics.sampled_recall_at(ranks, 20, 50, 49), metrics.recall_at(ranks, 20), atol=1e-12)


def test_fewer_sampled_items_flatter_more():
    ranks = np.arange(1, 201)
    means = [metrics.sampled_recall_at(ranks, 5, 200, n).mean() for n in (199, 100, 50, 20)]
    assert means == sorted(means)
    assert means[-1] > 5 * means[0]


@pytest.mark.parametrize(
    ("rank", "cutoff", "n_sampled", "message"),
    [(1, 5, 0, "n_sampled=0: must be a whole number"), (1, 5, 2.5, r"n_sampled=2\.5: must be a whole number"),
     (1, 5, 10, "n_sampled=10: must be between 1 and the 9"), (1, 0, 5, "cutoff=0: must be a whole number"),
     (50, 5, 5, "ranks: from 50 to 50; must be between 1 and n_items=10")],
)  # fmt: skip
def test_what_cannot_be_sampled_is_named(rank, cutoff, n_sampled, message):
    with pytest.raises(ValueError, match=message):
        metrics.sampled_recall_at(np.array([rank]), cutoff, 10, n_sampled)


def test_one_session_can_only_be_drawn_again():
    assert metrics.bootstrap([1, 0, 0, 1], [5, 5, 5, 5], n=6).tolist() == [0.5] * 6


def test_ranks_are_counted_on_the_device_of_the_scores():
    scores, targets = torch.zeros(6, 9, device="meta"), torch.arange(6)
    for ties in metrics.TIES:
        doubled = metrics.doubled_rank(scores, targets, ties)
        assert (doubled.device.type, doubled.shape, doubled.dtype) == ("meta", (6,), torch.int64)


def test_mrr_of_ranks_in_single_precision_is_exact():
    assert metrics.mrr_at(np.array([3, 7], dtype=np.float32), 20).tolist() == [1 / 3, 1 / 7]


# --- what is refused

SCORES = torch.zeros(3, 4)


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        ([[0.0, 1.0]], [0], r"scores=.*: must be a tensor \(P, N\)"),
        (SCORES[0], [0], r"scores=Tensor \(4,\) of float32: must be a tensor \(P, N\)"),
        (SCORES, [0.0, 1.0, 2.0], "targets=.*: must be a tensor of 1 dimension of int64"),
        (SCORES, [[0], [1], [2]], "targets=.*: must be a tensor of 1 dimension of int64"),
        (SCORES, [0, 1], r"targets=Tensor \(2,\) of int64: must be one for each of the 3 rows of scores"),
        (SCORES, [0, 4, 3], r"targets\[1\]=4: must be an item number, 0 to 3"),
        (SCORES, [3, 0, -1], r"targets\[2\]=-1: must be an item number, 0 to 3"),
        (SCORES, [-1, 0, 9], r"targets\[0\]=-1: must be an item number, 0 to 3"),
    ],
)
def test_scores_and_targets_that_do_not_fit_are_refused(scores, targets, message):
    with pytest.raises(ValueError, match=message):
        metrics.rank_of_target(scores, torch.tensor(targets))


@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        ([1, 0, 2], r"ranks\[1\]=0: must be at least 1"),
        ([1.0, 3.5, 0.5], r"ranks\[2\]=0.5: must be at least 1"),
        ([2.0, float("nan")], r"ranks\[1\]=nan: must be at least 1"),
        ([[1, 2]], r"ranks=\[\[1, 2\]\]: must be numbers in one row \(P,\)"),
        (["first"], r"ranks=\['first'\]: must be numbers in one row"),
        ([True, True], r"ranks=\[True, True\]: must be numbers in one row"),
    ],
)
def test_what_is_no_rank_is_refused(ranks, message):
    for count in (
        lambda: metrics.recall_at(ranks, 5),
        lambda: metrics.mrr_at(ranks, 5),
        lambda: metrics.sampled_recall_at(ranks, 5, 9, 8),
    ):
        with pytest.raises(ValueError, match=message):
            count()


@pytest.mark.parametrize("cutoff", [0, 2.5, None])
def test_a_cutoff_that_is_no_place_in_a_list_is_refused(cutoff):
    for count in (metrics.recall_at, metrics.mrr_at, lambda ranks, k: metrics.sampled_recall_at(ranks, k, 9, 8)):
        with pytest.raises(ValueError, match=f"cutoff={cutoff}: must be a whole number of at least 1"):
            count([1, 2], cutoff)


def test_no_rank_has_no_recall():
    for ranks in ([], np.zeros(0), np.zeros(0, dtype=object)):
        assert metrics.recall_at(ranks, 5).shape == metrics.mrr_at(ranks, 5).shape == (0,)
        assert metrics.sampled_recall_at(ranks, 5, 9, 8).shape == (0,)


def test_the_last_of_all_items_is_sampled_too_and_two_items_are_enough():
    assert metrics.sampled_recall_at([1, 2], 1, 2, 1).tolist() == pytest.approx([1.0, 0.0])
    with pytest.raises(ValueError, match="n_items=1: must be a whole number of at least 2"):
        metrics.sampled_recall_at([1], 1, 1, 1)
    with pytest.raises(ValueError, match="n_sampled=2: must be between 1 and the 1 items other than the target"):
        metrics.sampled_recall_at([1], 1, 2, 2)


@pytest.mark.parametrize("cutoffs", [(1,), [5, 10], (np.int64(3), 20)])
def test_cutoffs_are_whole_numbers(cutoffs):
    metrics.check_cutoffs(cutoffs)


@pytest.mark.parametrize("cutoffs", [(), [], 5, None, "5", {5: 5}, (0,), (5, -1), (True,), (2.5,), ("5",)])
def test_cutoffs_of_anything_else_are_refused(cutoffs):
    with pytest.raises(ValueError, match=r"cutoffs=.*: must be whole numbers of at least 1"):
        metrics.check_cutoffs(cutoffs)


@pytest.mark.parametrize(
    ("scores", "k", "message"),
    [
        ([[1.0]], 1, r"scores=\[\[1.0\]\]: must be a tensor \(P, N\)"),
        (SCORES[0], 1, r"scores=Tensor \(4,\) of float32: must be a tensor \(P, N\)"),
        (SCORES, 0, "k=0: must be a whole number of at least 1"),
        (SCORES, 1.5, "k=1.5: must be a whole number of at least 1"),
    ],
)
def test_the_largest_of_no_table_or_none_of_them_are_refused(scores, k, message):
    with pytest.raises(ValueError, match=message):
        metrics.largest(scores, k)


@pytest.mark.parametrize(
    ("values", "sessions", "settings", "message"),
    [
        ([1, 2], [0, 0], {"n": 0}, "n=0: must be a whole number of at least 1"),
        ([1, 2], [0, 0], {"seed": -1}, "seed=-1: must be a whole number of at least 0"),
        (["a"], [0], {}, r"values=\['a'\]: must be numbers \(P,\) or \(P, M\)"),
        ([[[1]]], [0], {}, r"values=.*: must be numbers \(P,\) or \(P, M\)"),
        (5.0, [0], {}, r"values=.*: must be numbers \(P,\) or \(P, M\)"),
        ([1, 2], [0], {}, r"sessions=\[0\]: must be the session of each prediction, \(2,\)"),
        ([[1, 2]], [0, 1], {}, r"sessions=.*: must be the session of each prediction, \(1,\)"),
    ],
)
def test_what_cannot_be_resampled_is_named(values, sessions, settings, message):
    with pytest.raises(ValueError, match=message):
        metrics.bootstrap(values, sessions, **settings)


def test_values_of_every_kind_of_number_are_resampled_alike_a_thousand_times():
    hits, sessions = [True, False, True, True], [3, 3, 8, 9]
    of_floats = metrics.bootstrap(np.array(hits, dtype=float), sessions)
    assert of_floats.shape == (1000,)
    for kind in (bool, np.int64, np.uint8):
        assert np.array_equal(metrics.bootstrap(np.array(hits, dtype=kind), sessions), of_floats)
