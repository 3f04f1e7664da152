"""For researchers: what the lab measured of a clip, as curves and side by side."""

from __future__ import annotations

import gradio as gr

from demo.pages.account import account, navigation

_ABOUT = """Rate against fidelity on frames that no codec had seen, every byte but the avatar's
download counted. `facewire bench` makes these figures; the lab's documentation says how."""


def build() -> None:
    navigation()
    gr.Markdown("# Compare codecs")
    account()
    gr.Markdown(_ABOUT)
    gr.HTML(_CHOICE)


_CHOICE = """<form id="fw-compare" class="fw-form" hidden>
<label>Clip <select name="clip"></select></label>
<label>Measure <select name="metric"></select></label>
<fieldset><legend>Codecs</legend><div id="fw-codecs"></div></fieldset>
<button class="fw-button" type="submit">Show</button></form>
<p id="fw-compare-status" role="status" aria-live="polite">Sign in to see what was measured.</p>
<figure id="fw-curves" hidden><img alt="Curves of rate against fidelity"></figure>
<figure id="fw-beside" hidden><video controls loop muted playsinline></video><figcaption>
</figcaption></figure>"""
