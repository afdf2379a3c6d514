from __future__ import annotations

import pytest
import torch
from test_compiling import check_steps_agree, needs_compiler
from torch.testing import assert_close

from gru4rec_lite import GRU4Rec, toyshop, training
from gru4rec_lite.internal import products
from gru4rec_lite.internal.compiling import CompiledStep

needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch was built without oneDNN")


@needs_onednn
def test_a_product_is_the_sum_over_the_middle_dimension():
    a, b = torch.randn(5, 7), torch.randn(7, 4)
    by_hand = torch.tensor([[sum(a[i, q] * b[q, j] for q in range(7)) for j in range(4)] for i in range(5)])
    assert_close(products.product(a, b), by_hand)
    assert_close(products.product(a, b.T.contiguous().T), by_hand)  # whatever the layout in memory
    assert_close(products.product(a.T.contiguous().T, b), by_hand)


@needs_compiler
@needs_onednn
@pytest.mark.parametrize("loss", ["cross-entropy", "bpr-max"])
def test_compiled_steps_with_it_agree_with_steps_as_they_are(loss, monkeypatch):
    calls = []
    replace = products._ByOneDNN.__call__

    def spy(self, graph):
        calls.append([node.target for node in graph.nodes])
        replace(self, graph)
        calls.append([node.target for node in graph.nodes])

    monkeypatch.setattr(products._ByOneDNN, "__call__", spy)
    with torch._inductor.config.patch(fx_graph_cache=False), products.onednn():
        check_steps_agree(CompiledStep(training.train_step), loss=loss)
    before, after = calls
    plain = {torch.ops.aten.mm.default, torch.ops.aten.addmm.default}
    assert sum(target in plain for target in before) == 8  # input and state of the cell, scores; and their gradients
    assert not plain & set(after)
    assert after.count(torch.ops.gru4rec_lite.product.default) == 8


@needs_compiler
@needs_onednn
def test_a_model_trains_with_it_and_nothing_stays_switched_on():
    log, kept = toyshop.simulate(100, seed=1), torch._inductor.config.post_grad_custom_pre_pass
    settings = {"layers": (8,), "n_samples": 8, "n_epochs": 1, "dropout_hidden": 0.0, "device": "cpu"}
    with products.onednn():
        one = GRU4Rec(**settings, compile=True).fit(log, progress=False)
    other = GRU4Rec(**settings, compile=False).fit(log, progress=False)
    assert one.history["loss"].tolist() == pytest.approx(other.history["loss"].tolist(), abs=1e-4)
    assert torch._inductor.config.post_grad_custom_pre_pass is kept


def refusal(product, monkeypatch) -> str:
    """Why this product is not let in; nothing when it is."""
    with monkeypatch.context() as patch:
        patch.setattr(products, "product", product)
        try:
            with products.onednn():
                return ""
        except ValueError as error:
            return str(error)


def test_products_that_round_their_inputs_are_refused(monkeypatch):
    def in_bfloat16(a, b):
        return a.bfloat16().float() @ b.bfloat16().float()

    def in_float16(a, b):
        return a.half().float() @ b.half().float()

    def none(a, b):
        raise RuntimeError("mkldnn is not available")

    for product in (in_bfloat16, in_float16, lambda a, b: torch.full((64, 64), torch.nan)):
        assert "not float32" in refusal(product, monkeypatch)
    assert "mkldnn is not available" in refusal(none, monkeypatch)
    assert refusal(lambda a, b: a @ b, monkeypatch) == ""
