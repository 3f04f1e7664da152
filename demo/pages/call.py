"""A call: join a room by its link, see the other's avatar, know what is used and what it costs."""

from __future__ import annotations

import gradio as gr

from demo.pages.account import account, navigation

_HONEST = """In the browser this server tracks your face and renders the other's for you: it sees
both, so such a call is **not protected from end to end**. `facewire call` does both on your own
machine."""


def build() -> None:
    navigation()
    gr.Markdown("# A call")
    account()
    gr.Markdown(_HONEST)
    room = gr.Textbox(label="Room, or its link", elem_id="fw-room")
    with gr.Row():
        size = gr.Slider(64, 1280, 256, step=2, label="Pixels a side")  # VP8 has even sides
        fit = gr.Dropdown(["contain", "cover", "extend"], value="contain", label="Fit")
        background = gr.Dropdown(["learned", "blur"], value="learned", label="Background")
        around = gr.Checkbox(
            True, label="Send the room I am in, and its light", elem_id="fw-around"
        )
    with gr.Row():
        gr.Button("Make a room", elem_id="fw-make").click(
            None, None, room, js="() => facewire.makeRoom()"
        )
        gr.Button("Join", variant="primary", elem_id="fw-join").click(
            None, [room, size, fit, background, around], js="(...wish) => facewire.join(...wish)"
        )
        gr.Button("Leave", elem_id="fw-leave").click(None, js="() => facewire.leave()")
    gr.HTML(_CALL)


_CALL = """<p id="fw-call-status" role="status" aria-live="polite">Not in a call.</p>
<p id="fw-call-link"></p>
<div class="fw-pair" id="fw-call-pair" hidden>
<figure><video id="fw-other" autoplay playsinline aria-label="The other's avatar"></video>
<figcaption><span class="fw-badge">synthesised picture</span></figcaption></figure>
<figure><video id="fw-self" class="fw-mirrored" autoplay muted playsinline
aria-label="Your camera"></video><figcaption>Your camera</figcaption></figure></div>
<p id="fw-call-figures" role="status"></p>"""
