"""Who codes a key frame waits for others as before."""

from __future__ import annotations

import os

import numpy as np
import pytest

from codec.mttf.classic import CODECS
from codec.mttf.keyframe import encode_key
from codec.mttf.scheduling import scheduling_kept

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_getscheduler"), reason="this system does not tell"
)


@pytest.mark.parametrize("name", ["av1", "hevc", "h264"])
def test_a_key_frame_leaves_the_threads_place_alone(name):
    pytest.importorskip("av")
    assert name in CODECS
    before = os.sched_getscheduler(0)
    encode_key(np.full((64, 64, 3), 90, np.uint8), name, 40)
    assert os.sched_getscheduler(0) == before


def test_what_was_changed_inside_is_put_back():
    before = os.sched_getscheduler(0)
    with pytest.raises(KeyError), scheduling_kept():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        assert os.sched_getscheduler(0) == os.SCHED_BATCH
        raise KeyError
    assert os.sched_getscheduler(0) == before
