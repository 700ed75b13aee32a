"""ragapp up and ragapp ui: the web page, with its service and without."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from ragapp.cli.options import Data, Profile, Quiet, note


def up(
    host: Annotated[str | None, typer.Option(help="The address to listen on; 127.0.0.1 if none.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 8400 if none, 0 for a free one.")] = None,
    accounts: Annotated[
        bool, typer.Option("--accounts", help="People sign in; the first start prints a link that makes the admin.")
    ] = False,
    examples: Annotated[
        bool, typer.Option("--examples/--no-examples", help="Take in a small firm's documents where there are none.")
    ] = True,
    profile: Profile = None,
    data: Data = None,
    quiet: Quiet = False,
) -> None:
    """Start the service and its web page, and stop both with Ctrl-C.

    Without --accounts nobody signs in, and only this machine reaches it.

    [dim]Example: ragapp up[/dim]
    """
    from ragapp.app import RagApp
    from ragapp.bundled import examples_folder
    from ragapp.logs import open_process_log
    from ragapp.serve.run import held, serve
    from ragapp.settings import Settings

    given: dict[str, Any] = {"profile": profile, "data": data}
    serving = {"host": host, "port": port, "single_user": None if accounts else True}
    chosen = {key: value for key, value in given.items() if value is not None}
    if named := {key: value for key, value in serving.items() if value is not None}:
        chosen["serve"] = named
    settings = Settings(**chosen)
    with held(settings.data) as holding:
        open_process_log(settings)
        with RagApp(settings) as app:
            first = examples_folder() if examples and not app.catalog.documents() else None
            serve(app, (lambda _: None) if quiet else note, holding=holding, with_page=True, first=first)


def ui(
    service: Annotated[str, typer.Option(help="Where the service listens.")] = "http://127.0.0.1:8400",
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8501,
) -> None:
    """Run the web page's process alone, for a service that knows it as serve.page_url and shows it under /app/.

    [dim]Example: ragapp ui --service http://service:8400 --host 0.0.0.0[/dim]
    """
    command = [sys.executable, "-P", "-m", "ui", "--service", service, "--host", host, "--port", str(port)]
    # instead of this process: signals are Streamlit's to hear
    os.execv(sys.executable, command)  # noqa: S606 - our own Python
