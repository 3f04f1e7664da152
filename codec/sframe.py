"""End-to-end protection of a call's datagrams, in the manner of SFrame (RFC 9605).

    sender = SFrameSender(key=base_key, key_id=1)
    receiver = SFrameReceiver({1: base_key})
    datagram = receiver.open(sender.seal(datagram))

Suites: AES-128-CTR with HMAC-SHA256 cut to 10, 8 or 4 bytes (section 4.5).  A tag of 4 bytes is for
single small live packets; what gathers many, or is kept, deserves a longer one.  Needs the
package `cryptography`, which is imported when a key is first used.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from itertools import count
from typing import Any

from avatar.errors import InputError, MissingError, StreamError
from codec.bits import ByteReader

# RFC 9605, section 8.1, table 1: cipher suites by number -> bytes of the tag.
TAGS = {1: 10, 2: 8, 3: 4}
_KEY = 16  # bytes of AES-128's key
_AUTH = 32  # of HMAC-SHA256's
_NONCE = 12
_SHORT = 8  # section 4.3: key ids and counters below it sit in the config byte
REPLAY_WINDOW = 128  # counters behind the newest that may still come


@dataclass(frozen=True)
class SFrameHeader:
    """Section 4.3.  key_id, counter: below 2**64."""

    key_id: int
    counter: int

    @classmethod
    def parse(cls, reader: ByteReader) -> SFrameHeader:
        """Reads the header off; the shortest form is required, so that bytes are unique."""
        config = reader.integer(1, "config")
        values = []
        for name, bits in (("key id", config >> 4), ("counter", config & 15)):
            at = reader.at
            if bits < _SHORT:
                values.append(bits)
                continue
            data = reader.take(bits - _SHORT + 1, name)
            value = int.from_bytes(data, "big")
            if value < _SHORT or data[0] == 0:
                raise reader.fail(f"the {name} is not in its shortest form", name, at)
            values.append(value)
        return cls(*values)

    def __bytes__(self) -> bytes:
        config, tail = 0, b""
        for value in (self.key_id, self.counter):
            if value < _SHORT:
                config = config << 4 | value
            else:
                size = (value.bit_length() + 7) // 8
                config = config << 4 | _SHORT | (size - 1)
                tail += value.to_bytes(size, "big")
        return bytes([config]) + tail

    def __post_init__(self) -> None:
        if not (0 <= self.key_id < 1 << 64 and 0 <= self.counter < 1 << 64):
            raise InputError(f"sframe: key id {self.key_id}, counter {self.counter}")


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand with SHA-256 (RFC 5869, section 2.3)."""
    out, block, count = b"", b"", 1
    while len(out) < size:
        block = hmac.new(secret, block + label + bytes([count]), hashlib.sha256).digest()
        out, count = out + block, count + 1
    return out[:size]


class SFrameKey:
    """What a base key becomes for one key id (sections 4.4.2 and 4.5.1)."""

    def __init__(self, key: bytes, key_id: int, suite: int = 3) -> None:
        if suite not in TAGS:
            raise InputError(f"sframe: cipher suite {suite}", f"Choose of {sorted(TAGS)}.")
        if len(key) < _KEY:
            raise InputError(f"sframe: a key of {len(key)} bytes", f"Use {_KEY} or more.")
        self.key_id = key_id
        self.tag = TAGS[suite]
        secret = hmac.new(b"", key, hashlib.sha256).digest()  # HKDF-Extract, no salt
        name = key_id.to_bytes(8, "big") + suite.to_bytes(2, "big")
        keys = _expand(secret, b"SFrame 1.0 Secret key " + name, _KEY + _AUTH)
        self._key, self._auth = keys[:_KEY], keys[_KEY:]
        self._salt = _expand(secret, b"SFrame 1.0 Secret salt " + name, _NONCE)

    def seal(self, counter: int, data: bytes, metadata: bytes = b"") -> bytes:
        """Header, ciphertext, tag.  A counter must never be used twice with a key."""
        header = bytes(SFrameHeader(self.key_id, counter))
        nonce = self._nonce(counter)
        cipher = self._crypt(nonce, data)
        return header + cipher + self._tag(nonce, header + metadata, cipher)

    def open(self, header: SFrameHeader, body: bytes, metadata: bytes = b"") -> bytes:
        """The plain bytes of ciphertext and tag; StreamError for what was tampered with."""
        cut = len(body) - self.tag
        if cut < 0:
            raise _refused("too short for its tag", "tag")
        nonce = self._nonce(header.counter)
        expected = self._tag(nonce, bytes(header) + metadata, body[:cut])
        if not hmac.compare_digest(expected, body[cut:]):
            raise _refused("its tag does not fit: it was changed, or the key is another", "tag")
        return self._crypt(nonce, body[:cut])

    def _nonce(self, counter: int) -> bytes:
        mask = int.from_bytes(self._salt, "big") ^ counter
        return mask.to_bytes(_NONCE, "big")

    def _tag(self, nonce: bytes, aad: bytes, cipher: bytes) -> bytes:
        lengths = b"".join(n.to_bytes(8, "big") for n in (len(aad), len(cipher), self.tag))
        data = lengths + nonce + aad + cipher
        return hmac.new(self._auth, data, hashlib.sha256).digest()[: self.tag]

    def _crypt(self, nonce: bytes, data: bytes) -> bytes:
        algorithms, ciphers, modes = _cryptography()
        counter = modes.CTR(nonce + bytes(16 - _NONCE))
        worker = ciphers.Cipher(algorithms.AES(self._key), counter).encryptor()
        return bytes(worker.update(data) + worker.finalize())


class SFrameSender:
    """Seals datagrams with one key after another; never the same counter twice."""

    def __init__(self, key: bytes, key_id: int = 0, suite: int = 3) -> None:
        self._suite = suite
        self._used: set[int] = set()
        self.rotate(key, key_id)

    def rotate(self, key: bytes, key_id: int) -> None:
        """Goes over to another key, whose id was never used; the counter starts anew."""
        if key_id in self._used:
            raise InputError(
                f"sframe: the key id {key_id} was used before",
                "Count key ids up; with a used one counters would repeat.",
            )
        self._key = SFrameKey(key, key_id, self._suite)
        self._used.add(key_id)
        self._counter = count()

    def seal(self, data: bytes, metadata: bytes = b"") -> bytes:
        # `next` is one step: two threads never get the same counter.
        return self._key.seal(next(self._counter), data, metadata)


class SFrameReceiver:
    """Opens datagrams of known keys, each once."""

    def __init__(self, keys: dict[int, bytes], suite: int = 3) -> None:
        """keys: base keys by id."""
        self._suite = suite
        self._keys = {i: SFrameKey(key, i, suite) for i, key in keys.items()}
        self._newest = dict.fromkeys(keys, -1)
        self._seen: dict[int, set[int]] = {i: set() for i in keys}

    def add(self, key: bytes, key_id: int) -> None:
        """A key that datagrams may use from now on."""
        if key_id in self._newest:
            raise InputError(f"sframe: the key id {key_id} was used before")
        self._keys[key_id] = SFrameKey(key, key_id, self._suite)
        self._newest[key_id], self._seen[key_id] = -1, set()

    def drop(self, key_id: int) -> None:
        """A key that no datagram may use any more."""
        self._keys.pop(key_id, None)

    def open(self, data: bytes, metadata: bytes = b"") -> bytes:
        """StreamError for unknown keys, changed bytes, and what came before or is too old."""
        reader = ByteReader(data, "sframe")
        header = SFrameHeader.parse(reader)
        key = self._keys.get(header.key_id)
        if key is None:
            raise reader.fail(f"the key {header.key_id} is not known", "key id", 0)
        newest, seen = self._newest[header.key_id], self._seen[header.key_id]
        if header.counter in seen or header.counter <= newest - REPLAY_WINDOW:
            raise reader.fail(f"counter {header.counter} came before", "counter", 0)
        plain = key.open(header, reader.take(reader.left, "ciphertext"), metadata)
        seen.add(header.counter)
        if header.counter > newest:
            self._newest[header.key_id] = newest = header.counter
            seen -= {n for n in seen if n <= newest - REPLAY_WINDOW}
        return plain


def _refused(message: str, field: str) -> StreamError:
    return StreamError(
        f"sframe: {message}", "Check that both sides have the same key.", field=field
    )


def _cryptography() -> tuple[Any, Any, Any]:
    try:
        from cryptography.hazmat.primitives import ciphers
        from cryptography.hazmat.primitives.ciphers import algorithms, modes
    except ImportError as error:
        raise MissingError(
            "encryption needs the package cryptography", "pip install 'facewire[service]'"
        ) from error
    return algorithms, ciphers, modes
