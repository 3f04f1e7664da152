"""A call's two ends as state machines: they do no I/O, and are told the time.

`FaceSender` (sending), `FaceReceiver` (receiving), what they exchange (datagram), what they tell
(events), and when frames are shown (playout).  docs/bitstream.md, section 10.
"""

from __future__ import annotations

from codec.session.receiving import FaceReceiver, ReceiverSettings
from codec.session.sending import FaceSender, SenderSettings

__all__ = ["FaceReceiver", "FaceSender", "ReceiverSettings", "SenderSettings"]
