"""What every page has: the way to the others, and sign-in."""

from __future__ import annotations

import gradio as gr


def navigation() -> None:
    gr.Navbar(main_page_name="Enrol")


def account() -> None:
    # Until Gradio listens a click is lost, so that nothing can be clicked until then.
    gr.on(js="() => document.body.classList.add('fw-ready')")
    gr.HTML('<p id="fw-account" role="status">You are not signed in.</p>')
    with gr.Accordion("Account", open=True, elem_id="fw-account-form"):
        user = gr.Textbox(label="User name", max_length=40, elem_id="fw-user")
        password = gr.Textbox(
            label="Password, ten characters or more", type="password", elem_id="fw-password"
        )
        both = [user, password]
        with gr.Row():
            gr.Button("Sign in", variant="primary", elem_id="fw-sign-in").click(
                None, both, password, js="(u, p) => facewire.signIn(u, p, false)"
            )
            gr.Button("Register", elem_id="fw-register").click(
                None, both, password, js="(u, p) => facewire.signIn(u, p, true)"
            )
