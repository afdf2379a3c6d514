"""Solutions of chapter 10."""

from __future__ import annotations

from pandas import DataFrame


def relative_gain(model: float, rival: float) -> float:
    # from where one starts, in per cent: (.6372 − .5508) / .5508
    return 100 * (model - rival) / rival


def way_to_the_ceiling(model: float, rival: float, ceiling: float) -> float:
    # 0 for the rival, 1 for the best that is possible
    return (model - rival) / (ceiling - rival)


def which_is_better(frame: DataFrame) -> str:
    # of these sessions, whatever the value of the difference: only an interval without 0 decides
    mrr = frame[frame["metric"] == "mrr"].iloc[0]
    if mrr["low"] > 0:
        return "better"
    return "worse" if mrr["high"] < 0 else "cannot tell"
