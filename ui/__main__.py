"""The page's process: python -m ui --service http://127.0.0.1:8400

`ragapp up` and `ragapp ui` start it. It ends with the process that started it, however that one ended.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from pathlib import Path

from ui.client import SERVICE_VARIABLE

_PR_SET_PDEATHSIG = 1
_ORPHAN = 1


def main() -> None:
    """Serve the page until a signal comes."""
    given = _arguments()
    if given.parent:
        _end_with(given.parent)
    os.environ[SERVICE_VARIABLE] = given.service
    # Streamlit looks for its settings below the folder that it is started in, and would take a stranger's there
    os.chdir(Path(__file__).parent)
    from streamlit.web import bootstrap

    options = {"server.address": given.host, "server.port": given.port}
    bootstrap.load_config_options(flag_options={key.replace(".", "_"): value for key, value in options.items()})
    bootstrap.run(str(Path(__file__).with_name("script") / "page.py"), False, [], {})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m ui", description="ragapp's web page.")
    parser.add_argument("--service", default="http://127.0.0.1:8400", help="where the service listens")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=8501, help="the port to listen on")
    parser.add_argument("--parent", type=int, default=0, help="the process to end with")
    return parser.parse_args()


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(_ORPHAN)


if __name__ == "__main__":
    main()
