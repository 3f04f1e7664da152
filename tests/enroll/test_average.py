"""The average of a fit's weights, on a walk whose middle is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from enroll.average import Average


def test_noise_about_a_value_averages_out():
    generator = torch.Generator().manual_seed(0)
    walked = nn.Parameter(torch.zeros(1000))
    average = Average([walked], 0.99)
    for done in range(1, 600):
        with torch.no_grad():
            walked.copy_(3.0 + torch.randn(1000, generator=generator))
        average.follow(done)
    (kept,) = average.values()
    noise = (walked.detach() - 3.0).square().mean()
    assert float((kept - 3.0).square().mean()) < 0.02 * float(noise)


def test_a_short_fit_outgrows_where_it_began():
    value = nn.Parameter(torch.zeros(1))
    average = Average([value], 0.995)
    for done in range(1, 31):
        with torch.no_grad():
            value.fill_(1.0)
        average.follow(done)
    assert float(average.values()[0]) > 0.99


def test_it_is_shown_and_then_gone_on_from_where_the_steps_were():
    value = nn.Parameter(torch.tensor([0.0]))
    average = Average([value], 0.5)
    with torch.no_grad():
        value.fill_(4.0)
    average.follow(100)
    with pytest.raises(RuntimeError), average.shown():
        assert value.item() == 2.0
        raise RuntimeError
    assert value.item() == 4.0
    average.settle()
    assert value.item() == 2.0


def test_it_comes_back_from_a_checkpoint_with_or_without_one():
    value = nn.Parameter(torch.tensor([8.0]))
    average = Average([value], 0.5)
    average.take([torch.tensor([1.0])])
    assert average.values()[0].item() == 1.0
    average.take(None)
    assert average.values()[0].item() == 8.0
    with pytest.raises(ValueError):
        average.take([])
