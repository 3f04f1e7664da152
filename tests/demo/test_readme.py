"""What the README says can be typed, can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from demo.cli.parser import COMMANDS, make_parser, with_angles

README = Path(__file__).resolve().parents[2] / "README.md"


def commands() -> list[str]:
    """Every line of a code block that calls facewire, without the prompt and the comment."""
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", README.read_text(encoding="utf-8"), re.S | re.M)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    shown = (line.strip().removeprefix("$ ") for line in lines)
    return [line.split(" #")[0] for line in shown if line.startswith("facewire ")]


@pytest.mark.parametrize("line", commands())
def test_a_line_of_the_readme_is_a_command(line):
    make_parser().parse_args(with_angles(shlex.split(line)[1:]))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command):
    assert any(line.split()[1] == command for line in commands())


def test_make_targets_exist():
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:\$ )?make (\w+)", README.read_text(encoding="utf-8"), re.M))
    assert named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.M), target
