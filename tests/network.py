"""Two hosts with addresses of the world on a wire of their own: network namespaces, so nothing leaves this machine.

The addresses are globally reachable by IANA's registry and yet no host's own (AS112, RFC 7535 §3.2): the panel takes
them for public ones, as it does those of its senders and web servers.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

OURS = "192.31.196.2"
NAME_SERVER, WEB_SERVER, LISTED, UNLISTED = "192.31.196.53", "192.31.196.80", "192.31.196.66", "192.31.196.77"
PRIVATE = "10.31.196.80"  # of another host there
CLONE_NEWNET = 0x40000000  # setns(2); os.setns comes with Python 3.12
Result = TypeVar("Result")


@dataclass(frozen=True)
class Host:
    """A network namespace of this name."""

    name: str

    @property
    def command(self) -> list[str]:
        """What a command line begins with, to run there."""
        return ["ip", "netns", "exec", self.name]

    def run(self, what: Callable[[], Result]) -> Result:
        """Call it as somebody on this host: sockets that it makes, and threads that it starts, are there."""
        results: list[Result] = []
        troubles: list[BaseException] = []

        def there() -> None:
            try:
                self._enter()
                results.append(what())
            except BaseException as trouble:  # noqa: BLE001 (raised again by who called)
                troubles.append(trouble)

        thread = threading.Thread(target=there)
        thread.start()
        thread.join()
        if troubles:
            raise troubles[0]
        return results[0]

    def _enter(self) -> None:
        """This thread alone."""
        with Path(f"/run/netns/{self.name}").open() as namespace:
            libc: Any = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {self.name}")

    def ask(self, name_server: str) -> None:
        """Let what runs by `command` ask this one."""
        folder = Path("/etc/netns") / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text(f"nameserver {name_server}\noptions timeout:2 attempts:5\n")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def network() -> Iterator[tuple[Host, Host]]:
    """The panel's host and the world's, which has several addresses."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.fail("this needs root and Debian's iproute2, for network namespaces", pytrace=False)
    ours, world = (Host(f"panel-{end}-{os.getpid()}") for end in ("a", "b"))
    try:
        for host in (ours, world):
            _ip("netns", "add", host.name)
            _ip("-n", host.name, "link", "set", "lo", "up")
        _ip("-n", ours.name, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", world.name)
        for host, addresses in (ours, [OURS]), (world, [NAME_SERVER, WEB_SERVER, LISTED, UNLISTED, PRIVATE]):
            for address in addresses:
                _ip("-n", host.name, "address", "add", f"{address}/24", "dev", "wire")
            _ip("-n", host.name, "link", "set", "wire", "up")
        _ip("-n", ours.name, "route", "add", f"{PRIVATE}/32", "dev", "wire")
        yield ours, world
    finally:
        for host in (ours, world):
            subprocess.run(["ip", "netns", "delete", host.name], check=False, capture_output=True)
            shutil.rmtree(Path("/etc/netns") / host.name, ignore_errors=True)
