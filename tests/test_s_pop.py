"""Session popularity against counting by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
from logs import all_scores, click_log, random_sessions

from gru4rec_lite import clicks
from gru4rec_lite.baselines import SPop

SESSIONS = random_sessions(40, items="abcdef")


def test_an_item_scores_by_its_clicks_in_the_session_and_then_by_popularity():
    model = SPop().fit(click_log(*SESSIONS))
    support, test = Counter("".join(SESSIONS)), ["abacaba", "ff", ["e", "NEW", "e"]]
    log = clicks.encode(click_log(*test), model.items)
    expected = [
        [list(session[:t]).count(j) + support[j] / (1 + support[j]) for j in "abcdef"]
        for session in test
        for t in range(1, len(session))
    ]
    np.testing.assert_allclose(all_scores(model, log.items, log.offsets), expected)


def test_popularity_never_outweighs_a_click():
    model = SPop().fit(click_log(*["a" * 1000], "ab"))
    assert model.recommend(["b"])["ItemId"].tolist() == ["b", "a"]
    assert model.recommend([])["ItemId"].tolist() == ["a", "b"]
