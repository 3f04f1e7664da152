"""Consent, video, progress, report, mirror: from a visitor to somebody with an avatar."""

from __future__ import annotations

from typing import Any

import gradio as gr

from demo.pages.account import account, navigation
from service import consent

_WORDING = " ".join(consent.WORDING.split())
_ABOUT = """# Facewire
A call that sends your face in about 2 kbit/s. Enrol once, in five minutes; after that others see
your avatar move as you do."""
_PROMISE = """Your video is encrypted while it comes in, seen by the machine that learns from it
alone, and destroyed when it is done. Nobody gets your avatar before you let them. A copy that
somebody has once been shown cannot be recalled."""


def build(live_only: bool) -> None:
    """live_only: there is no way past the guided capture, so that none is shown."""
    navigation()
    gr.Markdown(_ABOUT)
    account()
    gr.Markdown("## 1. Your consent")
    gr.Markdown(f"{_WORDING}\n\n{_PROMISE}")
    subject = gr.Textbox(
        "self", label="Whose face is it? self, or the name of the person who agreed", max_length=64
    )
    agreed = gr.Checkbox(
        label=f"I have read this and agree (wording {consent.VERSION})", elem_id="fw-agreed"
    )
    gr.Markdown("## 2. Your video")
    name = gr.Textbox(label="Name of the avatar", max_length=64, elem_id="fw-name")
    with gr.Accordion("How long and how fine", open=False):
        seconds = gr.Slider(5, 1800, 300, step=5, label="Seconds of fitting")
        size = gr.Dropdown([64, 128, 256, 512], value=256, label="Pixels a side to learn from")
    wish = [name, subject, agreed, seconds, size]
    with gr.Tab("Film yourself"):
        _film(wish, live_only)
    if not live_only:
        with gr.Tab("Use a video file"):
            _file(wish)
    gr.Markdown("## 3. Your avatar")
    gr.HTML(_PROGRESS)
    gr.Button("Cancel", elem_id="fw-cancel", size="sm").click(None, js="() => facewire.cancel()")
    gr.Markdown("## 4. Try it in the mirror")
    gr.Markdown("Your camera, as bits, as your avatar: what another person would see.")
    mirror_size = gr.Slider(64, 1024, 256, step=1, label="Pixels a side of the picture")
    gr.HTML(_MIRROR)
    with gr.Row():
        gr.Button("Start the mirror", variant="primary", elem_id="fw-mirror").click(
            None, mirror_size, js="(size) => facewire.mirror(size)"
        )
        gr.Button("Stop", elem_id="fw-mirror-stop").click(None, js="() => facewire.unmirror()")


def _film(wish: list[Any], live_only: bool) -> None:
    gr.Markdown(
        "Sit an arm's length away, with light in front of you. You are asked to look "
        "around, to smile, to blink and to read a sentence: that shows that you are here, "
        "and teaches the avatar."
    )
    gr.HTML(_CAMERA)
    with gr.Row():
        gr.Button("Start the camera", variant="primary", elem_id="fw-film").click(
            None, wish, js="(...wish) => facewire.film(...wish)"
        )
        if not live_only:  # half a script is not one
            gr.Button("Use what was filmed", elem_id="fw-enough").click(
                None, js="() => facewire.enough()"
            )


def _file(wish: list[Any]) -> None:
    gr.Markdown("Half a minute or more of you alone, speaking, in steady light.")
    gr.HTML(
        '<label for="fw-file">Video file</label><input type="file" id="fw-file" accept="video/*">'
    )
    gr.Button("Enrol from this file", variant="primary", elem_id="fw-upload").click(
        None, wish, js="(...wish) => facewire.upload(...wish)"
    )


_CAMERA = """<div class="fw-camera">
<video id="fw-camera" muted playsinline aria-label="Your camera"></video>
<canvas id="fw-overlay" aria-hidden="true"></canvas></div>
<p id="fw-prompt" role="status" aria-live="assertive"></p>
<p id="fw-advice" role="status" aria-live="polite"></p>
<div class="fw-meters">
<label>Tracking <meter id="fw-sure" min="0" max="1" low="0.35"></meter></label>
<label>Light <meter id="fw-light" min="0" max="1" low="0.24" high="0.88"></meter></label>
<label>Distance <meter id="fw-distance" min="0" max="1" low="0.22" high="0.75"></meter></label>
<label>Script <progress id="fw-script" max="1" value="0"></progress></label></div>"""

_PROGRESS = """<p id="fw-status" role="status" aria-live="polite">No enrolment yet.</p>
<progress id="fw-progress" max="1" value="0" aria-label="Progress of the enrolment"></progress>
<figure id="fw-preview" hidden><img alt="Left: filmed. Right: the avatar.">
<figcaption>Left: a filmed frame that is kept from learning. Right: the avatar.</figcaption>
</figure>
<div id="fw-report"></div>"""

_MIRROR = """<div class="fw-pair" id="fw-mirror-pair" hidden>
<video id="fw-mirror-camera" muted playsinline aria-label="Your camera"></video>
<img id="fw-mirror-picture" alt="Your avatar"></div>
<p id="fw-mirror-status" role="status" aria-live="polite"></p>"""
