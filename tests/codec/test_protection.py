"""Two ends that agree on keys over a line that anybody may write on."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("cryptography")

from avatar.errors import FormatError, InputError, StreamError, VersionError
from codec.session.greeting import Greeting
from codec.session.protection import ProtectedEnd, ProtectionSettings
from codec.sframe import SFrameReceiver
from codec.signature import public_key, sign, verifies

MS = 1000
ADA, EVE = bytes(range(32)), bytes(range(32, 64))  # signing keys
AVATAR, OTHER = hashlib.sha256(b"ada").digest(), hashlib.sha256(b"other").digest()


def end(number: int, room: str = "room", digest: bytes = b"", seed: bytes = b"") -> ProtectedEnd:
    return ProtectedEnd(room, bytes([number]) * 32, digest, seed)


def meet(one: ProtectedEnd, two: ProtectedEnd, now: int = 0, lost: int = 0) -> int:
    """Lets the two poll until both have keys; returns when."""
    while not (one.ready and two.ready):
        for a, b in ((one, two), (two, one)):
            for data in a.poll(now):
                lost -= 1
                if lost < 0:
                    assert b.open(now, data) is None
        now += 20 * MS
        assert now < 10_000 * MS
    return now


def test_two_ends_meet_and_understand_each_other_and_then_greet_no_more():
    ada, bob = end(1, digest=AVATAR, seed=ADA), end(2)
    now = meet(ada, bob)
    for n in range(300):
        assert bob.open(now, ada.seal(b"to bob %d" % n)) == b"to bob %d" % n
        assert ada.open(now, bob.seal(b"to ada %d" % n)) == b"to ada %d" % n
    assert len(ada.seal(b"")) <= 8
    for later in range(0, 2000, 50):
        left = ada.poll(now + later * MS) + bob.poll(now + later * MS)
        assert not left or later < 100


def test_greetings_may_be_lost():
    ada, bob = end(1), end(2)
    now = meet(ada, bob, lost=5)
    assert bob.open(now, ada.seal(b"x")) == b"x"


def test_a_signature_tells_whose_avatar_it_is_and_in_which_room():
    ada, bob = end(1, digest=AVATAR, seed=ADA), end(2)
    meet(ada, bob)
    signer = public_key(ADA)
    assert bob.peer.of(AVATAR, signer, "room")
    assert not bob.peer.of(AVATAR, signer, "another room")
    assert not bob.peer.of(OTHER, signer, "room")
    assert not bob.peer.of(AVATAR, public_key(EVE), "room")
    assert not ada.peer.of(AVATAR, signer, "room")  # bob signs nothing
    for key in ("", "00" * 32, "zz", "ff" * 31):
        assert not bob.peer.of(AVATAR, key, "room")


def test_a_replayed_greeting_gives_no_keys():
    ada, bob, eve = end(1, digest=AVATAR, seed=ADA), end(2), end(3)
    (hers,) = ada.poll(0)
    bob.open(0, hers)  # replayed by Eve, who has not the private key behind it
    eve.open(0, bob.poll(300 * MS)[0])
    with pytest.raises(StreamError):
        bob.open(0, eve.seal(b"as if from ada"))


def test_a_signature_under_another_key_is_none():
    ada = end(1, digest=AVATAR, seed=ADA)
    (data,) = ada.poll(0)
    greeting = Greeting.parse(data)
    stolen = Greeting(end(3)._public, True, greeting.digest, greeting.signature)
    assert greeting.of(AVATAR, public_key(ADA), "room")
    assert not stolen.of(AVATAR, public_key(ADA), "room")


def test_who_begins_anew_is_met_anew():
    ada, bob = end(1), end(2)
    now = meet(ada, bob)
    again = end(4)
    now = meet(again, bob, now + 300 * MS)
    for _ in range(30):  # bob's answer and again's next word
        now += 50 * MS
        for a, b in ((again, bob), (bob, again)):
            for data in a.poll(now):
                b.open(now, data)
    assert again.open(now, bob.seal(b"x")) == b"x" and bob.open(now, again.seal(b"y")) == b"y"
    with pytest.raises(StreamError):
        bob.open(now, ada.seal(b"late"))


def test_an_old_greeting_deafens_for_a_second_and_no_longer():
    ada, bob = end(1), end(2)
    (old,) = ada.poll(0)
    meet(ada, bob)
    again, now = end(4), 1000 * MS
    now = meet(again, bob, now)
    bob.open(now, old)
    for _ in range(60):
        now += 50 * MS
        try:
            assert bob.open(now, again.seal(b"y")) == b"y"
            break
        except StreamError:
            pass
        for a, b in ((again, bob), (bob, again)):
            for data in a.poll(now):
                b.open(now, data)
    else:
        raise AssertionError("still deaf")


def test_counters_never_begin_anew_under_the_same_key():
    """Whoever carries the datagrams could repeat old greetings to that end."""
    ada, bob, eve = end(1), end(2), end(3)
    (first,), (second,) = bob.poll(0), eve.poll(0)
    seen = set()
    for greeting in (first, second, first, second, first):
        ada.open(0, greeting)
        for _ in range(3):
            sealed = ada.seal(bytes(16))  # of zeros: the key's stream itself
            assert sealed[-20:-4] not in seen
            seen.add(sealed[-20:-4])
    ada.open(0, first)
    bob.open(0, ada.poll(300 * MS)[0])
    once = bob.seal(b"once")
    assert ada.open(0, once) == b"once"
    for greeting in (second, first):
        ada.open(0, greeting)
    with pytest.raises(StreamError):
        ada.open(0, once)


def test_greetings_without_end_are_refused():
    ada = ProtectedEnd("r", bytes(32 * [1]), settings=ProtectionSettings(most=3))
    for number in range(2, 5):
        ada.open(0, end(number).poll(0)[0])
    with pytest.raises(StreamError, match="too many"):
        ada.open(0, end(9).poll(0)[0])
    assert ada.open(0, end(2).poll(0)[0]) is None


def test_what_is_no_greeting_and_no_sealed_datagram_is_refused():
    ada, bob = end(1, digest=AVATAR, seed=ADA), end(2)
    (own,) = bob.poll(0)
    with pytest.raises(StreamError):
        bob.open(0, own)  # thrown back
    with pytest.raises(StreamError):
        bob.open(0, b"\x00sealed before there is a key")
    (hers,) = ada.poll(0)
    for size in range(len(hers)):
        with pytest.raises(FormatError):
            bob.open(0, hers[:size])
    with pytest.raises(VersionError):
        bob.open(0, hers[:1] + b"\x02" + hers[2:])
    with pytest.raises(StreamError):
        bob.open(0, hers[:2] + b"\x04" + hers[3:])
    with pytest.raises(StreamError):
        bob.open(0, bytes(Greeting(bytes(32), True)))  # a point that gives a known secret
    assert bob.peer is None
    now = meet(ada, bob)
    sealed = ada.seal(b"datagram")
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(FormatError):
            bob.open(now, bytes(changed))
    assert bob.open(now, sealed) == b"datagram"
    with pytest.raises(StreamError):
        bob.open(now, sealed)  # a second time
    with pytest.raises(StreamError):
        ada.open(now, sealed)  # thrown back


def test_ends_in_two_rooms_do_not_understand_each_other():
    ada, bob = end(1, "one"), end(2, "two")
    now = meet(ada, bob)
    with pytest.raises(StreamError):
        bob.open(now, ada.seal(b"x"))


def test_bytes_stay_what_they_are():
    """Section 15 of docs/bitstream.md, with keys that stand there."""
    ada, bob = end(1, digest=AVATAR, seed=ADA), end(2)
    (greeting,) = ada.poll(0)
    assert len(greeting) == 131 and hashlib.sha256(greeting).hexdigest() == GREETING
    meet(ada, bob)
    sealed = ada.seal(b"facewire")
    assert sealed.hex() == SEALED
    # The same by cryptography's own HKDF.
    from cryptography.hazmat.primitives.asymmetric import x25519
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    keys = [x25519.X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2)]
    publics = [key.public_key().public_bytes_raw() for key in keys]
    shared = keys[1].exchange(keys[0].public_key())
    info = b"facewire call 1 key\0" + b"\x04room" + publics[0] + publics[1]
    key = HKDF(SHA256(), 32, None, info).derive(shared)
    assert SFrameReceiver({0: key}, suite=3).open(sealed) == b"facewire"


GREETING = "44eeca7c475c7dcdd846aa81b7844cf1b9d306602589621797d8dd3c05e8d4b9"
SEALED = "00de38369a3fef0015a7e375a9"


@given(st.binary(max_size=200), st.integers(0, 4))
def test_anything_may_come(data, kept):
    """Of a greeting's first bytes and then of anything, an end refuses what it cannot take."""
    bob = end(2)
    (hers,) = end(1, digest=AVATAR, seed=ADA).poll(0)
    try:
        assert bob.open(0, hers[:kept] + data) is None
    except FormatError:
        assert bob.peer is None and not bob.ready


def test_keys_that_are_none_are_refused():
    text = b"text"
    assert verifies(public_key(ADA), sign(ADA, text), text)
    assert not verifies(public_key(ADA), sign(ADA, text), b"another")
    assert not verifies(public_key(ADA), b"", text)
    with pytest.raises(InputError):
        sign(b"short", text)
    with pytest.raises(InputError):
        Greeting(b"short", True)
