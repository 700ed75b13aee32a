"""ragapp serve: the service that pages and programs speak to."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ragapp.cli.options import Data, Profile, Quiet, note


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on; 127.0.0.1 if none.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 8400 if none, 0 for a free one.")] = None,
    single_user: Annotated[
        bool, typer.Option("--single-user", help="Nobody signs in and everybody is the admin; only on this machine.")
    ] = False,
    profile: Profile = None,
    data: Data = None,
    quiet: Quiet = False,
) -> None:
    """Serve answers, search and documents over HTTP until Ctrl-C.

    It listens at once and says on /health/ready when the models stand. The first start prints a link that makes the
    first account.

    [dim]Example: ragapp serve --single-user[/dim]
    """
    from ragapp.app import RagApp
    from ragapp.logs import open_process_log
    from ragapp.serve.run import held
    from ragapp.serve.run import serve as run
    from ragapp.settings import Settings

    given: dict[str, Any] = {"profile": profile, "data": data}
    serving = {"host": host, "port": port, "single_user": single_user or None}
    chosen = {key: value for key, value in given.items() if value is not None}
    if named := {key: value for key, value in serving.items() if value is not None}:
        chosen["serve"] = named
    settings = Settings(**chosen)
    with held(settings.data) as holding:
        open_process_log(settings)
        with RagApp(settings) as app:
            run(app, (lambda _: None) if quiet else note, holding=holding)
