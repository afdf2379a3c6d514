"""Each exhibit's check passes on ours and fails on the variant; each bug is there while it is on, and gone after."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import all_but_diagonal, assert_same_bits
from logs import all_scores, click_log, random_log, tiny
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

import gru4rec_lite as g4r
from gru4rec_lite import cells, clicks, evaluation, gru4rec, losses, museum, network, sampling, training
from gru4rec_lite.internal import compiling
from gru4rec_lite.museum import EXHIBITS, FURTHER, checks, lanes

CASES = [(number, i) for number, exhibit in EXHIBITS.items() for i in range(len(exhibit.cases))]
VARIANTS = [(number, variant) for number, variants in museum.BUGS.items() for variant in variants]
each_case = pytest.mark.parametrize(("number", "i"), CASES)
each_variant = pytest.mark.parametrize(("number", "variant"), VARIANTS)
TRAIN, TEST = random_log(60, seed=1), random_log(50, seed=2)


# --- the exhibits


def test_every_bug_of_the_list_is_there_once_and_in_order():
    assert list(EXHIBITS) == [f"B{n}" for n in range(1, 20)]
    assert [exhibit.number for exhibit in EXHIBITS.values()] == list(EXHIBITS)
    assert set(museum.BUGS) == set(EXHIBITS) - {"B14", "B15", "B16"}


@each_case
def test_the_check_passes_on_ours_and_it_is_the_one_that_fails_on_the_variant(number, i):
    case = EXHIBITS[number].cases[i]
    case.check(case.ours)
    with pytest.raises(AssertionError) as caught:
        case.check(case.variant)
    own = getattr(checks, case.check_name, None)
    if own is None:  # a check of the audit, which its report names
        assert f"failed: {case.check_name}: " in str(caught.value)
    else:
        assert case.check is own


@pytest.mark.parametrize("number", EXHIBITS)
def test_a_card_has_its_five_parts_and_a_public_source(number):
    exhibit = EXHIBITS[number]
    card = exhibit.card()
    assert card.startswith(f"### {number} · {exhibit.title}\n")
    for part in ("\n```python\n", "**Who it bit.** ", "**What it costs.** ", "**Which check catches it.**"):
        assert part in card
    assert exhibit._repr_markdown_() == card
    for text in (exhibit.title, exhibit.found_in, exhibit.price, exhibit.shows):
        assert len(text) > 20
    for variant in exhibit.variants:
        assert f"def {variant.__name__}(" in exhibit.code()
        assert variant.__doc__ is None or variant.__doc__.splitlines()[0] not in card
    public = ("arxiv.org/abs/", "github.com/", "RecSys 2023", "hungpthanh/", "hidasib/", "yeganegi-reza/")
    assert any(source in exhibit.found_in for source in public)
    for case in exhibit.cases:
        assert f"`{case.check_name}`" in card


def test_a_price_is_measured_computed_published_or_said_to_be_missing():
    words = ("museum.csv", "Published", "published", "Computed", "no one price", "no price")
    for exhibit in EXHIBITS.values():
        assert any(word in exhibit.price for word in words), exhibit.number


def geometric_plan(sessions: int, lanes: int) -> g4r.batching.SessionParallel:
    offsets = np.append(0, np.cumsum(1 + np.random.default_rng(0).geometric(0.2, sessions)))
    return g4r.batching.SessionParallel(np.arange(offsets[-1]), offsets, lanes)


def test_prices_that_are_computed_are_right():
    def wrong_resets(lanes):
        plan = geometric_plan(2000, lanes)
        broken = list(museum.batching.reset_mask_reapplied(plan))
        wrong = sum(int((bug.resets & ~right.resets).sum()) for right, bug in zip(plan, broken, strict=True))
        return wrong / sum(int(step.resets.sum()) for step in broken)

    assert wrong_resets(4) == pytest.approx(0.45, abs=0.05)  # "nearly half"
    assert wrong_resets(32) == pytest.approx(0.015, abs=0.007)  # "one or two in a hundred"

    def lost_pairs(sessions, lanes):
        plan = geometric_plan(sessions, lanes)
        return 1 - sum(len(step.inputs) for step in museum.batching.tail_dropped(plan)) / plan.widths.sum()

    assert lost_pairs(400, 128) == pytest.approx(0.25, abs=0.05)  # "about a quarter"
    assert lost_pairs(20_000, 128) == pytest.approx(0.01, abs=0.005)  # "one in a hundred"

    of = museum.losses
    twice = of.cross_entropy_of_softmax(100 * torch.eye(32), all_but_diagonal(32, 32))
    assert twice.tolist() == pytest.approx([2.5] * 32, rel=0.01)
    of_the_matrix = of.bpr_max_of_the_matrix(100 * torch.eye(6), all_but_diagonal(6, 6))
    assert of_the_matrix.tolist() == pytest.approx([np.log(12)] * 6)
    with_target = of.bpr_with_target(100 * torch.eye(1, 8), all_but_diagonal(1, 8))
    assert with_target.item() == pytest.approx(np.log(2) / 8)
    far = torch.tensor([[-1000.0, 0.0, 0.0]], requires_grad=True)
    assert of.saturated_cross_entropy(far, all_but_diagonal(1, 3)).item() == pytest.approx(55.3, abs=0.05)
    behind = torch.tensor([[-60.0, 0.0, 0.0]], requires_grad=True)
    of.saturated_cross_entropy(behind, all_but_diagonal(1, 3)).sum().backward()
    assert behind.grad[0, 0].item() == pytest.approx(-0.004, abs=5e-4)
    for score, is_number in ((-103.0, True), (-105.0, False)):
        negatives = torch.tensor([[0.0, score, score]])
        assert bool(of.bpr_max_masked_by_zero(negatives, all_but_diagonal(1, 3)).isfinite().all()) == is_number


def test_a_table_of_the_cases_says_which_pass():
    frame = EXHIBITS["B14"].caught()
    assert list(frame.columns) == ["what", "check", "ours", "variant"]
    assert frame["check"].tolist() == ["a_gru_step_is_the_papers", "a_gru_step_is_torchs"]
    assert frame["ours"].tolist() == ["passes", "passes"]
    assert frame["variant"].tolist() == ["fails", "fails"]
    case = EXHIBITS["B14"].cases[0]
    upside_down = museum.Case("", "", case.check, case.variant, case.ours)
    frame = museum.Exhibit("B0", "", "", "", "", (), (upside_down,)).caught()
    assert frame[["ours", "variant"]].to_numpy().tolist() == [["fails", "passes"]]


def test_the_swapped_update_gate_is_a_relabelling_and_its_card_says_so():
    torch.manual_seed(3)
    cell, x, state = cells.GRUCell(4, 5), torch.randn(3, 4), torch.randn(3, 1, 5)
    other = cells.GRUCell(4, 5)
    weights = {n: torch.cat((r, -z, c)) for n, p in cell.state_dict().items() for r, z, c in [p.chunk(3)]}
    other.load_state_dict(weights)
    assert_close(museum.network.swapped_update_gate(other, x, state), cell(x, state))
    assert "not wrong, but a relabelling" in EXHIBITS["B14"].title
    assert "*not* a relabelling" in EXHIBITS["B14"].price


def test_further_pieces_have_no_number():
    for name, piece in FURTHER.items():
        assert piece.__qualname__.startswith(name)
        assert f"{piece.__doc__}".startswith(("No ", "T2"))


# --- bugs that are switched on


MODULES = (gru4rec, training, evaluation, compiling, network, sampling, losses, clicks, g4r)
CLASSES = (g4r.GRU4Rec, network.Network, evaluation.Result, g4r.optim.Adagrad)


def snapshot() -> dict:
    """Which object each name of the package stands for."""
    found = {(owner.__name__, name): id(value) for owner in MODULES + CLASSES for name, value in vars(owner).items()}
    return found | {("LOSSES", name): id(loss) for name, loss in losses.LOSSES.items()}


def fitted(train=TRAIN, **settings) -> g4r.GRU4Rec:
    return tiny(**{"compile": False, **settings}).fit(train, progress=False)


def weights(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.network.parameters()])


@each_variant
def test_the_package_is_as_it_was_after_a_bug_also_after_an_error_and_inside_another(number, variant):
    before = snapshot()
    with museum.bug(number, variant):
        during = snapshot()
    assert during != before
    assert snapshot() == before
    with pytest.raises(RuntimeError, match="on purpose"), museum.bug(number, variant):
        raise RuntimeError("on purpose")
    assert snapshot() == before
    with museum.bug(number, variant):
        with museum.bug("B2"), museum.bug("B4"), museum.bug("B1"):
            pass
        assert snapshot().keys() == during.keys()
        assert snapshot()["LOSSES", "cross-entropy"] == id(losses.LOSSES["cross-entropy"])
    assert snapshot() == before


def test_the_first_variant_is_the_one_without_a_name():
    for number, variants in museum.BUGS.items():
        first, *_ = variants
        with museum.bug(number):
            unnamed = snapshot()
        with museum.bug(number, first):
            named = snapshot()
        plain = snapshot()
        assert {k for k in plain if unnamed[k] != plain[k]} == {k for k in plain if named[k] != plain[k]}


@pytest.mark.parametrize("number", ["B0", "B14", "B15", "B16", "B20", "b4", 4])
def test_a_bug_that_is_none_is_refused(number):
    with pytest.raises(
        ValueError, match=r"number=.* must be one of B1, B2, .*B19; the other exhibits show theirs in cases"
    ):
        museum.bug(number)


def test_a_variant_that_is_none_is_refused():
    message = r"variant='warm': B8 has keep_for_drop, warm_accumulator, decay, fixed_batch_size"
    with pytest.raises(ValueError, match=message):
        museum.bug("B8", "warm")


LOSS_OF = {"B4": "cross-entropy", "B5": "bpr-max", "B12": "top1", "B13": "bpr"}
IN_TRAINING = [
    ("B2", "reset_mask_reapplied"), ("B3", "tail_dropped"), ("B4", "cross_entropy_of_softmax"),
    ("B5", "bpr_max_of_the_matrix"), ("B5", "bpr_max_with_target"), ("B5", "bpr_max_without_regularisation"),
    ("B6", "dead_dropout"), ("B6", "embedding_dropout_for_one_hot_only"), ("B8", "keep_for_drop"),
    ("B8", "warm_accumulator"), ("B8", "decay"), ("B8", "fixed_batch_size"), ("B9", "hard_coded"),
    ("B10", "torch_initialisation"), ("B10", "one_dropout_for_two"), ("B12", "top1_with_target"),
    ("B13", "bpr_with_target"), ("B13", "negatives_with_target"), ("B17", "stops_at_one_lane"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "variant"), IN_TRAINING)
def test_a_training_bug_makes_another_model_and_the_same_one_each_time(number, variant, monkeypatch):
    monkeypatch.setattr(museum.optim, "STEPS_PER_DECAY", 5)
    settings = {"loss": LOSS_OF.get(number, "cross-entropy"), "dropout_embed": 0.1}
    honest = fitted(**settings)
    with museum.bug(number, variant):
        one, other = fitted(**settings), fitted(**settings)
    assert_same_bits(weights(one), weights(other))
    assert weights(one).shape != weights(honest).shape or not torch.equal(weights(one), weights(honest))
    assert_same_bits(weights(fitted(**settings)), weights(honest))  # and after it ours is as before


@pytest.mark.parametrize("number", [*LOSS_OF, "B18", "B19"])
def test_a_bug_of_one_loss_changes_no_other(number):
    honest = fitted(loss="top1-max")
    with museum.bug(number):
        assert_same_bits(weights(fitted(loss="top1-max")), weights(honest))


def test_broken_losses_take_no_accidental_hit_for_a_negative():
    scores = torch.tensor([[1.0, 0.5, 0.2, 0.4]]).repeat(2, 1)
    is_negative = torch.tensor([[False, True, False, True], [True, False, True, True]])
    for number, name in {**LOSS_OF, "B18": "cross-entropy", "B19": "bpr-max"}.items():
        with museum.bug(number):
            value = losses.LOSSES[name](scores, is_negative)
            changed = losses.LOSSES[name](scores.masked_fill(~is_negative & all_but_diagonal(2, 4), 7.0), is_negative)
        assert_close(changed, value)
        assert value.isfinite().all()


def test_losses_that_break_at_large_scores_are_ours_at_small_ones_and_break_in_training():
    settings = {"loss": "bpr-max", "output": "linear"}
    hard = torch.tensor([[200.0, -200.0, -200.0], [200.0, -200.0, 200.0]])  # won, and lost, by 400
    for number, variant, name in (
        ("B10", "unguarded_bpr_max", "bpr-max"), ("B19", None, "bpr-max"), ("B18", None, "cross-entropy")
    ):  # fmt: skip
        honest = fitted(**(settings if name == "bpr-max" else {}))
        with museum.bug(number, variant):
            assert_close(weights(fitted(**(settings if name == "bpr-max" else {}))), weights(honest))
            value = losses.LOSSES[name](hard, all_but_diagonal(2, 3))
        ours = losses.LOSSES[name](hard, all_but_diagonal(2, 3))
        assert ours.isfinite().all()
        assert not torch.equal(value, ours)


def test_scoring_everything_gives_the_same_model_for_more_arithmetic():
    settings = {"n_epochs": 1, "dropout_hidden": 0.0}
    for embedding in ("shared", "one-hot"):
        honest = fitted(embedding=embedding, **settings)
        with museum.bug("B7"):
            assert_close(weights(fitted(embedding=embedding, **settings)), weights(honest))

    def operations(train) -> int:
        with FlopCounterMode(display=False) as counter:
            fitted(train, **settings)
        return counter.get_total_flops()

    # the same clicks in a catalogue of 10 items, and in one of 200 more
    many = pd.concat([TRAIN, click_log(*[[f"z{i}"] for i in range(200)]).assign(SessionId=range(1000, 1200))])
    assert operations(many) == operations(TRAIN)
    with museum.bug("B7"):
        assert operations(many) > 2 * operations(TRAIN)


def test_the_hard_coded_network_is_not_the_one_asked_for():
    with museum.bug("B9"):
        model = fitted(layers=(7,), cell="lstm")
    assert [layer.units for layer in model.network.layers] == [100]


def test_a_batch_of_fixed_size_learns_nothing_from_fewer_sessions():
    few = click_log("abc", "bcd", "cda")
    fitted(few, batch_size=8)
    with museum.bug("B8", "fixed_batch_size"), pytest.raises(ZeroDivisionError):
        fitted(few, batch_size=8)


def test_nan_in_silence():
    with pytest.raises(training.Diverged):
        fitted(learning_rate=1e30)
    with museum.bug("B11", "nan_in_silence"):
        assert not np.isfinite(fitted(learning_rate=1e30).history["loss"]).all()


def test_within_a_bug_training_runs_uncompiled(monkeypatch):
    def refuse(step):
        raise AssertionError("compiled")

    monkeypatch.setattr(training, "CompiledStep", refuse)
    with pytest.raises(AssertionError, match="compiled"):
        fitted(compile=True)
    with museum.bug("B2"):
        fitted(compile=True)


# --- bugs of the evaluation


@pytest.fixture(scope="module")
def model():
    return fitted()


def test_a_state_that_is_not_reset_changes_every_session_but_the_first(model):
    log = clicks.encode(TEST, model.items)
    honest = all_scores(model, log.items, log.offsets)
    with museum.bug("B1"):
        leaky = all_scores(model, log.items, log.offsets)
        by_evaluate = g4r.evaluate(model, TEST)
    expected = all_scores(museum.evaluation.StateNotReset(model), log.items, log.offsets)
    assert_same_bits(leaky, expected)
    first = int(log.offsets[1]) - 1
    assert_close(leaky[:first], honest[:first])
    assert (leaky[first:] != honest[first:]).any(dim=1).all()
    assert (by_evaluate.ranks != g4r.evaluate(model, TEST).ranks).any()


def test_sessions_in_lanes_lose_their_tail_in_the_evaluation(model, monkeypatch):
    monkeypatch.setattr(lanes, "LANES", 4)
    test = click_log("abcd", "ab", "bcdea", "cdefgh", "ab", "abc")
    plan = g4r.batching.SessionParallel(*_arrays(test, model), 4)
    whole = g4r.evaluate(model, test)
    with museum.bug("B3"):
        cut = g4r.evaluate(model, test)
    full = plan.widths[plan.widths == 4].sum()
    assert (cut.n_predictions, whole.n_predictions) == (full, plan.widths.sum())
    of_cut = set(zip(cut.sessions, cut.positions, cut.ranks, strict=True))
    assert of_cut < set(zip(whole.sessions, whole.positions, whole.ranks, strict=True))  # all that is left is right


def _arrays(log, model):
    encoded = clicks.encode(log, model.items)
    return encoded.items, encoded.offsets


def test_the_last_lane_is_not_evaluated(model):
    one = click_log("abcdefgh")
    assert g4r.evaluate(model, one).n_predictions == 7
    with museum.bug("B17"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert g4r.evaluate(model, one).n_predictions == 0
        assert g4r.evaluate(model, click_log("abcdefgh", "ab")).n_predictions == 2


def test_an_evaluation_that_needs_a_full_batch_crashes_on_a_small_test_set(model):
    with museum.bug("B17", "needs_a_full_batch"):
        with pytest.raises(IndexError):
            g4r.evaluate(model, TEST)
        assert g4r.evaluate(model, random_log(100, seed=3)).n_predictions > 100
    assert g4r.evaluate(model, TEST).n_predictions > 50


def test_means_of_batch_means_are_worked_out_in_lanes(model, monkeypatch):
    monkeypatch.setattr(lanes, "LANES", 2)
    test = click_log("abcd", "bc", "cd")  # steps: (ab, bc) (bc, cd) (cd)
    with museum.bug("B11"):
        result = g4r.evaluate(model, test, cutoffs=(1, 5))
    rank = dict(zip(zip(result.sessions, result.positions, strict=True), result.ranks, strict=True))
    steps = [[rank[0, 1], rank[1, 1]], [rank[0, 2], rank[2, 1]], [rank[0, 3]]]
    for k in (1, 5):
        assert result.recall[k] == pytest.approx(np.mean([np.mean(np.array(step) <= k) for step in steps]))
        expected = np.mean([np.mean([(r <= k) / r for r in step]) for step in steps])
        assert result.mrr[k] == pytest.approx(expected)
    honest = g4r.evaluate(model, test, cutoffs=(1, 5))
    assert honest.ranks.tolist() == result.ranks.tolist()
    assert honest.mrr != result.mrr


def test_a_validation_log_is_evaluated_with_the_bug_too():
    with museum.bug("B1"):
        leaky = tiny(compile=False).fit(TRAIN, TEST, progress=False)
    honest = tiny(compile=False).fit(TRAIN, TEST, progress=False)
    assert leaky.history["loss"].tolist() == honest.history["loss"].tolist()
    assert leaky.history["mrr"].tolist() != honest.history["mrr"].tolist()


# --- the house


def test_the_museum_is_loaded_when_it_is_asked_for_and_needs_no_figures():
    program = (
        "import sys, gru4rec_lite as g4r; assert 'gru4rec_lite.museum' not in sys.modules; g4r.museum.EXHIBITS;"
        "assert not {'matplotlib', 'anywidget', 'gru4rec_lite.plots', 'gru4rec_lite.widgets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
