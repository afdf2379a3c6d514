from __future__ import annotations

import pandas as pd
import pytest

from gru4rec_lite import plots


@pytest.fixture
def table() -> pd.DataFrame:
    """Two configurations; every side is better with another number of threads."""
    rows = [
        ("training", "A", "cornac", "1", 30_000, "clicks/s"),
        ("training", "A", "cornac", "2", 20_000, "clicks/s"),
        ("training", "A", "plain", "1", 2_000, "clicks/s"),
        ("training", "A", "eager", "1", 40_000, "clicks/s"),
        ("training", "A", "compiled", "1", 70_000, "clicks/s"),
        ("training", "A", "compiled", "2", 105_000, "clicks/s"),
        ("training", "A", "compiled against cornac", "best", 3.5, "ratio"),
        ("training", "C", "cornac", "2", 8_000, "clicks/s"),
        ("training", "C", "plain", "2", 5_000, "clicks/s"),
        ("training", "C", "eager", "2", 12_000, "clicks/s"),
        ("training", "C", "compiled", "2", 10_000, "clicks/s"),
        ("evaluation", "100 units", "cornac", "1", 1_000, "predictions/s"),
    ]
    return pd.DataFrame(rows, columns=["benchmark", "configuration", "side", "threads", "median", "unit"])


def test_speed_draws_each_sides_better_number_of_threads(table):
    figure, _ = plots.speed(table)
    (ax,) = figure.axes
    drawn = {line.get_label(): line.get_xdata().tolist() for line in ax.lines if not line.get_label().startswith("_")}
    assert drawn == {
        "plain PyTorch": [2_000, 5_000],
        "cornac": [30_000, 8_000],
        "gru4rec_lite": [40_000, 12_000],
        "gru4rec_lite compiled": [105_000, 10_000],
    }
    plots.plt.close(figure)


def test_speed_tells_sides_apart_without_colour(table):
    figure, _ = plots.speed(table)
    markers = [line.get_marker() for line in figure.axes[0].lines if not line.get_label().startswith("_")]
    assert len(set(markers)) == 4
    plots.plt.close(figure)


def test_speed_says_in_words_what_it_shows(table):
    figure, words = plots.speed(table)
    assert "A: plain PyTorch 2,000, cornac 30,000, gru4rec_lite 40,000, gru4rec_lite compiled 105,000" in words
    assert "(3.5 × cornac); C: " in words  # 105,000 to 30,000
    assert "(1.5 × cornac)." in words  # our faster one, which is not the compiled one here: 12,000 to 8,000
    assert [text.get_text() for text in figure.axes[0].texts] == ["3.5 × cornac", "1.5 × cornac"]
    plots.plt.close(figure)


def test_speed_without_cornac_names_no_ratio(table):
    figure, words = plots.speed(table[~table["side"].str.contains("cornac")])
    assert "×" not in words
    assert not figure.axes[0].texts
    plots.plt.close(figure)


def test_speed_of_another_table_says_what_to_run(table):
    with pytest.raises(ValueError, match="make bench"):
        plots.speed(table[table["benchmark"] == "evaluation"])
