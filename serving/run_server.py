"""The HTTP server in this process: one worker, quiet, stopped by a signal."""

from __future__ import annotations

import os
import socket

from crm.config import Config


class PortTaken(OSError):
    """Another program listens on the port."""


def require_free(host: str, port: int) -> None:
    """Raise PortTaken when nothing can listen there.

    Raises
    ------
    PortTaken
        Another program does; the message says how to choose another port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(f"cannot listen on {host}:{port} ({error.strerror}); choose another with --port") from None


def run_server(config: Config, *, host: str, port: int) -> None:
    """Answer until a signal ends the process.

    Raises
    ------
    PortTaken
        Another program listens there.
    """
    # One thread a request: a pool of its own per prediction only makes them wait for each other.
    os.environ["OMP_NUM_THREADS"] = "1"
    require_free(host, port)
    import uvicorn

    from serving.app import create_app
    from serving.connection import BoundedConnection
    from serving.logs import configure_logs

    configure_logs()
    uvicorn.run(
        create_app(config),
        host=host,
        port=port,
        http=BoundedConnection,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=20,
    )
