"""Solutions of chapter 1."""

from __future__ import annotations

from pandas import DataFrame


def predictions_left() -> int:
    # round 1: ab, bc, ad, abab, d without repeats; c has one click: ab, b, ad, abab, d; two sessions are too short:
    #          ab, ad, abab
    # round 2: d has one click now: ab, a, abab; one session is too short: ab, abab
    # round 3: nothing changes; ab makes one prediction, abab three
    return 4


def cut_at_pauses(times: list[int], gap: float) -> list[int]:
    numbers: list[int] = []
    for n, time in enumerate(times):
        if n == 0:
            numbers.append(0)
        else:
            numbers.append(numbers[-1] + (time - times[n - 1] > gap))  # True counts as 1
    return numbers


def split_leaks(train: DataFrame, test: DataFrame) -> bool:
    shared = set(train["SessionId"]) & set(test["SessionId"])
    return bool(shared or train["Time"].max() >= test["Time"].min())
