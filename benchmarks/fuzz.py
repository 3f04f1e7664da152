"""Every parser against inputs that a coverage-guided fuzzer grows, for minutes or for millions.

    pip install -c constraints.txt -e '.[fuzz]'
    python -m benchmarks.fuzz -max_total_time=1800 -rss_limit_mb=1024 -timeout=5 tests/codec/corpus

The first byte chooses the parser.  Whole files get their checksums put right before they are read:
otherwise all of them would be turned away at the door.  Anything but our declared errors, more
memory or more time than the options allow is a finding.  What follows are libFuzzer's options; it
adds inputs that reach new code to the corpus (`-merge=1 SMALL BIG` keeps the tree's one small).
"""

from __future__ import annotations

import hashlib
import sys
import zlib
from collections.abc import Callable

import atheris

with atheris.instrument_imports(include=["avatar", "codec"]):
    from avatar.archive import parse_avatar
    from avatar.errors import FacewireError
    from bench.made_states import DIGEST, SMALL, person, talking
    from codec.bits import ByteReader, varint
    from codec.call_codec import CallCodec
    from codec.call_packet import CALL_KINDS, CallPacket
    from codec.container import read_stream
    from codec.face_codec import FaceDecoder
    from codec.header import PROFILE_CALL, StreamHeader
    from codec.packet import FACE_DELTA, FACE_KEY, FacePacket
    from codec.session import FaceReceiver, FaceSender, ReceiverSettings, SenderSettings

STATISTICS = person(SMALL, history=4)
FILE = StreamHeader(DIGEST, SMALL)
CALL = StreamHeader(DIGEST, SMALL, profile=PROFILE_CALL, coarser=(512, 1024))
DECODER = FaceDecoder(STATISTICS, FILE)
CALL_CODEC = CallCodec(STATISTICS, CALL)
STATES = talking(2, SMALL)


def stream(data: bytes) -> None:
    """A header and chunks of data's making, their checksums right; then with what is intact."""
    whole = bytearray(bytes(FILE))
    seed = FILE.crc
    reader = ByteReader(data, "input")
    while reader.left > 2:
        kind, size = reader.integer(1, "kind"), reader.integer(1, "size")
        body = reader.take(min(size, reader.left), "body")
        chunk = bytes([kind]) + varint(len(body)) + body
        crc = zlib.crc32(chunk, seed if kind == FACE_DELTA else FILE.crc)
        seed = crc if kind in (FACE_KEY, FACE_DELTA) else seed
        whole += chunk + crc.to_bytes(4, "little")
    for text in (bytes(whole), data):
        for recover in (False, True):
            try:
                found = read_stream(text, STATISTICS, recover=recover)
                found.summary()
                if found.frames <= 64:
                    _ = found.states
            except FacewireError:
                continue


def header(data: bytes) -> None:
    whole = data[:4096]
    StreamHeader.parse(whole + zlib.crc32(whole).to_bytes(4, "little"))


def face(data: bytes) -> None:
    packet = FacePacket.parse(FACE_KEY, data)
    if packet.frames <= 8:
        DECODER.decode(packet)


def call_packet(data: bytes) -> None:
    packet = CallPacket.parse(min(CALL_KINDS) + data[0] % 5 if data else 0, data[1:])
    CALL_CODEC.decode(packet, packet.number(0), None)


def session(data: bytes) -> None:
    receiver = FaceReceiver(ReceiverSettings(check=False))
    receiver.hold(DIGEST.hex(), STATISTICS)
    sender = FaceSender(STATISTICS, CALL, SenderSettings(check=False))
    for datagram in sender.poll(0):
        receiver.receive(0, datagram)
    for answer in receiver.poll(0):
        sender.receive(0, answer)
    reader, now = ByteReader(data, "input"), 0
    while reader.left > 1 and now < 16:
        datagram = reader.take(min(reader.integer(1, "size"), reader.left), "datagram")
        now += 1
        for end in (receiver, sender):
            try:
                end.receive(now * 40_000, datagram)
            except FacewireError:
                continue
        receiver.poll(now * 40_000)
        receiver.show(now * 40_000)


def archive(data: bytes) -> None:
    parse_avatar(data + hashlib.sha256(data).digest())


TARGETS: tuple[Callable[[bytes], None], ...] = (
    stream, header, face, call_packet, session, archive,
)  # fmt: skip


def one_input(data: bytes) -> None:
    if not data:
        return
    try:
        TARGETS[data[0] % len(TARGETS)](data[1:])
    except FacewireError:
        return


def main() -> None:
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
