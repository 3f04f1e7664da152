"""Video that a browser shows as it comes, without a buffer against jitter.

What is drawn was held back already as long as its packets need (`codec.session.playout`); what the
way from here to the browser adds is seldom worth another wait.  The header extension says so:
https://webrtc.googlesource.com/src/+/main/docs/native-code/rtp-hdrext/playout-delay
"""

from __future__ import annotations

import re
from typing import Any

_URI = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
_OFFERED = re.compile(rf"a=extmap:(\d+)(?:/\w+)? {re.escape(_URI)}\s")
_AT_ONCE = bytes(3)  # least and most delay, 12 bits each: both 0
_MAP = "_RTCRtpSender__rtp_header_extensions_map"  # of aiortc, to whose version we are bound


def show_at_once(connection: Any) -> None:
    """Of every video that is sent on it.  Between the offer and the answer; nothing changes where
    the offer does not know of it."""
    from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters

    offered = _OFFERED.search(connection.remoteDescription.sdp)
    if offered is None:
        return
    number = int(offered[1])
    for line in connection.getTransceivers():
        if line.kind == "video" and hasattr(line.sender, _MAP):
            known = RTCRtpHeaderExtensionParameters(id=number, uri=_URI)
            line._headerExtensions = [*line._headerExtensions, known]
            setattr(line.sender, _MAP, _with_delay(number))


def _with_delay(number: int) -> Any:
    """aiortc's map of header extensions, and this one."""
    from aiortc import rtp

    class WithDelay(rtp.HeaderExtensionsMap):
        def set(self, values: Any) -> tuple[int, bytes]:
            others = rtp.unpack_header_extensions(*super().set(values))
            return rtp.pack_header_extensions([*others, (number, _AT_ONCE)])

    return WithDelay()
