"""The command line before any work starts: help, names, ranges, paths, consent."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from avatar.errors import ConsentError, InputError
from demo.cli import main
from demo.cli.parser import COMMANDS, make_parser
from demo.cli.ranges import frame_range


def run(capsys, *words: str) -> tuple[int, str]:
    """Exit code and what was said, of a command as a user types it."""
    try:
        code = main(words)
    except SystemExit as leaving:  # argparse's own way out
        code = int(leaving.code or 0)
    out = capsys.readouterr()
    return code, out.out + out.err


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with files that are not what their names say."""
    monkeypatch.chdir(tmp_path)
    for name in ("talk.mp4", "ada.avatar", "call.fw", "talk.track"):
        (tmp_path / name).write_bytes(b"not really")
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(capsys, command):
    code, text = run(capsys, command, "--help")
    assert code == 0
    example = text.rpartition("example:")[2].strip()
    assert example.startswith(f"facewire {command}")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_is_a_command(command):
    words = COMMANDS[command].EXAMPLE.split()
    assert make_parser().parse_args(words[1:]).run is COMMANDS[command].run


def test_version(capsys):
    code, text = run(capsys, "--version")
    assert code == 0 and text.startswith("facewire ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3:9", slice(3, 9)), (":9", slice(0, 9)), ("3:", slice(3, None)), (None, None)],
)
def test_ranges(text, expected):
    assert frame_range(text) == expected


@pytest.mark.parametrize("text", ["5", "a:b", "9:3", "4:4", "-3:5", "1:2:3", "1.5:2", "٣:٤"])
def test_what_is_no_range(text):
    with pytest.raises(InputError, match="range"):
        frame_range(text)


ENROLL = ("enroll", "talk.mp4", "--consent", "self", "--name")

BAD = {
    "no command": ((), 2, "COMMAND"),
    "unknown command": (("dance",), 2, "dance"),
    "no such video": (("track", "none.mp4"), 2, "none.mp4 does not exist"),
    "a folder as video": (("track", "."), 2, "is a folder"),
    "wrong suffix of a track": (("track", "talk.mp4", "-o", "a.txt"), 2, "does not end in .track"),
    "no such folder": (("track", "talk.mp4", "-o", "no/a.track"), 6, "folder no does not exist"),
    "output is a folder": (("track", "talk.mp4", "-o", "sub.track"), 2, "is a folder"),
    "output over input": (
        ("encode", "call.fw", "--avatar", "ada.avatar", "-o", "call.fw"), 2, "itself",
    ),
    "name with a path": ((*ENROLL, "../ada"), 2, "taken for a path"),
    "name with a backslash": ((*ENROLL, "..\\ada"), 2, "taken for a path"),
    "empty name": ((*ENROLL, ""), 2, "no name"),
    "endless name": ((*ENROLL, "a" * 65), 2, "no name"),
    "control characters": ((*ENROLL, "a\x07b"), 2, "control characters"),
    "no steps": ((*ENROLL, "ada", "--steps", "0"), 2, "--steps 0"),
    "no time": ((*ENROLL, "ada", "--budget", "-1"), 2, "--budget -1"),
    "steps and time": ((*ENROLL, "ada", "--steps", "9", "--budget", "9"), 2, "not allowed with"),
    "absurd size": ((*ENROLL, "ada", "--size", "9"), 2, "--size 9"),
    "a track too many": (
        (*ENROLL, "ada", "--track", "talk.track", "--track", "talk.track"),
        2, "2 tracks for 1 video",
    ),
    "nobody to ask": (("enroll", "talk.mp4", "--name", "ada"), 2, "--consent self"),
    "empty consent": (("enroll", "talk.mp4", "--name", "ada", "--consent", " "), 2, "whose face"),
    "bad range": (
        ("encode", "talk.mp4", "--avatar", "ada.avatar", "-o", "a.fw", "--frames", "9:3"), 2, "9:3",
    ),
    "wrong suffix of a video": (
        ("decode", "call.fw", "--avatar", "ada.avatar", "-o", "a.avi"), 2, ".mkv or .mp4",
    ),
    "bad pose": (("render", "ada.avatar", "--pose", "left", "-o", "a.png"), 2, "no pose"),
    "nothing to render": (("render", "ada.avatar", "-o", "a.png"), 2, "--turntable"),
    "turntable as a still": (
        ("render", "ada.avatar", "--turntable", "-o", "a.png"), 2, ".mkv or .mp4",
    ),
    "bad expression": (
        ("render", "ada.avatar", "--pose", "0,0,0", "--expression", "smile", "-o", "a.png"),
        2, "sets no expression",
    ),
    "unknown file": (("info", "talk.mp4"), 2, "cannot be read as a video"),
    "mesh of a stream": (("info", "call.fw", "--mesh", "a.glb"), 2, "no mesh"),
    "demo into a file": (("demo", "-o", "talk.mp4"), 2, "is a file"),
    "demo nowhere": (("demo", "-o", "no/where"), 6, "does not exist"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_before_any_work(capsys, folder, monkeypatch, case):
    words, expected, message = BAD[case]
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    (folder / "sub.track").mkdir()
    before = sorted(p.name for p in folder.iterdir())
    code, text = run(capsys, *words)
    assert code == expected, text
    assert message in text
    assert "Traceback" not in text
    assert sorted(p.name for p in folder.iterdir()) == before


def test_angles_may_be_negative(capsys, folder):
    code, text = run(capsys, "render", "none.avatar", "--pose", "-20,-5,0", "-o", "a.png")
    assert (code, "none.avatar does not exist" in text) == (2, True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def ask(monkeypatch, *answers: str):
    from demo.cli import consent

    monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{a}\n" for a in answers)))
    monkeypatch.setattr(sys, "stderr", Terminal())
    words = ["enroll", "talk.mp4", "--name", "ada"]
    return consent.obtain(make_parser().parse_args(words))


def test_consent_is_asked_for_on_a_terminal(monkeypatch):
    given = ask(monkeypatch, "Ada Lovelace", "lectures", "yes")
    assert (given.subject, given.purpose, given.method) == ("Ada Lovelace", "lectures", "prompt")
    given = ask(monkeypatch, "", "", "y")
    assert (given.subject, given.version) == ("self", "1")
    assert given.given_at.endswith("+00:00")


def test_no_agreement_no_avatar(monkeypatch):
    for answer in ("", "no"):
        with pytest.raises(ConsentError):
            ask(monkeypatch, "self", "", answer)


def test_ctrl_c_is_130(capsys, folder, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS["track"], "input_file", interrupted)
    assert run(capsys, "track", "talk.mp4") == (130, "facewire: interrupted\n")


def test_a_missing_package_is_said_with_its_cure(capsys, folder, monkeypatch):
    def missing(*_):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(COMMANDS["track"], "input_file", missing)
    code, text = run(capsys, "track", "talk.mp4")
    assert code == 5
    assert "pip install 'facewire[play]'" in text


def test_a_bug_is_not_dressed_up(folder, monkeypatch):
    def bug(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(COMMANDS["track"], "input_file", bug)
    with pytest.raises(ZeroDivisionError):
        main(["track", "talk.mp4"])


def test_as_a_program(tmp_path):
    """The way from the shell: python -m and the exit code."""
    code = "import sys; from demo.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "info", "no.fw"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "facewire: no.fw does not exist\nCheck the name of the file.\n"


def test_what_libraries_print_behind_pythons_back_is_not_shown():
    code = (
        "import os, sys; from demo.cli.chatter import silence; silence();"
        "os.write(2, b'C++ was here'); print('ours', file=sys.stderr)"
    )
    for chatter, heard in (("0", "ours\n"), ("1", "C++ was hereours\n")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "FACEWIRE_CHATTER": chatter},
        )
        assert done.stderr == heard


def test_a_method_of_the_lab_has_one_size(capsys, folder):
    words = ("train-mttf", str(folder), "-o", "dac-full.safetensors", "--method", "dac")
    code, text = run(capsys, *words, "--size", "full")
    assert code != 0 and "there is no full network of dac" in text
    code, text = run(capsys, *words[:-1], "rdac")
    assert code != 0 and "invalid choice: 'rdac'" in text
