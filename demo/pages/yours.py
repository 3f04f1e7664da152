"""What is kept of somebody: their avatars, who may see them, who did, and the end of it all."""

from __future__ import annotations

import gradio as gr

from demo.pages.account import account, navigation

_GRANTS = """Nobody sees an avatar of yours until you let them, by their user name and for a time.
Taking it back stops every new download, and what a call shows of it, within seconds. A copy that
somebody was once shown cannot be recalled."""
_ELSEWHERE = """Somebody else may be signed in as you? This ends every other sign-in and program of
yours, at once. Then they can only come back by your password."""
_ERASURE = """Your key is destroyed first, so that no file of yours can be opened again, not even
from a backup of the files. It cannot be undone."""


def build() -> None:
    navigation()
    gr.Markdown("# Yours")
    account()
    gr.Markdown("## Your avatars")
    gr.Markdown(_GRANTS)
    gr.HTML('<p id="fw-yours-status" role="status"></p><div id="fw-avatars"></div>')
    gr.Markdown("## Who did what with what is yours")
    gr.HTML('<div id="fw-audit" class="fw-scroll"></div>')
    gr.Markdown(_ELSEWHERE)
    gr.Button("Sign out everywhere else", elem_id="fw-sign-out-others").click(
        None, js="() => { facewire.signOutOthers(); }"
    )
    with gr.Accordion("Erase everything", open=False):
        gr.Markdown(_ERASURE)
        password = gr.Textbox(label="Your password", type="password", elem_id="fw-erase-password")
        gr.Button("Erase my account", variant="stop", elem_id="fw-erase").click(
            None, password, password, js="(password) => facewire.erase(password)"
        )
