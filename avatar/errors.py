"""Every error that Facewire raises on purpose, in one tree.

    FacewireError               exit code
    |- InputError               2   what the user gave cannot be used
    |  |- VideoError                a video that cannot be read, or holds too little
    |  |  `- NoFaceError            nobody to follow in it
    |  |- StateError                face states with NaN, infinities or absurd values
    |  |- ConsentError              enrolment without anybody's consent
    |  `- TakenError                a name that another has already
    |- FormatError              3   bytes that are not what they claim to be
    |  |- ArchiveError              a damaged or foreign .avatar
    |  |- TrackError                a damaged or foreign .track
    |  |- StreamError               a damaged or foreign .fw stream or packet
    |  `- VersionError              written by a newer Facewire
    |- MismatchError            4   sound parts that do not belong together
    |- MissingError             5   a package or a file that is not installed
    |- StorageError             6   the disk is full or cannot be written
    `- AccessError              7   a wrong password or token

A message names the fault; `cure` says what to do about it.  The command line prints both and
exits with the class's code.  Anything else that escapes is a bug.
"""

from __future__ import annotations


class FacewireError(Exception):
    """Base of the tree.  `message` says what was wrong, `cure` what to do about it."""

    exit_code = 1

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(f"{message}\n{cure}" if cure else message)
        self.message = message
        self.cure = cure

    @property
    def sentences(self) -> str:
        """Both as they are told to people, on one line."""
        end = "" if self.message.endswith((".", "!", "?")) else "."
        told = f"{self.message[:1].upper()}{self.message[1:]}{end} {self.cure}"
        return " ".join(told.split())


class InputError(FacewireError):
    exit_code = 2


class VideoError(InputError):
    pass


class NoFaceError(VideoError):
    pass


class StateError(InputError):
    pass


class ConsentError(InputError):
    pass


class TakenError(InputError):
    pass


class FormatError(FacewireError):
    exit_code = 3


class ArchiveError(FormatError):
    pass


class TrackError(FormatError):
    pass


class StreamError(FormatError):
    """A damaged stream.  `field` is the field that could not be read, `offset` its byte."""

    def __init__(self, message: str, cure: str = "", *, field: str = "", offset: int = -1) -> None:
        where = f" ({field} at byte {offset})" if field else ""
        super().__init__(message + where, cure)
        self.field = field
        self.offset = offset


class VersionError(FormatError):
    pass


class MismatchError(FacewireError):
    exit_code = 4


class MissingError(FacewireError):
    exit_code = 5


class StorageError(FacewireError):
    exit_code = 6


class AccessError(FacewireError):
    exit_code = 7
