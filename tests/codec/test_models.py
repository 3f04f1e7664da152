from __future__ import annotations

import pytest
from plain_bits import clamp, half, scale

from codec.entropy import CostMeter
from codec.models import ACTIVITY, SymbolModels, scale_index


def test_the_tables_are_the_documents_formulas() -> None:
    """Section 8.2, as the second decoder computes it."""
    values = [*range(200_000), *(n + d for n in (1 << 20, 1 << 26) for d in (-42, -41, 0, 7))]
    assert [scale_index(a) for a in values] == [scale(a) for a in values]
    assert ACTIVITY == [clamp(half(a + 5) - 12, 0, 7) for a in range(4097)]


@pytest.mark.parametrize(("deviation", "average"), [
    *((v, a) for v in (0, 1, -1, 2, -4) for a in (0, 4096, 60_000, 1 << 22)),
    (30, 60_000), (-32, 60_000), (-400, 1 << 22), (4096, 1 << 22),
])  # fmt: skip
def test_what_a_deviation_would_cost_is_what_it_costs(deviation: int, average: int) -> None:
    """As long as no counter is met twice, for it has then learned."""
    models, meter = SymbolModels(3, 2), CostMeter()
    context = (1, 1, average, average, 2, 3, 1)
    for known in (0, 1, -2, 0, 3):
        models.code(CostMeter(), known, context)
    other = deviation - 1 if deviation > 0 else deviation + 1
    costs = models.costs((deviation, other), context), models.costs((other, deviation), context)
    models.code(meter, deviation, context)
    assert meter.bits == pytest.approx(costs[0][0]) == pytest.approx(costs[1][1])
