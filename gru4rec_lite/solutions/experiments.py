"""Solutions of chapter 10."""

from __future__ import annotations


def relative_gain(model: float, rival: float) -> float:
    # from where one starts, in per cent: (.6372 − .5508) / .5508
    return 100 * (model - rival) / rival


def way_to_the_ceiling(model: float, rival: float, ceiling: float) -> float:
    # 0 for the rival, 1 for the best that is possible
    return (model - rival) / (ceiling - rival)
