"""GRU4Rec: the recommender that puts the network, the batches, the sampling, the loss and the optimiser together.

Sources: Hidasi et al., "Session-based recommendations with recurrent neural networks", ICLR 2016; Hidasi & Karatzoglou,
"Recurrent neural networks with top-k gains for session-based recommendations", CIKM 2018.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from . import clicks as click_log
from . import training
from .batching import SessionParallel, whole_sessions
from .cells import CELLS
from .evaluation import evaluate
from .internal import checkpoints, files, rules
from .internal.ambient import undisturbed
from .internal.caller import warn
from .internal.checks import require_flag, require_that
from .internal.device import find_device, plain
from .internal.rules import setting
from .losses import LOSSES
from .network import EMBEDDINGS, OUTPUTS, Network, hidden_states
from .optim import Adagrad
from .recommender import Recommender, Stream, follows, rows_at_once
from .sampling import NegativeSampler

STATES_AT_ONCE = 8_000_000  # numbers in inputs and states (at least one session's); about 170 MB with gates
NOTICED = 1000  # steps of an epoch; with fewer, nobody notices the wait


@dataclass(eq=False)
class GRU4Rec(Recommender):
    """Recommends the next click from a session's clicks so far.

    Args:
        layers: units of each recurrent layer, first to last.
        cell: "gru" (torch's) | "gru-paper" (reset before the product) | "lstm" | "rnn".
        embedding: "one-hot" | "separate" | "shared" (one table for input and output).
        embedding_size: width of a separate embedding; None: units of the first layer.
        loss: "cross-entropy" | "bpr" | "top1" | "bpr-max" | "top1-max".
        output: activation of the scores, "linear" | "tanh" | "elu"; "auto": linear for cross-entropy, elu for bpr-max,
            else tanh.
        batch_size: lanes of a session-parallel mini-batch.
        n_samples: extra negatives of each step, shared by its lanes.
        sample_alpha: they are drawn by popularity^alpha, 0 to 1.
        logq: strength of the logQ correction, 0 to 1, cross-entropy only; None: 1 for cross-entropy.
        bpreg: weight of bpr-max's score regularisation.
        elu: the elu output levels off at minus this.
        dropout_embed, dropout_hidden: drop probabilities of the input rows and of each layer's hidden state.
        learning_rate, momentum: settings of Adagrad.
        n_epochs: passes over the training sessions.
        compile: True: training steps run compiled (torch.compile, which needs a C++ compiler or Triton); False:
            uncompiled; "auto": compiled when the run is long enough to pay for it. Same arithmetic up to rounding.
        seed: the same seed gives the same model: to the bit on the CPU of the same machine with the same torch and
            number of threads, whatever other threads do; elsewhere up to rounding.
        device: whatever torch.device takes, or "auto" (the first available of cuda, mps, cpu).

    Settings are plain fields: `fit` uses their values at the time of the call. A fitted model keeps, and saves, the
    settings that it was fitted with until the next `fit`.

    Raises:
        ValueError: a setting that does not exist, is out of range, or would be ignored.
    """

    layers: tuple[int, ...] = setting((100,), rules.units)
    cell: str = setting("gru", rules.one_of(*CELLS))
    embedding: str = setting("shared", rules.one_of(*EMBEDDINGS))
    embedding_size: int | None = setting(None, rules.optional(rules.whole()))
    loss: str = setting("cross-entropy", rules.one_of(*LOSSES))
    output: str = setting("auto", rules.one_of("auto", *OUTPUTS))
    batch_size: int = setting(32, rules.whole())
    n_samples: int = setting(2048, rules.whole(0))
    sample_alpha: float = setting(0.75, rules.number(0, 1))
    logq: float | None = setting(None, rules.optional(rules.number(0, 1)))
    bpreg: float = setting(1.0, rules.number(0))
    elu: float = setting(0.5, rules.positive)
    dropout_embed: float = setting(0.0, rules.share)
    dropout_hidden: float = setting(0.2, rules.share)
    learning_rate: float = setting(0.05, rules.positive)
    momentum: float = setting(0.0, rules.share)
    n_epochs: int = setting(10, rules.whole())
    compile: str | bool = setting("auto", rules.auto_or_flag)
    seed: int = setting(42, rules.whole(0))
    device: str = setting("auto", rules.device)

    _part_of_what_is_learned = ("layers", "cell", "embedding", "embedding_size", "loss", "output", "elu")

    def __post_init__(self):
        self._check_settings()
        self._settle()
        self._history: list[dict[str, float]] = []

    def _check_settings(self) -> None:
        for field in fields(self):
            setattr(self, field.name, plain(getattr(self, field.name)))
        super()._check_settings()
        _check_none_is_ignored(self)

    def _settle(self) -> None:
        """Decide what the settings leave open."""
        self._device = find_device(self.device)
        self._output = self.output
        if self.output == "auto":
            self._output = {"cross-entropy": "linear", "bpr-max": "elu"}.get(self.loss, "tanh")
        self._logq = float(self.loss == "cross-entropy") if self.logq is None else self.logq

    @property
    def history(self) -> pd.DataFrame:
        """A row per epoch: epoch, loss, clicks_per_s (compiling counts); with a validation log recall, mrr (at 20)."""
        return pd.DataFrame(self._history)

    @undisturbed(grad=True)
    def fit(
        self,
        train: pd.DataFrame,
        valid: pd.DataFrame | None = None,
        progress: bool = True,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        keep_best: bool = False,
    ) -> Self:
        """Train on a click log.

        Args:
            train: columns SessionId, ItemId, Time; catalogue and popularity come from here alone.
            valid: a later log, evaluated after each epoch.
            progress: show a bar, and print a line per epoch.
            checkpoint: file to write after each epoch; a checkpoint of an earlier training is replaced, with a warning.
            resume: continue from that file if it exists, and end with the weights of a run that was never stopped (to
                the bit on the same machine with the same torch and number of threads).
            keep_best: end with the weights of the epoch with the best validation MRR@20, not those of the last epoch.

        Raises:
            ClickLogError: the log cannot be used.
            ValueError: arguments that do not fit together, or a checkpoint of other settings or clicks.
            OSError: the checkpoint cannot be written there; this is tried before the first epoch.
            training.Diverged: the loss stopped being a number.
        """
        require_flag("progress", progress)
        require_flag("resume", resume)
        require_flag("keep_best", keep_best)
        if keep_best and valid is None:
            raise ValueError("keep_best=True: needs a validation log, fit(train, valid=...)")
        if resume and checkpoint is None:
            raise ValueError("resume=True: needs the file to continue from, fit(..., checkpoint=path)")
        self._check_settings()
        log = click_log.encode(train)
        plan = SessionParallel(log.items, log.offsets, self.batch_size, find_device(self.device))
        if len(plan) == 0:
            raise click_log.ClickLogError(
                "column SessionId: every session has one click, so there is no next click to learn from; "
                "if one visit is spread over several session ids, see clicks.sessionise"
            )
        self._require_ready(log, valid, checkpoint, resume, keep_best)
        _warn_of_a_long_session(log, plan)
        network = self._built(len(log.index))
        sampler = NegativeSampler(torch.from_numpy(log.support), self.n_samples, self.sample_alpha, self._device)
        optimiser = Adagrad(dict(network.named_parameters()), self.learning_rate, self.momentum)
        saved = (
            checkpoints.Checkpoint(checkpoint, network, optimiser, self._identity(log, valid)) if checkpoint else None
        )
        checkpoints.require_room(checkpoint, *[network.state_dict()] * (1 + keep_best), optimiser.state)
        history, best = saved.restore() if saved and resume else ([], {})
        # up to here the model is unchanged
        self.items, self.network, self._history, self._learned_with = log.index, network, history, asdict(self)
        best = best if keep_best else {}
        epochs = range(len(self._history) + 1, self.n_epochs + 1)
        loss = partial(LOSSES[self.loss], bpreg=self.bpreg) if self.loss == "bpr-max" else LOSSES[self.loss]
        for epoch in training.train(
            self.network, optimiser, loss, plan, sampler, epochs, self._logq, self.seed, progress,
            training.pays_to_compile(self.compile, self.network, plan, self.n_samples, self.n_epochs),
        ):  # fmt: skip
            row = {"epoch": epoch.number, "loss": epoch.loss, "clicks_per_s": epoch.clicks_per_s}
            line = f"epoch {epoch.number:>2}  loss {epoch.loss:.4f}"
            if valid is not None:
                result = evaluate(self, valid, cutoffs=(20,))
                row |= {"recall": result.recall[20], "mrr": result.mrr[20]}
                line += f"  validation Recall@20 {result.recall[20]:.4f}  MRR@20 {result.mrr[20]:.4f}"
                if keep_best and row["mrr"] > max((r["mrr"] for r in self._history), default=-1.0):
                    best = {name: p.detach().clone() for name, p in self.network.state_dict().items()}
            self._history.append(row)
            if saved:
                saved.write(self._history, best)
            if progress:
                print(line)
        if best:
            self.network.load_state_dict(best)
        return self

    @undisturbed()
    def scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray | None = None) -> Iterator[Tensor]:
        """See `Recommender.scores`."""
        for first, last in whole_sessions(offsets, self._clicks_at_once()):
            hidden = hidden_states(self.network, items, offsets[first : last + 1])
            yield from self._score_all(hidden)

    @undisturbed()
    def last_scores(self, items: np.ndarray, offsets: np.ndarray, times: np.ndarray) -> Iterator[Tensor]:
        """See `Recommender.last_scores`."""
        for first, last in whole_sessions(offsets, self._clicks_at_once()):
            here = offsets[first : last + 1]
            hidden = hidden_states(self.network, items, here)
            rows = here[1:] - here[0] - np.arange(1, len(here)) - 1
            yield from self._score_all(hidden[torch.from_numpy(rows).to(hidden.device)])

    def _clicks_at_once(self) -> int:
        return STATES_AT_ONCE // (sum(self._learned_with["layers"]) + self.network.input_table.shape[1])

    def _score_all(self, hidden: Tensor) -> Iterator[Tensor]:
        """Scores of the whole catalogue in blocks: ``(P, H)`` -> ``(p, N)`` each."""
        for part in hidden.split(rows_at_once(len(self.items))):
            yield self.network.score_all(part)

    def _click(self, clicked: Tensor, state: list[Tensor]) -> list[Tensor]:
        """The state after one more click of each session ``(b,)``; an unknown one (-1) changes nothing."""
        _, after = self.network(self.network.input_table[clicked.clamp(min=0)], state)
        known = (clicked >= 0)[:, None, None]
        return [torch.where(known, new, old) for new, old in zip(after, state, strict=True)]

    def stream(self) -> Stream:
        """A running session, at the cost of one step per click."""
        self._check_fitted()
        return _StatefulStream(self) if follows(self, "stream", "scores", "last_scores") else super().stream()

    def tensors(self) -> dict[str, Tensor]:
        return self.network.state_dict()

    def _settings_to_save(self) -> dict[str, Any]:
        return self._learned_with

    @undisturbed(grad=True)
    def restore(self, tensors: dict[str, Tensor]) -> None:
        if sum(units**2 for units in self.layers) + len(self.items) * (self.embedding_size or 1) > sum(
            t.numel() for t in tensors.values()
        ):  # a crafted file must not fill memory before it is found out
            raise TypeError("its settings require more weights than it holds")
        self._build()
        self._require_fitting(tensors)
        self.network.load_state_dict(tensors)

    def _build(self) -> None:
        self.network, self._learned_with = self._built(len(self.items)), asdict(self)

    def _built(self, n_items: int) -> Network:
        self._settle()
        return Network(
            n_items, self.layers, self.cell, self.embedding, self.embedding_size,
            self._output, self.elu, self.dropout_embed, self.dropout_hidden,
            training.generator(self.seed, 0, torch.device("cpu")),  # on the CPU: the same initial weights everywhere
        ).to(self._device).eval()  # fmt: skip

    def _require_fitting(self, tensors: dict[str, Tensor]) -> None:
        """Refuse what torch would accept: numbers of another type, and one id for two items."""
        for name, ours in self.network.state_dict().items():
            if tensors[name].dtype != ours.dtype:
                raise TypeError(f"{name} is {tensors[name].dtype}, not {ours.dtype}")
        if not self.items.is_unique:
            raise TypeError(f"{self.items[self.items.duplicated()][0]!r} is the id of two items")

    def _require_ready(self, log: click_log.Sessions, valid, checkpoint, resume: bool, keep_best: bool) -> None:
        """Refuse a validation log that cannot be used, and a checkpoint that cannot be written or resumed."""
        if valid is not None:
            later = click_log.encode(valid, log.index)
            if keep_best and not (np.delete(later.items, later.offsets[:-1]) >= 0).any():
                raise ValueError("keep_best=True: valid has no next click on an item of train, so no epoch is best")
        if resume:
            checkpoints.require_resumable(checkpoint, self._identity(log, valid), self.n_epochs, keep_best)
        checkpoints.require_checkpoint(checkpoint, resume)

    def _identity(self, log: click_log.Sessions, valid: pd.DataFrame | None) -> dict[str, Any]:
        """What must be the same to resume training; more epochs or another device are fine."""
        same = {name: value for name, value in asdict(self).items() if name not in ("n_epochs", "compile", "device")}
        same["valid"] = None
        if valid is not None:
            validation = click_log.encode(valid, log.index)
            same["valid"] = files.fingerprint(validation.items, validation.offsets)
        return {**same, "clicks": files.fingerprint(log.items, log.offsets), "items": log.index.tolist()}


class _StatefulStream(Stream):
    """A running session that keeps the hidden state instead of replaying its clicks for every list."""

    model: GRU4Rec

    def _begin(self) -> None:
        super()._begin()
        self._network = self.model.network
        self.state = self._network.zeros(1)

    def _is_current(self) -> bool:
        return self.model.network is self._network

    @undisturbed()
    def _clicked(self, number: int) -> None:
        clicked = torch.from_numpy(np.array([number])).to(self.state[0].device)
        self.state = self.model._click(clicked, self.state)

    @undisturbed()
    def _scores(self) -> Tensor:
        return self.model.network.score_all(self.state[-1][:, 0])


def _check_none_is_ignored(s: GRU4Rec) -> None:
    """ValueError for a setting that would have no effect: a mistake that nobody would notice."""
    width = s.layers[-1] if s.embedding == "shared" else s.embedding_size if s.embedding == "separate" else None
    uses_elu = s.output == "elu" or (s.output == "auto" and s.loss == "bpr-max")
    alone = f"left alone with loss={s.loss!r}"
    for name, holds, allowed in (
        ("bpreg", s.bpreg == 1.0 or s.loss == "bpr-max", f"{alone}, which has no such term"),
        ("logq", not s.logq or s.loss == "cross-entropy", f"{alone}: for cross-entropy only"),
        ("elu", s.elu == 0.5 or uses_elu, "left alone unless output is 'elu'"),
        ("batch_size", s.batch_size + s.n_samples > 1, "at least 2 with n_samples=0: a lone lane has no negatives"),
        ("sample_alpha", s.sample_alpha == 0.75 or s.n_samples > 0, "left alone with n_samples=0, which draws none"),
        (
            "embedding_size", s.embedding_size in (None, width),
            "None unless embedding is 'separate': shared is as wide as the last layer",
        ),
    ):  # fmt: skip
        require_that(name, getattr(s, name), holds, allowed)


def _warn_of_a_long_session(log: click_log.Sessions, plan: SessionParallel) -> None:
    """Warn of a session that plays on when most others have ended: most steps are then only a few lanes wide."""
    n_clicks, narrow = np.diff(log.offsets), int((4 * plan.widths <= plan.widths[0]).sum())
    if narrow > len(plan) / 2 and len(plan) >= NOTICED:
        longest = int(n_clicks.argmax())
        warn(
            f"session {log.ids[longest : longest + 1].tolist()[0]!r} has {n_clicks[longest]:,} clicks: {narrow:,} of "
            f"the {len(plan):,} steps of an epoch leave three of four lanes empty, which is slow. If no visitor clicks "
            "that much, leave it out: clicks.prepare(log, max_session=...)"
        )
