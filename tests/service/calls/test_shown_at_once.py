"""A browser that knows how is told to hold no picture back."""

from __future__ import annotations

import asyncio

import pytest

aiortc = pytest.importorskip("aiortc")

from aiortc import rtp  # noqa: E402
from aiortc.mediastreams import VideoStreamTrack  # noqa: E402

from service.calls import shown_at_once  # noqa: E402
from service.calls.connection import new_connection  # noqa: E402

URI = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"


def answered(extra: str) -> tuple[str, list[tuple[int, bytes]]]:
    """The answer to an offer with a line more, and what a packet's header then says."""

    async def meet() -> tuple[str, list[tuple[int, bytes]]]:
        browser, server = new_connection(), new_connection()
        browser.addTransceiver("video", direction="recvonly")
        await browser.setLocalDescription(await browser.createOffer())
        sdp = browser.localDescription.sdp.replace("a=mid:", f"{extra}a=mid:")
        await server.setRemoteDescription(aiortc.RTCSessionDescription(sdp, "offer"))
        sender = server.addTrack(VideoStreamTrack())
        shown_at_once.show_at_once(server)
        await server.setLocalDescription(await server.createAnswer())
        headers = getattr(sender, shown_at_once._MAP)
        (line,) = server.getTransceivers()
        headers.configure(server._RTCPeerConnection__localRtp(line))
        said = rtp.unpack_header_extensions(*headers.set(rtp.HeaderExtensions(mid="0")))
        for one in (browser, server):
            await one.close()
        return server.localDescription.sdp, said

    return asyncio.run(meet())


def test_who_knows_of_it_is_told_and_who_does_not_is_not():
    sdp, said = answered(f"a=extmap:14 {URI}\r\n")
    assert f"a=extmap:14 {URI}\r\n" in sdp and (14, b"\0\0\0") in said and len(said) == 2
    sdp, said = answered("")
    assert URI not in sdp and len(said) == 1
