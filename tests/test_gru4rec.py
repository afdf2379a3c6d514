"""GRU4Rec remembers, learns, repeats itself bit for bit, and goes on where it stopped (T4, T25, T28, T30, T33)."""

from __future__ import annotations

import re
import warnings
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from logs import TINY, all_scores, click_log, random_log, random_sessions, tiny

from gru4rec_lite import baselines, clicks, evaluate, gru4rec, training
from gru4rec_lite import network as network_module
from gru4rec_lite.internal import files
from gru4rec_lite.losses import LOSSES
from gru4rec_lite.museum import evaluation as broken

CELLS = ("gru", "gru-paper", "lstm", "rnn")
SESSIONS = random_sessions(9, seed=2)
LOG = clicks.encode(click_log(*SESSIONS), pd.Index(list("abcdefghij")))


def quietly(train=None, valid=None, settings=None, **fit):
    return tiny(**settings or {}).fit(random_log() if train is None else train, valid, progress=False, **fit)


def scores(model, log=LOG):
    return all_scores(model, log.items, log.offsets)


@pytest.fixture(scope="module")
def model():
    return quietly(settings={"layers": (6, 5)})


# the state: T4, T33


def full_unroll(model):
    """One session after another from a state of zeros, click by click: no batches, no masks."""
    rows = []
    with torch.no_grad():
        for a, b in pairwise(LOG.offsets):
            state = model.network.zeros(1)
            for item in LOG.items[a : b - 1]:
                hidden, state = model.network(model.network.input_table[item][None], state)
                rows.append(model.network.score_all(hidden))
    return torch.cat(rows)


def streamed(model):
    rows = []
    for session in SESSIONS:
        stream = model.stream()
        for item in session[:-1]:
            stream.click(item)
            score = stream.recommend(k=10).set_index("ItemId")["score"]
            rows.append(torch.tensor(score.reindex(model.items).to_numpy()))
    return torch.stack(rows)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("embedding", network_module.EMBEDDINGS)
def test_streaming_is_the_batch_is_the_full_unroll(cell, embedding):
    model = quietly(
        settings={"cell": cell, "embedding": embedding, "layers": (6, 5), "n_epochs": 1, "dropout_embed": 0.3}
    )
    batch = scores(model)
    torch.testing.assert_close(batch, full_unroll(model), atol=1e-5, rtol=0)
    torch.testing.assert_close(streamed(model), batch, atol=1e-5, rtol=0)
    assert batch.std(dim=0).min() > 1e-4  # the scores do depend on the session


def test_the_scores_are_those_of_torchs_own_gru(model):
    network = model.network
    first, second = torch.nn.GRU(5, 6, batch_first=True), torch.nn.GRU(6, 5, batch_first=True)
    for ours, theirs in zip(network.layers, (first, second), strict=True):
        theirs.load_state_dict({f"{name}_l0": value for name, value in ours.state_dict().items()})
    with torch.no_grad():
        inputs = [network.item_out[LOG.items[a : b - 1]][None] for a, b in pairwise(LOG.offsets)]  # (1, L - 1, 5)
        hidden = torch.cat([second(first(x)[0])[0][0] for x in inputs])
        expected = hidden @ network.item_out.T + network.bias_out.T
    torch.testing.assert_close(scores(model), expected, atol=1e-5, rtol=0)


def assert_later_clicks_change_nothing(model):
    one, two = (all_scores(model, items, [0, 6]) for items in ([0, 1, 2, 3, 4, 5], [0, 1, 2, 9, 8, -1]))
    assert torch.equal(one[:3], two[:3])


@pytest.mark.parametrize("cell", CELLS)
def test_later_clicks_change_no_earlier_score(cell):
    assert_later_clicks_change_nothing(quietly(settings={"cell": cell, "n_epochs": 1}))


def test_the_causality_check_catches_an_off_by_one(model):
    with pytest.raises(AssertionError):
        assert_later_clicks_change_nothing(broken.LooksAhead(model))


@pytest.mark.parametrize("cell", CELLS)
def test_an_unknown_click_changes_no_state(cell):
    model = quietly(settings={"cell": cell, "n_epochs": 1, "layers": (6, 5)})
    known, with_unknown = all_scores(model, [3, 4, 5], [0, 3]), all_scores(model, [-1, 3, -1, -1, 4, 5], [0, 6])
    torch.testing.assert_close(with_unknown[1:], known[[0, 0, 0, 1]], atol=1e-6, rtol=0)
    stream = model.stream()
    start = stream.recommend(10)
    with pytest.warns(UserWarning, match="NEW"):
        stream.click("NEW")
    pd.testing.assert_frame_equal(stream.recommend(10), start)


def test_the_state_that_training_carries_is_each_sessions_own(monkeypatch):
    # with next to no learning rate the weights stand still, so each lane's state can be unrolled from its session
    seen, train_step = [], training.train_step

    def watched(network, optimiser, loss, step, *rest):
        result = train_step(network, optimiser, loss, step, *rest)
        seen.append((step, result[1]))
        return result

    monkeypatch.setattr(training, "train_step", watched)
    settings = {"layers": (6, 5), "cell": "lstm", "learning_rate": 1e-30, "dropout_hidden": 0.0}
    model = quietly(settings={**settings, "n_epochs": 2})
    histories = []
    for step, state in seen:
        rows = zip(step.inputs.tolist(), step.resets.tolist(), step.lanes.tolist(), strict=True)
        histories = [[item] if reset else [*histories[lane], item] for item, reset, lane in rows]
        for lane, history in enumerate(histories):
            expected = model.network.zeros(1)
            for item in history:
                with torch.no_grad():
                    _, expected = model.network(model.network.input_table[item][None], expected)
            for layer in range(2):
                torch.testing.assert_close(state[layer][lane], expected[layer][0])


def test_each_epoch_draws_negatives_of_its_own(monkeypatch):
    drawn, draw = [], gru4rec.NegativeSampler.draw
    monkeypatch.setattr(gru4rec.NegativeSampler, "draw", lambda *args: drawn.append(draw(*args)) or drawn[-1])
    quietly(settings={"n_epochs": 3})
    assert len(drawn) == 3
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])


def test_earlier_clicks_change_later_scores(model):
    one, two = (all_scores(model, items, [0, 4]) for items in ([0, 1, 2, 3], [5, 1, 2, 3]))
    assert (one - two).abs().amax(dim=1).min() > 1e-6


def test_scores_need_no_times_and_no_predictions(model):
    assert sum(len(block) for block in model.scores(np.array([3]), np.array([0, 1]))) == 0
    assert [len(block) for block in model.scores(np.array([3, 1, 2, 2]), np.array([0, 1, 2, 2, 4]))] == [1]


# learning: T25, T28, T30


def learned_support(fit, train, test, monkeypatch):
    """Items and support that the sampler was given while ``fit(model, train, test)`` ran."""
    given = []

    class Watched(gru4rec.NegativeSampler):
        def __init__(self, support, *rest):
            given.append(support.tolist())
            super().__init__(support, *rest)

    monkeypatch.setattr(gru4rec, "NegativeSampler", Watched)
    model = tiny(n_epochs=1)
    fit(model, train, test)
    return dict(zip(model.items, given[-1], strict=True))


@pytest.mark.parametrize(
    ("fit", "leaks"),
    [
        (lambda model, train, test: model.fit(train, valid=test, progress=False), False),
        (broken.trained_on_everything, True),
    ],
    ids=["ours", "B15"],
)
def test_items_and_support_come_from_training_clicks_alone(fit, leaks, monkeypatch):
    log = click_log(*random_sessions(20), *random_sessions(20, items="abcxyz", seed=1))
    log["Time"] *= 3600.0
    train, test = clicks.split_by_time(log, days=3, verbose=False)
    assert set(test["ItemId"]) - set(train["ItemId"])
    expected = train["ItemId"].value_counts().to_dict()
    assert (learned_support(fit, train, test, monkeypatch) != expected) == leaks


def test_a_validation_log_teaches_nothing():
    valid = random_log(items="abcxyz", seed=3)
    assert torch.equal(scores(quietly(valid=valid)), scores(quietly()))


def test_shuffled_rows_train_the_same_model():
    train = random_log()
    assert torch.equal(scores(quietly(train.sample(frac=1, random_state=1))), scores(quietly(train)))


def test_a_deterministic_cycle_is_learned():
    cycle = [("abc" * 4)[start : start + 5] for start in (0, 1, 2)] * 20
    model = quietly(click_log(*cycle), settings={"layers": (8,), "n_epochs": 5, "dropout_hidden": 0.0})
    assert evaluate(model, click_log(*cycle), cutoffs=(1,)).recall[1] > 0.99


def second_order(n, seed):
    """What follows x or y depends on the click before it: one click of memory is not enough."""
    words = ["axb", "cxd", "cxd", "dya", "byc", "byc"]
    return click_log(*["".join(np.random.default_rng([seed, i]).choice(words, 2)) for i in range(n)])


@pytest.mark.parametrize("cell", CELLS)
def test_memory_beats_markov_on_a_second_order_log(cell):
    train, test = second_order(150, seed=0), second_order(60, seed=1)
    settings = {"cell": cell, "embedding": "one-hot", "layers": (16,), "dropout_hidden": 0.0}
    settings |= {"batch_size": 8, "n_epochs": 6, "learning_rate": 0.2}
    model, markov = quietly(train, settings=settings), baselines.Markov().fit(train)
    after_middle = np.tile([False, True, False, False, True], 60)  # the predictions that need the click before the last
    right = evaluate(model, test).ranks[after_middle] == 1
    by_markov = evaluate(markov, test).ranks[after_middle] == 1
    assert right.mean() > 0.9
    assert by_markov.mean() < 0.75


def test_where_order_says_nothing_popularity_is_all_that_is_learned():
    # clicks drawn by popularity, each independent of the one before
    train, test = random_log(300, seed=20), random_log(300, seed=21)
    settings = {"layers": (8,), "batch_size": 16, "n_epochs": 6}
    model, pop = quietly(train, settings=settings), baselines.Pop().fit(train)
    learned, popular = evaluate(model, test, cutoffs=(3,)).recall[3], evaluate(pop, test, cutoffs=(3,)).recall[3]
    assert popular - 0.06 < learned < popular + 0.02


# the same again


def test_a_seed_gives_the_same_scores_bit_for_bit_and_another_seed_others():
    settings = {"dropout_embed": 0.2, "momentum": 0.3}
    first, again = quietly(settings=settings), quietly(settings=settings)
    assert torch.equal(scores(first), scores(again))
    assert first.history["loss"].tolist() == again.history["loss"].tolist()
    assert not torch.equal(scores(first), scores(quietly(settings={**settings, "seed": 43})))


def test_the_callers_random_numbers_are_neither_used_nor_disturbed():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = quietly()
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(scores(quietly()), scores(first))


def test_fitting_again_starts_anew():
    model = quietly()
    before = scores(model)
    assert torch.equal(scores(model.fit(random_log(), progress=False)), before)
    assert len(model.history) == 2


def test_progress_changes_nothing_but_the_screen():
    shown = tiny().fit(random_log())
    assert torch.equal(scores(shown), scores(quietly()))


# history and output


def test_history_has_a_row_for_each_epoch():
    valid = random_log(seed=3)
    alone, validated = quietly(), quietly(valid=valid)
    assert list(alone.history) == ["epoch", "loss", "clicks_per_s"]
    assert list(validated.history) == ["epoch", "loss", "clicks_per_s", "recall", "mrr"]
    assert validated.history["epoch"].tolist() == [1, 2]
    result = evaluate(validated, valid, cutoffs=(20,))
    last = validated.history.iloc[-1]
    assert (last["recall"], last["mrr"]) == (result.recall[20], result.mrr[20])
    assert (validated.history["clicks_per_s"] > 0).all()
    assert tiny().history.empty


def test_a_line_for_each_epoch_and_the_same_every_time(capsys):
    lines = []
    for _ in range(2):
        model = tiny().fit(random_log(), valid=random_log(seed=3))
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1]
    expected = [
        f"epoch  {row.epoch}  loss {row.loss:.4f}  validation Recall@20 {row.recall:.4f}  MRR@20 {row.mrr:.4f}"
        for row in model.history.itertuples()
    ]
    assert lines[0].splitlines() == expected


def test_without_a_validation_log_a_line_is_epoch_and_loss(capsys):
    tiny().fit(random_log())
    out = capsys.readouterr().out
    assert re.fullmatch(r"(epoch {2}[12] {2}loss \d\.\d{4}\n){2}", out)


def test_without_progress_nothing_is_shown(capsys):
    quietly(valid=random_log(seed=3))
    assert capsys.readouterr() == ("", "")


# the best epoch


def validating(monkeypatch, mrr):
    """From now on validation finds these MRR@20, epoch after epoch."""
    values = iter(mrr)
    monkeypatch.setattr(
        gru4rec, "evaluate", lambda *args, **kwargs: SimpleNamespace(recall={20: 0.5}, mrr={20: next(values)})
    )


@pytest.mark.parametrize(
    ("mrr", "best"), [([0.1, 0.3, 0.2, 0.3], 2), ([0.4, 0.3, 0.2, 0.1], 1), ([0.1, 0.2, 0.3, 0.4], 4)]
)
def test_the_best_epoch_is_kept_the_first_of_equals(monkeypatch, mrr, best):
    validating(monkeypatch, mrr)
    kept = quietly(valid=random_log(), settings={"n_epochs": 4}, keep_best=True)
    assert torch.equal(scores(kept), scores(quietly(settings={"n_epochs": best})))
    assert len(kept.history) == 4


def test_the_last_epoch_is_kept_unless_the_best_is_asked_for(monkeypatch):
    validating(monkeypatch, [0.4, 0.3])
    assert torch.equal(scores(quietly(valid=random_log())), scores(quietly()))


def test_a_validation_of_nothing_is_a_warning_and_no_figure():
    with pytest.warns(UserWarning, match="no prediction"):
        model = quietly(valid=click_log("XY"))
    assert torch.equal(scores(model), scores(quietly()))
    assert model.history["mrr"].isna().all()


@pytest.mark.parametrize("valid", [click_log("a", "b"), click_log("xa", "ax").iloc[:0], click_log("XY")])
def test_a_validation_log_with_nothing_to_count_goes_with_a_checkpoint(valid, tmp_path):
    """Its fingerprint is written like any other, and read when training goes on."""
    fit = {"valid": valid, "checkpoint": tmp_path / "file"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "no prediction")
        quietly(settings={"n_epochs": 1}, **fit)
        resumed, whole = quietly(resume=True, settings={"n_epochs": 3}, **fit), quietly(settings={"n_epochs": 3})
    assert torch.equal(scores(resumed), scores(whole))
    with pytest.raises(ValueError, match="another valid"):
        quietly(valid=random_log(), checkpoint=tmp_path / "file", resume=True)


# one session that plays alone


def crawled(n_sessions=500, n_clicks=1500):
    rng = np.random.default_rng(0)
    few = pd.DataFrame({"SessionId": np.arange(4 * n_sessions) // 4, "ItemId": rng.integers(0, 50, 4 * n_sessions)})
    many = pd.DataFrame({"SessionId": "bot" if n_clicks % 2 else 10**6, "ItemId": rng.integers(0, 50, n_clicks)})
    few["SessionId"] = few["SessionId"].astype(str) if n_clicks % 2 else few["SessionId"]
    return pd.concat([few.assign(Time=np.arange(len(few)) * 10.0), many.assign(Time=np.arange(n_clicks) * 16.0)])


@pytest.mark.parametrize(("n_clicks", "name"), [(1500, "1000000"), (1501, "'bot'")])
def test_a_session_that_plays_most_of_an_epoch_alone_is_named_once(n_clicks, name):
    settings = {"layers": (4,), "n_samples": 4, "n_epochs": 2, "device": "cpu"}
    words = rf"session {name} has {n_clicks:,} clicks: 1,4\d\d of the 1,\d+ steps of an epoch leave three of"
    with pytest.warns(UserWarning, match=words) as seen:
        gru4rec.GRU4Rec(**settings).fit(crawled(n_clicks=n_clicks), progress=False)
    assert len(seen) == 1
    assert seen[0].filename == __file__


@pytest.mark.parametrize(
    "log",
    [crawled(n_sessions=20_000), crawled(n_clicks=300)],
    ids=["many others beside it", "soon over"],
)
def test_a_long_session_that_nobody_waits_for_is_not_mentioned(log):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gru4rec.GRU4Rec(layers=(2,), n_samples=2, n_epochs=1, device="cpu").fit(log, progress=False)


# checkpoint and resume

RUNS = {
    "plain": {},
    "momentum and dropout": {"momentum": 0.4, "dropout_embed": 0.2, "dropout_hidden": 0.3, "layers": (6, 5)},
    "bpr-max": {"loss": "bpr-max", "embedding": "separate", "cell": "lstm", "momentum": 0.2},
    "one-hot": {"loss": "top1", "embedding": "one-hot", "cell": "gru-paper"},
}


class Stop(BaseException):
    """The plug is pulled."""


def interrupted(monkeypatch, path, after_epochs, **fit):
    """Training that ends for good in the middle of the epoch after ``after_epochs``."""
    log, steps, train_step = clicks.encode(random_log()), iter(range(10**6)), training.train_step
    per_epoch = len(gru4rec.SessionParallel(log.items, log.offsets, TINY["batch_size"]))

    def stops(*args):
        if next(steps) == after_epochs * per_epoch + 2:
            raise Stop
        return train_step(*args)

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_step", stops)
        with pytest.raises(Stop):
            quietly(checkpoint=path, **fit)


def assert_same_training(one, two, path_one, path_two):
    assert torch.equal(scores(one), scores(two))
    assert one.history.drop(columns="clicks_per_s").equals(two.history.drop(columns="clicks_per_s"))
    (tensors_one, header_one), (tensors_two, header_two) = files.read(path_one), files.read(path_two)
    assert header_one["identity"] == header_two["identity"]
    assert set(tensors_one) == set(tensors_two)
    for name, tensor in tensors_one.items():  # weights, optimiser, best weights
        assert torch.equal(tensor, tensors_two[name]), name


@pytest.mark.parametrize("after_epochs", [0, 1, 2])
@pytest.mark.parametrize("run", RUNS)
def test_resumed_training_is_as_if_it_had_never_stopped(monkeypatch, tmp_path, run, after_epochs):
    fit = {"valid": random_log(seed=3), "settings": {**RUNS[run], "n_epochs": 3}, "keep_best": True}
    whole = quietly(checkpoint=tmp_path / "whole", **fit)
    interrupted(monkeypatch, tmp_path / "broken", after_epochs, **fit)
    assert (tmp_path / "broken").exists() == (after_epochs > 0)
    resumed = quietly(checkpoint=tmp_path / "broken", resume=True, **fit)
    assert_same_training(resumed, whole, tmp_path / "broken", tmp_path / "whole")


def test_the_best_epoch_before_the_interruption_is_not_forgotten(monkeypatch, tmp_path):
    settings = {"n_epochs": 4, "momentum": 0.3}
    fit = {"valid": random_log(), "settings": settings, "keep_best": True}
    validating(monkeypatch, [0.1, 0.4])
    interrupted(monkeypatch, tmp_path / "file", 2, **fit)
    validating(monkeypatch, [0.3, 0.2])
    resumed = quietly(checkpoint=tmp_path / "file", resume=True, **fit)
    assert torch.equal(scores(resumed), scores(quietly(settings={**settings, "n_epochs": 2})))
    assert resumed.history["mrr"].tolist() == [0.1, 0.4, 0.3, 0.2]


def test_more_epochs_go_on_from_the_last(tmp_path):
    quietly(checkpoint=tmp_path / "file", settings={"momentum": 0.3})
    longer = quietly(checkpoint=tmp_path / "file", resume=True, settings={"momentum": 0.3, "n_epochs": 4})
    whole = quietly(checkpoint=tmp_path / "whole", settings={"momentum": 0.3, "n_epochs": 4})
    assert_same_training(longer, whole, tmp_path / "file", tmp_path / "whole")


def test_a_finished_training_resumed_is_the_trained_model(tmp_path):
    finished = quietly(checkpoint=tmp_path / "file")
    again = quietly(checkpoint=tmp_path / "file", resume=True)
    assert torch.equal(scores(again), scores(finished))
    assert again.history.equals(finished.history)


def test_only_the_epochs_that_were_left_are_printed(tmp_path, capsys):
    quietly(checkpoint=tmp_path / "file")
    tiny(n_epochs=3).fit(random_log(), checkpoint=tmp_path / "file", resume=True)
    assert re.fullmatch(r"epoch  3  loss \d\.\d{4}\n", capsys.readouterr().out)


def test_without_resume_a_checkpoint_is_written_anew(tmp_path):
    quietly(checkpoint=tmp_path / "file", settings={"seed": 1})
    assert torch.equal(scores(quietly(checkpoint=tmp_path / "file")), scores(quietly()))
    assert len(files.read(tmp_path / "file")[1]["history"]) == 2


OTHERS = {
    "layers": (5,),
    "cell": "lstm",
    "embedding": "one-hot",
    "loss": "bpr",
    "output": "tanh",
    "batch_size": 5,
    "n_samples": 6,
    "sample_alpha": 0.5,
    "logq": 0.5,
    "dropout_embed": 0.1,
    "dropout_hidden": 0.3,
    "learning_rate": 0.2,
    "momentum": 0.1,
    "seed": 1,
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_settings_are_refused_by_name(tmp_path, name):
    quietly(checkpoint=tmp_path / "file")
    before = (tmp_path / "file").read_bytes()
    with pytest.raises(ValueError, match=f"another {name} "):
        quietly(checkpoint=tmp_path / "file", resume=True, settings={name: OTHERS[name]})
    assert (tmp_path / "file").read_bytes() == before


@pytest.mark.parametrize(
    "train",
    [random_log(seed=5), random_log().iloc[:-1], random_log(items="ABCDEFGHIJ")],
    ids=["other", "less", "items"],
)
def test_other_clicks_are_refused_by_name(tmp_path, train):
    quietly(checkpoint=tmp_path / "file")
    with pytest.raises(ValueError, match=r"another (clicks|items) "):
        quietly(train, checkpoint=tmp_path / "file", resume=True)


@pytest.mark.parametrize("valid", [click_log("xy", "yx"), click_log("a", "b"), click_log("xa", "ax").iloc[:0]])
def test_the_best_epoch_is_not_looked_for_where_nothing_can_be_counted(valid, tmp_path):
    with pytest.raises(ValueError, match="keep_best=True: valid has no next click"):
        quietly(valid=valid, checkpoint=tmp_path / "file", keep_best=True)
    assert not (tmp_path / "file").exists()


def test_the_last_epoch_is_kept_when_the_best_is_no_longer_asked_for(monkeypatch, tmp_path):
    validating(monkeypatch, [0.4, 0.3])
    quietly(valid=random_log(), checkpoint=tmp_path / "file", keep_best=True)
    validating(monkeypatch, [0.2])
    try:
        resumed = quietly(valid=random_log(), checkpoint=tmp_path / "file", resume=True, settings={"n_epochs": 3})
    except ValueError as error:  # to refuse it by name is as good
        assert "keep_best" in str(error)  # noqa: PT017
    else:
        assert torch.equal(scores(resumed), scores(quietly(settings={"n_epochs": 3})))


def test_a_model_is_not_a_checkpoint(tmp_path, model):
    model.save(tmp_path / "file")
    with pytest.raises(ValueError, match="holds a trained GRU4Rec, not a checkpoint"):
        quietly(checkpoint=tmp_path / "file", resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"not this")
    with pytest.raises(ValueError, match="damaged"):
        quietly(checkpoint=tmp_path / "file", resume=True)


def test_a_failed_checkpoint_leaves_the_one_before_whole(monkeypatch, tmp_path):
    path, replace = tmp_path / "file", files.os.replace
    quietly(checkpoint=tmp_path / "first", settings={"n_epochs": 1})

    def fails_at_epoch_2(source, target):
        if path.exists():
            raise OSError("disk full")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", fails_at_epoch_2)
        with pytest.raises(OSError, match="disk full"):
            quietly(checkpoint=path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "first"]
    resumed = quietly(checkpoint=path, resume=True)
    assert torch.equal(scores(resumed), scores(quietly()))


# wrong use


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"keep_best": True}, "keep_best=True: needs a validation log"),
        ({"resume": True}, "resume=True: needs the file"),
    ],
)
def test_arguments_that_need_another_say_so(arguments, name):
    with pytest.raises(ValueError, match=name):
        quietly(**arguments)


def test_a_log_of_one_click_sessions_is_refused_with_a_remedy():
    with pytest.raises(clicks.ClickLogError, match=r"SessionId.*one click.*sessionise"):
        quietly(click_log("a", "b", "c"))


def test_an_empty_log_is_refused():
    with pytest.raises(clicks.ClickLogError, match="empty"):
        quietly(click_log())


def test_the_logs_are_left_as_they_were():
    train, valid = random_log(), random_log(seed=1)
    copies = train.copy(), valid.copy()
    quietly(train, valid)
    assert train.equals(copies[0])
    assert valid.equals(copies[1])


def test_a_diverged_training_says_where_and_what_to_try():
    with pytest.raises(training.Diverged, match=r"epoch 1, by step .*try learning_rate="):
        quietly(settings={"learning_rate": 1e38, "loss": "bpr-max"})


def test_training_interrupted_by_hand_leaves_a_model_that_recommends_the_same_twice(monkeypatch):
    # a reader stops a long cell and goes on with what was learned so far: dropout must be off
    model, calls, train_step = tiny(dropout_hidden=0.9, dropout_embed=0.9), iter(range(100)), training.train_step

    def stopped(*args):
        if next(calls) == 5:
            raise KeyboardInterrupt
        return train_step(*args)

    monkeypatch.setattr(training, "train_step", stopped)
    with pytest.raises(KeyboardInterrupt):
        model.fit(random_log(), progress=False)
    assert not model.network.training
    assert torch.equal(scores(model), scores(model))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("sessions", [("abcdefgh", "ab"), ("abc",)])
def test_a_lane_that_is_left_alone_without_samples_is_no_trouble(loss, sessions):
    # no negatives at all in such a step: loss 0, and logQ expects no candidate
    model = quietly(click_log(*sessions), settings={"loss": loss, "n_samples": 0, "batch_size": 2})
    assert np.isfinite(model.history["loss"]).all()
    assert all(parameter.isfinite().all() for parameter in model.network.parameters())


@pytest.mark.parametrize("batch_size", [1, 1000])
def test_any_number_of_lanes_trains(batch_size):
    assert np.isfinite(quietly(settings={"batch_size": batch_size}).history["loss"]).all()


def test_a_catalogue_of_one_item_is_no_trouble():
    model = quietly(click_log("aaa", "aa"))
    assert model.recommend(["a"])["ItemId"].tolist() == ["a"]


def test_an_evaluation_holds_the_inputs_and_states_of_a_bounded_number_of_clicks(monkeypatch):
    sizes, hidden_states = [], gru4rec.hidden_states

    def spy(network, items, offsets):
        hidden = hidden_states(network, items, offsets)
        sizes.append(len(hidden) * (network.input_table.shape[1] + hidden.shape[1]))
        return hidden

    monkeypatch.setattr(gru4rec, "hidden_states", spy)
    monkeypatch.setattr(gru4rec, "STATES_AT_ONCE", 2000)
    log = random_log(60)
    for settings in ({"embedding": "separate", "embedding_size": 200}, {"embedding": "shared"}):
        sizes.clear()
        evaluate(tiny(**settings).fit(log, progress=False), log)
        assert max(sizes) <= 2000
        assert len(sizes) > 1
