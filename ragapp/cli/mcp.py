"""ragapp mcp: the tools for agents over stdin and stdout."""

from __future__ import annotations

from ragapp.cli.options import Data, Profile, open_app, settings


def mcp(profile: Profile = None, data: Data = None) -> None:
    """Serve search, ask and read_document to an agent over stdin and stdout (Model Context Protocol).

    It speaks to the service that has the data folder open, if one runs, and otherwise opens the folder itself. Over
    HTTP the same tools are at /mcp of ragapp serve.

    [dim]Example, in an agent's settings: {"command": "ragapp", "args": ["mcp"]}[/dim]
    """
    import anyio

    from ragapp.serve.mcp.stdio import serve_folder, serve_service
    from ragapp.serve.run import running

    folder = settings(profile, data).data
    if running(folder):
        anyio.run(serve_service, folder)
        return
    with open_app(profile, data, quiet=False) as app:
        anyio.run(serve_folder, app)
