"""One guard on the network: it refuses, or writes down, every host beyond this machine that Python asks for.

Python's audit events carry the guard, so it sees what any library does through `socket`. Loopback and local sockets
stay open: a notebook's kernel itself speaks through them. Needs only the standard library.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

_LOCAL_NAMES = ("", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_CONNECTIONS = ("socket.connect", "socket.sendto", "socket.sendmsg")


class _Guard:
    """What the audit hook does; a hook can never be taken away, so it is added once and switched by these fields."""

    def __init__(self) -> None:
        self.added = False
        self.refusing = False
        self.watchers: list[list[str]] = []
        self.lock = threading.Lock()

    def add(self) -> None:
        with self.lock:
            if not self.added:
                sys.addaudithook(self)
                self.added = True

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not event.startswith("socket.") or not (self.refusing or self.watchers):
            return
        if event in _LOOKUPS:
            host = arguments[0]
        elif event in _CONNECTIONS and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        else:
            return
        if is_local(host):
            return
        name = host.decode(errors="replace") if isinstance(host, (bytes, bytearray)) else str(host)
        for reached in self.watchers:
            reached.append(name)
        if not self.refusing:
            return
        if event in _LOOKUPS:
            raise socket.gaierror(f"this course runs offline; a cell looked up {name}")
        raise ConnectionError(f"this course runs offline; a cell reached for {name}")


_guard = _Guard()


def is_local(host: object) -> bool:
    """Whether a host, as a socket's address names it, is this machine: loopback, its own name, or no name at all.

    Addresses of sockets that leave no machine (a file's path, a number of the system's own) are not names.
    """
    if isinstance(host, (bytes, bytearray)):
        host = host.decode(errors="replace")
    if not isinstance(host, str):
        return True
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return host.lower() in _LOCAL_NAMES or host == socket.gethostname()
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def stay_offline(on: bool = True) -> None:
    """Refuse every way off this machine from now on in this process; `on=False` opens the way again.

    While it is on, looking a host up raises `socket.gaierror` and connecting to one raises `ConnectionError`. Libraries
    of Hugging Face are told through their own switches too, so that they do not even try.
    """
    if on:
        os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TRANSFORMERS_OFFLINE="1")
        _guard.add()
    _guard.refusing = on


@contextlib.contextmanager
def watched_network() -> Iterator[list[str]]:
    """Collect the hosts beyond this machine that the process asks for meanwhile; refuses nothing by itself."""
    reached: list[str] = []
    _guard.add()
    _guard.watchers.append(reached)
    try:
        yield reached
    finally:
        _guard.watchers = [other for other in _guard.watchers if other is not reached]
