"""The methods so small that they train in a test."""

from __future__ import annotations

import pytest

from bench.generative.settings import METHODS, MethodSettings


def tiny_of(method: str) -> MethodSettings:
    numbers = METHODS[f"{method}-lite"].numbers
    return MethodSettings(
        f"{method}-tiny",
        numbers,
        grid=16,
        largest=64,
        detector=(4, 8),
        motion=(8, 8),
        features=(4, 4, 8),
        residuals=1,
    )


@pytest.fixture(params=[settings.method for settings in METHODS.values()])
def tiny_method(request: pytest.FixtureRequest) -> MethodSettings:
    return tiny_of(request.param)
