"""Every setting of GRU4Rec: what is refused, in which words, and what the defaults stand for."""

from __future__ import annotations

import re
from dataclasses import asdict, fields

import numpy as np
import pytest
import torch
from logs import all_scores, random_log, tiny

from gru4rec_lite import GRU4Rec, baselines, clicks
from gru4rec_lite.losses import LOSSES

NAN, INF = float("nan"), float("inf")
SHARE = [-0.1, 1, 1.5, NAN, INF, "0", None]
BAD = {
    "layers": [(), (0,), (-1,), (2.5,), (True,), ("8",), 8, None],
    "cell": ["transformer", "GRU", None],
    "embedding": ["onehot", True, None],
    "embedding_size": [0, -1, 2.5, True, "8"],
    "loss": ["crossentropy", "bpr_max", None],
    "output": ["softmax", None],
    "batch_size": [0, -1, 2.5, True, "32", None],
    "n_samples": [-1, 2.5, True, "0", None],
    "sample_alpha": [-0.1, 1.1, NAN, "1", None],
    "logq": [-0.1, 1.1, NAN, "1"],
    "bpreg": [-1, NAN, INF, "1", None],
    "elu": [0, -1, NAN, INF, "1", None],
    "dropout_embed": SHARE,
    "dropout_hidden": SHARE,
    "learning_rate": [0, -0.1, NAN, INF, "0.1", None],
    "momentum": SHARE,
    "n_epochs": [0, -1, 2.5, True, "10", None],
    "compile": ["yes", "True", 1, None],
    "seed": [-1, 2.5, True, "42", None],
    "device": ["cuda:99", "gpu", "", 3.5, None],
}
TINY = {"layers": (8,), "n_samples": 6, "n_epochs": 2, "device": "cpu"}
NEEDS = {"embedding_size": {"embedding": "separate"}, "bpreg": {"loss": "bpr-max"}, "elu": {"output": "elu"}}
IGNORED = [
    *[("bpreg", 0.5, {"loss": loss}) for loss in LOSSES if loss != "bpr-max"],
    *[("logq", 0.5, {"loss": loss}) for loss in LOSSES if loss != "cross-entropy"],
    ("elu", 0.7, {"loss": "cross-entropy"}),
    ("elu", 0.7, {"loss": "bpr-max", "output": "linear"}),
    ("embedding_size", 8, {"embedding": "one-hot"}),
    ("embedding_size", 8, {"embedding": "shared", "layers": (8, 7)}),
    ("sample_alpha", 0.3, {"n_samples": 0}),
]


def test_every_setting_is_tried():
    assert set(BAD) == {field.name for field in fields(GRU4Rec)}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_value_is_refused_by_name_with_what_is_allowed(name, value):
    with pytest.raises(ValueError, match=rf"^{name}={re.escape(repr(value))}: .+"):
        GRU4Rec(**{name: value, **NEEDS.get(name, {})})


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("cell", ["gru", "gru-paper", "lstm", "rnn"]),
        ("embedding", ["one-hot", "separate", "shared"]),
        ("loss", ["cross-entropy", "bpr", "top1", "bpr-max", "top1-max"]),
        ("output", ["auto", "linear", "tanh", "elu"]),
    ],
)
def test_a_choice_lists_what_there_is(name, allowed):
    with pytest.raises(ValueError, match=name) as error:
        GRU4Rec(**{name: "?"})
    assert re.findall(r"'([\w-]+)'", str(error.value)) == allowed
    for choice in allowed:
        GRU4Rec(**{name: choice})


@pytest.mark.parametrize(("name", "value", "others"), IGNORED)
def test_a_setting_that_would_be_ignored_is_refused(name, value, others):
    with pytest.raises(ValueError, match=rf"^{name}={value}: must be"):
        GRU4Rec(**{name: value}, **others)


@pytest.mark.parametrize("loss", LOSSES)
def test_defaults_go_with_every_loss_and_may_be_written_out(loss):
    model = GRU4Rec(loss=loss)
    GRU4Rec(**{field.name: getattr(model, field.name) for field in fields(GRU4Rec)})


def test_the_edges_are_allowed():
    GRU4Rec(layers=(1,), batch_size=2, n_samples=0, n_epochs=1, seed=0, logq=0)
    GRU4Rec(batch_size=1, n_samples=1)
    GRU4Rec(dropout_embed=0, dropout_hidden=0.999, momentum=0)
    for alpha in (0, 1):
        GRU4Rec(sample_alpha=alpha)
    GRU4Rec(loss="bpr-max", bpreg=0, elu=1)
    GRU4Rec(logq=1)
    GRU4Rec(layers=(8, 7), embedding="shared", embedding_size=7)
    GRU4Rec(loss="bpr", logq=0)


def test_layers_may_be_any_sequence():
    assert GRU4Rec(layers=[8, 7]).layers == (8, 7)


@pytest.mark.parametrize(
    "settings",
    [
        {"layers": (np.int64(5),)},
        {"layers": np.array([5])},
        {"batch_size": np.int64(3), "seed": np.int32(7)},
        {"learning_rate": np.float32(0.125), "dropout_hidden": np.float32(0.5)},
        {"device": torch.device("cpu")},
    ],
)
def test_numbers_of_numpy_and_devices_of_torch_can_be_saved(tmp_path, settings):
    plain = {name: getattr(value, "tolist", lambda value=value: value)() for name, value in settings.items()}
    plain["layers"], plain["device"] = (5,), "cpu"
    model = tiny(**{"layers": (5,), **settings}).fit(random_log(), progress=False, checkpoint=tmp_path / "checkpoint")
    model.save(tmp_path / "model")
    same = tiny(**plain).fit(random_log(), progress=False)
    for other in (same, GRU4Rec.load(tmp_path / "model")):
        assert torch.equal(all_scores(model, [0, 1, 2], [0, 3]), all_scores(other, [0, 1, 2], [0, 3]))


@pytest.mark.parametrize(
    ("settings", "output"),
    [
        ({"loss": "cross-entropy"}, "linear"),
        ({"loss": "bpr-max"}, "elu"),
        ({"loss": "bpr"}, "tanh"),
        ({"loss": "top1"}, "tanh"),
        ({"loss": "top1-max"}, "tanh"),
        ({"loss": "top1", "output": "linear"}, "linear"),
        ({"loss": "cross-entropy", "output": "tanh"}, "tanh"),
    ],
)
def test_auto_output_is_the_one_of_the_loss(settings, output):
    assert tiny(**settings).fit(random_log(), progress=False).network.output == output


def test_logq_is_on_for_cross_entropy_alone():
    def trained(**settings):
        return all_scores(tiny(n_epochs=1, **settings).fit(random_log(), progress=False), [0, 1, 2], [0, 3])

    assert torch.equal(trained(), trained(logq=1))
    assert not torch.equal(trained(), trained(logq=0))
    assert torch.equal(trained(loss="bpr"), trained(loss="bpr", logq=0))


def test_an_embedding_as_wide_as_the_first_layer_unless_said_otherwise():
    assert tiny(embedding="separate", layers=(8, 7)).fit(random_log(), progress=False).network.item_in.shape == (10, 8)
    assert tiny(embedding="separate", embedding_size=3).fit(random_log(), progress=False).network.item_in.shape == (
        10,
        3,
    )


def test_auto_finds_a_device():
    model = tiny(device="auto").fit(random_log(), progress=False)
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert model.network.item_out.device.type == expected


# --- settings are plain fields, read when the model is fitted

LOG = clicks.encode(random_log())


def scores(model):
    return all_scores(model, LOG.items, LOG.offsets)


CHANGED = [
    {"loss": "bpr"},  # with its own output, tanh, and without logQ
    {"loss": "bpr-max", "bpreg": 0.5},
    {"logq": 0.0},
    {"cell": "lstm", "layers": (7, 5)},
    {"layers": [6]},  # made plain, as by the constructor
    {"embedding": "separate", "embedding_size": np.int64(9)},
    {"seed": 7, "dropout_hidden": 0.5, "n_samples": 0},
]


@pytest.mark.parametrize("changed", CHANGED, ids=str)
def test_a_setting_changed_before_fit_counts_as_if_it_had_been_given_at_first(changed, tmp_path):
    model = GRU4Rec(**TINY)
    for name, value in changed.items():
        setattr(model, name, value)
    model.fit(random_log(), progress=False)
    expected = GRU4Rec(**TINY | changed).fit(random_log(), progress=False)
    assert torch.equal(scores(model), scores(expected))
    model.save(tmp_path / "file")
    assert torch.equal(scores(GRU4Rec.load(tmp_path / "file")), scores(expected))


@pytest.mark.parametrize("changed", CHANGED, ids=str)
def test_a_setting_changed_after_fit_waits_for_the_next_fit(changed, tmp_path):
    model = GRU4Rec(**TINY).fit(random_log(), progress=False)
    before = scores(model)
    for name, value in changed.items():
        setattr(model, name, value)
    assert torch.equal(scores(model), before)
    model.save(tmp_path / "file")
    again = GRU4Rec.load(tmp_path / "file")
    assert torch.equal(scores(again), before)
    assert asdict(again) == asdict(GRU4Rec(**TINY))


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"dropout_hidden": 2.0}, "dropout_hidden=2.0: must be a number of at least 0, below 1"),
        ({"loss": "bpr", "logq": 1.0}, "logq=1.0: must be left alone with loss='bpr'"),
        ({"device": "nowhere"}, "device='nowhere': must be 'auto'"),
    ],
)
def test_a_wrong_change_is_refused_at_fit_and_the_model_stays_what_it_was(changed, complaint):
    model = GRU4Rec(**TINY).fit(random_log(), progress=False)
    before, history = scores(model), model.history
    for name, value in changed.items():
        setattr(model, name, value)
    with pytest.raises(ValueError, match=re.escape(complaint)):
        model.fit(random_log(seed=9), progress=False)
    assert torch.equal(scores(model), before)
    assert model.history.equals(history)


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        (baselines.ItemKNN(), "lam", -1),
        (baselines.Markov(), "kappa", -0.5),
        (baselines.VSKNN(), "decay", "slow"),
        (baselines.STAN(), "k", 0),
        (baselines.BPRMF(), "batch_size", 2.5),
    ],
)
def test_settings_of_the_baselines_are_checked_at_fit_too(model, name, value):
    setattr(model, name, value)
    with pytest.raises(ValueError, match=f"^{name}="):
        model.fit(random_log())
