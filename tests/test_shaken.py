"""Shaken arithmetic shakes what it says and nothing else, catches what hangs on last digits; and the package holds."""

from __future__ import annotations

import copy

import nbformat
import pytest
import shaken
import torch
import verdicts
from helpers import assert_same_bits
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

pytestmark = pytest.mark.skipif(
    not hasattr(torch.library, "get_kernel"), reason="this PyTorch does not hand out its own kernels"
)
ULP = 2.0**-23
GENERATOR = torch.Generator().manual_seed(0)
A, B = torch.rand(9, 40, generator=GENERATOR) + 0.1, torch.rand(40, 30, generator=GENERATOR) + 0.1
WAYS = {
    "mm": lambda a, b: a @ b,
    "linear": lambda a, b: torch.nn.functional.linear(a, b.T.contiguous()),
    "addmm": lambda a, b: torch.addmm(torch.zeros(b.shape[1], dtype=b.dtype), a, b),
    "einsum": lambda a, b: torch.einsum("ij,jk->ik", a, b),
    "bmm": lambda a, b: torch.bmm(a[None], b[None])[0],
    "baddbmm": lambda a, b: torch.baddbmm(torch.zeros(1, 1, 1, dtype=b.dtype), a[None], b[None])[0],
    "mv": lambda a, b: torch.stack([a @ column for column in b.T], dim=1),
    "dot": lambda a, b: torch.stack([torch.stack([row @ column for column in b.T]) for row in a]),
    "out=": lambda a, b: torch.mm(a, b, out=torch.empty(a.shape[0], b.shape[1], dtype=b.dtype)),
    "in place": lambda a, b: torch.zeros(a.shape[0], b.shape[1], dtype=b.dtype).addmm_(a, b),
    "gradient": lambda a, b: torch.autograd.grad((a @ (x := b.clone().requires_grad_())).sum(), x)[0],
}


@pytest.mark.parametrize("way", WAYS)
def test_every_float32_product_is_off_by_a_few_units_in_the_last_place(way):
    right, exact = WAYS[way](A, B), WAYS[way](A.double(), B.double())
    with shaken.shaken(seed=1):
        found, again, in_double = WAYS[way](A, B), WAYS[way](A, B), WAYS[way](A.double(), B.double())
    off = (found / right - 1).abs() / ULP
    assert 1 <= off.max() <= shaken.ULPS + 1  # rounded once more
    assert (off > 0.5).double().mean() > 0.5
    assert_same_bits(again, found)
    assert_same_bits(in_double, exact)
    assert_same_bits(WAYS[way](A, B), right)  # and afterwards all is as before


def test_the_noise_depends_on_the_shapes_the_row_the_seed_and_the_threads():
    def product(seed, threads, rows=9):
        with shaken.shaken(seed, threads):
            return torch.ones(rows, 40) @ B

    noise = product(1, 1)
    assert_same_bits(product(1, 1), noise)
    for other in (product(1, 1, rows=8)[:8], product(2, 1)[:8], product(1, 2)[:8], noise[1:]):
        assert not torch.equal(other, noise[:8])


def test_a_product_larger_than_the_pool_of_noise_is_shaken_everywhere():
    with shaken.shaken(seed=1):
        found = torch.ones(3, 1) @ torch.ones(1, shaken.POOL // 2)
    assert ((found != 1).double().mean(dim=1) > 0.8).all()
    assert not any(torch.equal(found[one], found[other]) for one, other in ((0, 1), (1, 2), (0, 2)))


def test_integers_random_states_and_threads_are_left_alone():
    state, threads, whole = torch.get_rng_state(), torch.get_num_threads(), torch.arange(6).view(2, 3)
    with shaken.shaken(seed=1, threads=threads + 1):
        assert torch.get_num_threads() == threads + 1
        assert (whole @ whole.T).tolist() == [[5, 14], [14, 50]]
    assert_same_bits(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


# what is caught, in a notebook

CELLS = [
    "import torch\ntorch.manual_seed(0)\nx, w = torch.randn(8, 50), torch.randn(50, 20)",
    "assert torch.equal(x[:4] @ w, (x @ w)[:4])",  # equal to the bit by two ways
    "assert torch.allclose(x[:4] @ w, (x @ w)[:4], atol=1e-5)",
    "print('same' if torch.equal(x[:4] @ w, (x @ w)[:4]) else 'other', 'lists')",  # a verdict on last digits
    "print('the first score is', float((x @ w)[0, 0]))",  # a figure
    "print('all finite:', bool((x @ w).isfinite().all()))",
]


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """CELLS, executed as they are."""
    from nbclient import NotebookClient

    path = tmp_path_factory.mktemp("notebook") / "cells.ipynb"
    nb = new_notebook(cells=[new_markdown_cell("# Cells"), *map(new_code_cell, CELLS)])
    NotebookClient(nb, timeout=300).execute()
    nbformat.write(nb, path)
    return path


def test_a_cell_that_hangs_on_last_digits_is_caught_and_one_with_a_tolerance_is_not(notebook):
    found, count = shaken.run_notebook(notebook, seed=1, threads=1)
    assert count == 8  # two in each of three cells, one in each of two
    assert [line.split()[1] for line in found] == ["2", "4:"]
    assert "fails: AssertionError" in found[0]
    assert "'same lists', now 'other lists'" in found[1]


# verdicts


def printed(text):
    return [new_output("stream", name="stdout", text=text)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("MRR@20 0.263, from -.01 to 1e-3", "MRR@20 .3, from 0.02 to 4.51"),
        ("better at 6 of 10 clicks: B13 B10", "better at 12 of 10 clicks: B10 P4"),
        ("loss nan   12%", "loss 4.6 3%"),
        ("a    b\n1.5  2\n---------", "a  b\n1  2\n---"),
    ],
)
def test_figures_and_item_ids_may_change(before, after):
    assert verdicts.changed(printed(before), printed(after)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("the network wins", "the chain wins"),
        ("all live? True", "all live? False"),
        ("gru 0.3\nlstm 0.2", "lstm 0.3\ngru 0.2"),  # the order of a table
        ("higher", "the same"),
        ("yes", ""),
        ("0.3 (better)", "0.3"),
    ],
)
def test_words_may_not_change(before, after):
    (line,) = verdicts.changed(printed(before), printed(after))[:1]
    assert "now" in line


def test_tables_values_and_alt_texts_are_read_as_well():
    table = {"text/html": "<style>x {}</style><table><tr><td>gru</td><td>0.3</td></tr></table>"}
    image = new_output("display_data", {"image/png": "a"}, metadata={"image/png": {"alt": "the gru wins by 0.1"}})
    outputs = [new_output("execute_result", {"text/plain": "gru"}), new_output("display_data", table), image]
    for at, change in [
        (0, lambda out: out.data.update({"text/plain": "rnn"})),
        (1, lambda out: out.data.update({"text/html": table["text/html"].replace("gru", "rnn")})),
        (2, lambda out: out.metadata["image/png"].update({"alt": "the rnn wins by 0.1"})),
    ]:
        other = copy.deepcopy(outputs)
        change(other[at])
        assert verdicts.changed(outputs, copy.deepcopy(outputs)) == []
        assert len(verdicts.changed(outputs, other)) == 1


# the package, and the pages' code


def test_models_and_snippets_hold_under_shaken_arithmetic():
    assert shaken.run_tests(shaken.CHEAP, seed=2, threads=2) == []
