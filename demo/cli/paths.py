"""Paths on the command line, checked before long work starts."""

from __future__ import annotations

import os
from pathlib import Path

from avatar.errors import InputError, StorageError


def input_file(text: str, what: str) -> Path:
    """A file that is there and can be read.  `what` names it in the message: "video" ..."""
    path = Path(text)
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a {what}", f"Give the path of the {what}.")
    if not path.is_file():
        raise InputError(f"{path} does not exist", f"Check the name of the {what}.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read", "Change its permissions.")
    return path


def output_file(text: str, *suffixes: str, inputs: tuple[Path, ...] = ()) -> Path:
    """A path that can be written later: its suffix is one of `suffixes`, its folder is there,
    and it is none of `inputs`."""
    path = Path(text)
    if path.suffix.lower() not in suffixes:
        raise InputError(
            f"{path} does not end in {' or '.join(suffixes)}",
            f"Give a name such as {path.stem or 'out'}{suffixes[0]}.",
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder", "Give the name of a file in it.")
    folder = path.parent
    if not folder.is_dir():
        raise StorageError(f"the folder {folder} does not exist", f"mkdir -p '{folder}'")
    if not os.access(folder, os.W_OK):
        raise StorageError(f"the folder {folder} cannot be written", "Choose another folder.")
    if any(path.exists() and os.path.samefile(path, given) for given in inputs):
        raise InputError(f"{path} would be written over itself", "Give another name after -o.")
    return path


def output_folder(text: str) -> Path:
    """A folder to write into, made if only its last part is missing."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file, not a folder", "Give a folder after -o.")
    if not path.parent.is_dir():
        raise StorageError(f"the folder {path.parent} does not exist", f"mkdir -p '{path.parent}'")
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder {path} cannot be made ({error.strerror})", "Choose another folder."
        ) from error
    if not os.access(path, os.W_OK):
        raise StorageError(f"the folder {path} cannot be written", "Choose another folder.")
    return path
