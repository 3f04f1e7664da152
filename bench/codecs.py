"""Every codec that the lab knows: ours, the classic ones, and those that plug-ins bring."""

from __future__ import annotations

from collections.abc import Iterable

from avatar.errors import InputError
from bench.avatar_codec import avatar_codecs
from bench.classic_codec import classic_codecs
from bench.codec import Codec, Unavailable, family_of
from bench.generative.codecs import generative_codecs
from bench.mttf_codec import mttf_codecs
from bench.plugins import CODECS, plugins
from bench.still import still_codecs


def codecs() -> dict[str, Codec]:
    """By name: ours, the generative methods, the classic ones at three sizes and two frame rates,
    stills, then plug-ins.  A plug-in cannot take the name of a codec that is here; a broken one is
    listed with what it needs."""
    ours: list[Codec] = [
        *avatar_codecs(), *mttf_codecs(), *generative_codecs(), *classic_codecs(), *still_codecs(),
    ]  # fmt: skip
    known = {codec.name: codec for codec in ours}
    for plugin in plugins(CODECS, Codec):
        one: Codec = plugin.value
        if plugin.value is None:
            one = Unavailable(plugin.name, plugin.name, plugin.fault)
        elif one.name in known:
            needs = f"needs another name than {one.name}, which is taken"
            one = Unavailable(plugin.name, one.title, needs)
        known.setdefault(one.name, one)
    return known


def chosen(names: Iterable[str], reduced: bool = True) -> list[Codec]:
    """Codecs by family (all of its variants), by name ("=vvc" is the one of that name, not its
    family) or "classic" (all classic families), in the order of `codecs`.  reduced: False takes
    no variant that codes fewer pixels or frames.  Raises InputError for a name that nothing has.
    """
    known = codecs()
    wanted: set[str] = set()
    for word in names:
        name = word.removeprefix("=")
        family = {n for n, codec in known.items() if family_of(codec) == name}
        if name == "classic":
            family = {codec.name for codec in classic_codecs()}
        if name not in known and not family:
            raise InputError(
                f"there is no codec {name!r}", f"Choose from {', '.join(known)}, or classic."
            )
        wanted |= family if family and name == word else {name}
    return [codec for name, codec in known.items() if name in wanted and (reduced or whole(codec))]


def whole(codec: Codec) -> bool:
    """Whether it codes every pixel of every frame."""
    return not getattr(codec, "reduced", False)
