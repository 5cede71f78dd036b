"""Serving the page and the API, on this machine only until sign-in exists."""

import ipaddress
import socket

import uvicorn

from matcher.errors import ConflictError, InputError


def run(host: str, port: int, workers: int) -> None:
    """Serves until it is interrupted.

    Raises:
        InputError: the address can be reached from other machines.
        ConflictError: the port is taken.
    """
    if not _is_loopback(host):
        raise InputError(
            f"{host} can be reached from other machines, and the page and the API have no sign-in yet: whoever reaches "
            "them may read and write. Serve on 127.0.0.1; sign-in comes with a later version."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConflictError(
                f"Port {port} of {host} cannot be used ({error.strerror}); give another one with --port or PORT=."
            ) from error
    uvicorn.run("api.app:create_app", factory=True, host=host, port=port, workers=workers, access_log=False)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
