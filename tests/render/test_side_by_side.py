"""Frames on several threads: in order, no further ahead than needed, errors where they belong."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("torch")

import torch

from render.side_by_side import side_by_side


def slow_first(item: int) -> int:
    time.sleep(0.02 if item == 0 else 0)
    return item * item


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_in_the_order_of_the_items(workers):
    assert list(side_by_side(slow_first, range(7), workers)) == [k * k for k in range(7)]


def test_items_are_taken_a_few_ahead_only():
    taken = []

    def items():
        for k in range(100):
            taken.append(k)
            yield k

    results = side_by_side(slow_first, items(), 2)
    assert next(results) == 0 and len(taken) <= 4
    results.close()


def test_an_error_arrives_and_threads_are_as_before():
    before = torch.get_num_threads()

    def bad(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        list(side_by_side(bad, range(9), 2))
    assert torch.get_num_threads() == before
