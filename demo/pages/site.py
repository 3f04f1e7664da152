"""The pages, beside the API in one application.  They hold nothing: all that they do, the
browser asks of the API with its user's own token, and no picture passes through Gradio."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

STATIC = Path(__file__).with_name("static")
_FONTS = ("system-ui", "sans-serif")  # those of the reader's own machine


def with_pages(app: FastAPI, lab: Path | None = None) -> FastAPI:
    """Adds the pages at / to the API.  lab: results of `facewire bench run`, for a compare page."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import gradio as gr

    from demo.pages import call, compare, enrol, yours
    from demo.pages.shown import Shown

    app.mount("/pages", StaticFiles(directory=STATIC), name="pages")
    with gr.Blocks(title="Facewire", analytics_enabled=False) as site:
        enrol.build(live_only=app.state.context.settings.liveness)
    with site.route("Call", "/call"):
        call.build()
    with site.route("Yours", "/yours"):
        yours.build()
    if lab is not None:
        from demo.pages.lab import add_lab

        add_lab(app, lab)
        with site.route("Compare", "/compare"):
            compare.build()
    gr.mount_gradio_app(
        app,
        site,
        path="/",
        theme=gr.themes.Soft(font=_FONTS),
        css_paths=STATIC / "facewire.css",
        head='<script type="module" src="/pages/main.js"></script>',
        footer_links=[],
        run_history=False,
        max_file_size=1,  # nothing is uploaded to Gradio
        ssr_mode=False,
        show_error=False,
    )
    routes = app.router.routes
    paths = [f"/{path}" for path, *_ in site.pages]
    routes.append(Shown(routes.pop(), paths))
    return app
