"""The exhibits: each bug of the list with its card.

Published prices are those of Hidasi & Czapp and of the result tables that accompany their paper. Where a port is named,
we found the bug there or in the port's own code (in 2026); some have fixed it since.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import baselines, data
from . import batching as plans
from . import evaluation as evaluations
from . import losses as broken
from . import network as networks
from . import optim as optimisers
from . import sampling as samplings
from . import training as loops
from .card import Exhibit
from .cases import CASES

PAPER = "[Hidasi & Czapp, RecSys 2023](https://arxiv.org/abs/2307.14956)"
OFFICIAL = "hidasib/GRU4Rec_PyTorch_Official (`gru4rec_pytorch.py`)"
OURS = "Measured by us: `data/results/museum.csv` (`python -m gru4rec_lite.experiments museum`)."


def _thread(repository: str, number: int, kind: str = "issues") -> str:
    return f"[{repository}#{number}](https://github.com/{repository}/{kind}/{number})"


_ALL = (
    Exhibit(
        "B1",
        "The hidden state goes on into the next test session",
        "GRU4REC-pytorch's evaluation, confirmed by its author: "
        f"{_thread('hungpthanh/GRU4REC-pytorch', 7)}; KerasGRU4Rec until 2020: {_thread('paxcema/KerasGRU4Rec', 6)}.",
        f"Published ({PAPER}, GRU4REC-pytorch with BPR-max): Recall@20 .253 falls to .079 on RetailRocket and .237 to "
        f".007 on Diginetica; with cross-entropy on RetailRocket only .064 to .062. {OURS}",
        "Metric too low, or nothing at all; training and its loss are right.",
        (evaluations.StateNotReset.scores,),
        CASES["B1"],
    ),
    Exhibit(
        "B2",
        "A reset mask is kept, and applied at every step",
        f"hungpthanh/GRU4REC-pytorch, `lib/dataset.py`, and KerasGRU4Rec ({PAPER}); questioned in their ancestor: "
        f"{_thread('yhs968/pyGRU4REC', 6)}.",
        "Computed: with 4 lanes nearly half of the resets hit a running session, with 32 lanes one or two in a "
        f"hundred. Published: repaired together with B3 in KerasGRU4Rec, it changed MRR@20 hardly at all. {OURS}",
        "Nothing. The wider the batch, the better it hides.",
        (plans.reset_mask_reapplied,),
        CASES["B2"],
    ),
    Exhibit(
        "B3",
        "The loop stops when no session is left to start",
        f"KerasGRU4Rec ({_thread('paxcema/KerasGRU4Rec', 6)}; {PAPER}); the same loop is in "
        "hungpthanh/GRU4REC-pytorch, `lib/dataset.py`, and Songweiping/GRU4Rec_TensorFlow, `model.py`.",
        "Computed: up to B - 1 sessions lose their end; with 128 lanes that is about a quarter of all pairs of 400 "
        f"sessions, and one in a hundred of 20,000. {OURS}",
        "Nothing; a short test set counts fewer predictions than it has.",
        (plans.tail_dropped,),
        CASES["B3"],
    ),
    Exhibit(
        "B4",
        "Softmax, and a cross-entropy that takes the softmax again",
        f"GRU4REC-pytorch ({PAPER}); its final activation may be a softmax, and its loss is torch's CrossEntropyLoss.",
        f"Computed: with 32 candidates a perfect list still costs 2.5, where 0 is due. {OURS}",
        "The loss falls, and stops far above 0, which looks like a hard data set.",
        (broken.cross_entropy_of_softmax,),
        CASES["B4"],
    ),
    Exhibit(
        "B5",
        "BPR-max as one logarithm of the mean of a whole matrix",
        f"hungpthanh/GRU4REC-pytorch, `lib/lossfunction.py` ({PAPER}).",
        f"Computed: with 6 lanes a perfect list costs 2.5 (ln 12), where 0 is due. {OURS}",
        "The loss looks odd: it grows with the batch. The gradient of a lane depends on the other lanes.",
        (broken.bpr_max_of_the_matrix, broken.bpr_max_with_target, broken.bpr_max_without_regularisation),
        CASES["B5"],
    ),
    Exhibit(
        "B6",
        "Dropout that drops nothing",
        f"GRU4REC-pytorch ({PAPER}): torch's GRU drops between its layers only, so one layer has no dropout, and the "
        "dropout of the input is written for one-hot input only.",
        f"No published price of its own: it was repaired together with B2, B4 and B5. {OURS}",
        "Nothing, unless torch's warning about one layer is read. Training overfits as if dropout were 0.",
        (networks.dead_dropout, networks.embedding_dropout_for_one_hot_only),
        CASES["B6"],
    ),
    Exhibit(
        "B7",
        "All items are scored, and columns picked afterwards",
        f"GRU4REC-pytorch, Torch-GRU4Rec, RecPack ({PAPER}).",
        "Right numbers, late: published, an epoch of Torch-GRU4Rec on Rees46 takes 17 times as long as the original's "
        "with the same features, on small Coveo 2.6 times. No metric has a price; operations can be counted.",
        "Nothing but time and memory, which grow with the catalogue.",
        (networks.score_all_then_pick,),
        CASES["B7"],
    ),
    Exhibit(
        "B8",
        "Settings read the wrong way, and some that nobody asked for",
        f"Songweiping/GRU4Rec_TensorFlow, `model.py` ({PAPER}): its dropout is a probability to keep, its Adagrad "
        "starts above 0, its rate decays, its batch has 50 lanes or none.",
        "Published for accumulator, decay and batch size together: Recall@20 .339 falls to .044 on RetailRocket (the "
        "features that it lacks cost another step, from .495 to .331). The mix-up of keeping and dropping was repaired "
        f"before anything was measured. {OURS}",
        "Metric too low; the loss falls slowly, which looks like a learning rate to be tuned.",
        (networks.keep_for_drop, optimisers.warm_accumulator, optimisers.decay, plans.fixed_batch_size),
        CASES["B8"],
    ),
    Exhibit(
        "B9",
        "Hard-coded settings, a class for no item, and one-hot matrices",
        f"paxcema/KerasGRU4Rec, `model/gru4rec.py` ({PAPER}).",
        "Published: an epoch takes 18 times (Coveo) to 402 times (Rees46) as long as the original's with the same "
        f"features. Settings that are not heard cost what tuning would have gained: no price of their own. {OURS}",
        "Time. An unknown item raises an error, or is taken for an item. A setting that is changed changes nothing.",
        (
            networks.hard_coded,
            evaluations.GhostClass.scores,
            evaluations.UnknownBecomesAnItem.scores,
            networks.one_hot_matrix,
        ),
        CASES["B9"],
    ),
    Exhibit(
        "B10",
        "A logarithm of 0, torch's first weights, one dropout for two places",
        f"RecPack ({PAPER}).",
        "Published, all of it and lacking features together: MRR@20 -20 % on Rees46 with BPR-max, of which features "
        f"are some 9 points. {OURS}",
        "NaN, after hours; the other two show nothing but a lower metric.",
        (broken.unguarded_bpr_max, networks.torch_initialisation, networks.one_dropout_for_two),
        CASES["B10"],
    ),
    Exhibit(
        "B11",
        "A mean of batches' means, and losses that are NaN left out in silence",
        "Torch-GRU4Rec: yeganegi-reza/Torch-GRU4Rec, `Modules/Evaluation.py` and `Modules/Trainer.py`.",
        f"Wrong by the tail, where batches are narrow: little on a long test set, in either direction. {OURS}",
        "Nothing; a metric may come out too high. A training that has diverged looks like one that goes on.",
        (evaluations.mean_of_batch_means, loops.mean_of_step_means, loops.mean_or_nan),
        CASES["B11"],
    ),
    Exhibit(
        "B12",
        "TOP1 with the target among its negatives",
        "hungpthanh/GRU4REC-pytorch, `lib/lossfunction.py`.",
        f"A constant in the loss, and a pull of the target's own score to 0. {OURS}",
        "The loss looks a little high.",
        (broken.top1_with_target,),
        CASES["B12"],
    ),
    Exhibit(
        "B13",
        "BPR with the target among its negatives",
        f"Asked about the original itself: {_thread('hidasib/GRU4Rec', 33)}; GRU4REC-pytorch has it, too.",
        f"Computed: ln 2 / C more in the loss of each lane, and a gradient weaker by 1 / C, of C candidates. {OURS}",
        "The loss never gets to 0. With a few candidates it looks odd, with thousands it hides.",
        (broken.bpr_with_target, samplings.negatives_with_target),
        CASES["B13"],
    ),
    Exhibit(
        "B14",
        "The update gate the other way round (not wrong, but a relabelling), and the reset gate after the product",
        "Everybody who compares a library with a paper, for example "
        f"{_thread('pytorch/pytorch', 20129)} on the update gate and {_thread('pytorch/pytorch', 99531)} on the reset.",
        "The update gate has no price: z and 1 - z are names, and training finds the same model. Reset before or after "
        "the product is *not* a relabelling, yet neither is wrong: `data/results/cells.csv` has the metrics of both.",
        "Nothing in a metric. Weights, and figures of gates, do not mean what the text says; weights that are loaded "
        "into the other convention give nonsense.",
        (networks.swapped_update_gate,),
        CASES["B14"],
    ),
    Exhibit(
        "B15",
        "Support, popularity or the item map from training and test clicks",
        'Many evaluations; see Hidasi & Czapp, "Widespread flaws in offline evaluation of recommender systems", RecSys '
        '2023, and Ji et al., "A critical study on data leakage in recommender system offline evaluation", TOIS, 2023.',
        f"Depends on the shop, so no one price: the more its items change, the more. {OURS}",
        "Metric too *high*: it looks like a better model.",
        (data.filter_then_split, data.encode_with_items_of_both, evaluations.trained_on_everything),
        CASES["B15"],
    ),
    Exhibit(
        "B16",
        "Rows dropped by a label that two rows have",
        "hidasib/gru4rec_third_party_comparison, `yoochoose_preproc.py`: two files are put together with their labels, "
        "and repeated clicks are dropped by label.",
        "Innocent clicks go, as many as there are repeats in the other file; no price that could be told in a metric, "
        "since the test set changes with it.",
        "Nothing: it prints how many clicks are left, and nobody knows how many it should be.",
        (data.drop_repeats_by_label,),
        CASES["B16"],
    ),
    Exhibit(
        "B17",
        "An evaluation that needs a full batch of sessions, or two lanes",
        f"The original and its PyTorch port: {_thread('hidasib/GRU4Rec', 46)}; {OFFICIAL}.",
        f"A crash, or predictions that are not counted: 114 of them counted as 7 in one small test set. {OURS}",
        "IndexError with fewer sessions than lanes; else nothing.",
        (plans.needs_a_full_batch, plans.stops_at_one_lane),
        CASES["B17"],
    ),
    Exhibit(
        "B18",
        "The logarithm of a softmax that is already rounded, plus 1e-24",
        f"The original's PyTorch port: {OFFICIAL}.",
        "Computed: the loss of a target cannot pass 55.3; 60 behind the rest it gets -.004 of gradient, where -1 is "
        f"due. {OURS}",
        "Nothing, unless scores get large: then items that are badly placed are given up.",
        (broken.saturated_cross_entropy,),
        CASES["B18"],
    ),
    Exhibit(
        "B19",
        "A softmax masked by a product with 0",
        f"The original's PyTorch port: {OFFICIAL}.",
        "Computed: NaN as soon as all negatives of a lane score below about -104. With the ELU output, which stops at "
        f"-.5, that cannot happen. {OURS}",
        "NaN, and training is lost; with ELU nothing, ever.",
        (broken.bpr_max_masked_by_zero,),
        CASES["B19"],
    ),
)

EXHIBITS: dict[str, Exhibit] = {exhibit.number: exhibit for exhibit in _ALL}

# variants without a number, which chapters and tests use
FURTHER: dict[str, Callable[..., Any]] = {
    piece.__name__: piece
    for piece in (
        baselines.events_for_sessions,
        baselines.FutureNeighbours,
        data.encode_in_order_of_rows,
        data.sessionise_at_the_gap,
        data.sessionise_without_users,
        evaluations.LooksAhead,
        evaluations.unknown_items_dropped,
        networks.untied,
        optimisers.update_everywhere,
        optimisers.update_last_wins,
        optimisers.update_one_by_one,
        samplings.negatives_with_hits,
        samplings.raw_counts,
    )
}
