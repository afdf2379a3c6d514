"""Matrix products by oneDNN instead of torch's default (MKL), for processors on which the default is slow.

MKL runs at about half speed on AMD processors. In large networks (hundreds of units), products take most of a step, so
this is worth its two lines; small networks get slower. Try it and measure: on Intel processors there is no gain.

    with gru4rec_lite.products.onednn():
        model.fit(train)

The arithmetic stays float32. oneDNN can also be told to round inputs to bfloat16, which is faster and less exact: this
is checked first, and refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch._inductor.config  # the only private part of torch used here
from torch import Tensor
from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

ATEN = torch.ops.aten


@torch.library.custom_op("gru4rec_lite::product", mutates_args=())
def product(a: Tensor, b: Tensor) -> Tensor:
    """``(P, Q), (Q, R) -> (P, R)`` float32 on the CPU, by oneDNN."""
    return torch.ops.mkldnn._linear_pointwise(a, b.t(), None, "none", [], "")


@product.register_fake
def _(a: Tensor, b: Tensor) -> Tensor:
    return a.new_empty(a.shape[0], b.shape[1])


def check_accuracy() -> None:
    """ValueError unless products are as exact as float32 allows, compared with float64."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(64, 256, generator=generator), torch.randn(256, 64, generator=generator)
    exact = a.double() @ b.double()
    try:
        error = float((product(a, b).double() - exact).abs().max() / exact.abs().max())
    except (RuntimeError, AttributeError) as reason:  # a build of torch without oneDNN
        raise ValueError(f"products.onednn: oneDNN is unavailable here ({reason}); train without it") from reason
    if not error < 1e-5:  # float32 is near 1e-7, bfloat16 near 1e-3
        raise ValueError(
            f"products.onednn: products are off by {error:.1g} of the largest, so they are not float32; undo "
            'torch.set_float32_matmul_precision("medium"), or train without it'
        )


@contextmanager
def onednn() -> Iterator[None]:
    """Steps compiled inside this context (see ``GRU4Rec(compile=...)``) take their matrix products from oneDNN.

    Raises:
        ValueError: products would be less exact than float32, or there is no oneDNN.
    """
    check_accuracy()
    with torch._inductor.config.patch(post_grad_custom_pre_pass=_ByOneDNN()):
        yield


class _ByOneDNN(CustomGraphPass):
    """Replace every float32 product of a compiled graph by `product`."""

    def __call__(self, graph: torch.fx.Graph) -> None:
        for node in list(graph.nodes):
            is_mm, is_addmm = node.target is ATEN.mm.default, node.target is ATEN.addmm.default and not node.kwargs
            if (
                not (is_mm or is_addmm)
                or node.meta["val"].dtype != torch.float32
                or node.meta["val"].device.type != "cpu"
            ):
                continue
            with graph.inserting_before(node):
                new = graph.call_function(torch.ops.gru4rec_lite.product.default, node.args[-2:])
                new.meta["val"] = node.meta["val"]
                if is_addmm:
                    new = graph.call_function(ATEN.add.Tensor, (new, node.args[0]))
                    new.meta["val"] = node.meta["val"]
            node.replace_all_uses_with(new)
            graph.erase_node(node)

    def uuid(self) -> Any:
        return get_hash_for_files((__file__,))
