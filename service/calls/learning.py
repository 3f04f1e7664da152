"""What the other end's offers and surroundings need, made beside the call."""

from __future__ import annotations

import asyncio
import logging

from avatar.avatar import Avatar
from avatar.errors import FacewireError
from codec.call_codec import CallCodec
from service.calls.face_end import FaceEnd
from service.calls.placing import Unplaced
from service.calls.threads import aside

_log = logging.getLogger("facewire.calls")
_LOOK = 0.02  # seconds
_MOST = 8  # offers of one call: each new one costs seconds of a core
_PAUSE = 1.0  # seconds between two places, for likewise each costs something


async def learn(end: FaceEnd) -> None:
    """Until it is cancelled, or the other end has offered more than anybody needs to."""
    for _ in range(_MOST):
        while (wanted := end.unlearned) is None:
            await asyncio.sleep(_LOOK)
        try:
            await aside(CallCodec.ready, *wanted)
        except FacewireError as error:  # the other end's header is not for this avatar
            _log.info("an offer was not taken: %s", type(error).__name__)
        end.learned(wanted)


async def place(end: FaceEnd) -> None:
    """Until it is cancelled."""
    while True:
        while (unplaced := end.unplaced) is None:
            await asyncio.sleep(_LOOK)
        end.place(unplaced, await aside(_placed, unplaced))
        await asyncio.sleep(_PAUSE)


def _placed(what: Unplaced) -> Avatar:
    from service.surroundings import Surroundings

    avatar, where = what
    try:
        return Surroundings.of(where).around(avatar)
    except FacewireError as error:  # no picture
        _log.info("surroundings were not taken: %s", type(error).__name__)
        return avatar
