"""A real authoritative name server (nsd) with the zone that a test writes, here or on a host of tests/network.py."""

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from tests.network import Host
from webmail_panel.embedded import free_port

CONFIG = """
server:
  ip-address: {ip}@{port}
  port: {port}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/nsd.pid"
  database: ""
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  logfile: "{folder}/log"
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: "example"
  zonefile: "example.zone"
"""
HEAD = """$ORIGIN example.
$TTL 60
@ SOA ns hostmaster {serial} 7200 900 1209600 60
@ NS ns
ns A 127.0.0.1
"""


def find_nsd() -> str | None:
    """The program, also where it lies outside the PATH of ordinary users."""
    return shutil.which("nsd", path="/usr/sbin:/usr/local/sbin:/usr/bin")


def free_port_for_both() -> int:
    """One that is free for UDP and TCP alike, at this moment."""
    while True:
        port = free_port()
        with socket.socket(type=socket.SOCK_DGRAM) as udp, contextlib.suppress(OSError):
            udp.bind(("127.0.0.1", port))
            return port


class Nsd:
    """Serves the zone `example.`; `publish` replaces it."""

    def __init__(self, folder: Path, ip: str = "127.0.0.1", port: int | None = None, host: Host | None = None) -> None:
        self._folder, self._serial, self._ip, self._host = folder, 0, ip, host
        self.port = port or free_port_for_both()
        self.address = f"{ip}:{self.port}"
        (folder / "nsd.conf").write_text(CONFIG.format(ip=ip, port=self.port, folder=folder))
        self._process: subprocess.Popen[bytes] | None = None
        self.publish("")

    def publish(self, lines: str) -> None:
        """These records and no others, from now on."""
        self._serial += 1
        (self._folder / "example.zone").write_text(HEAD.format(serial=self._serial) + lines)
        self.stop()
        program = find_nsd()
        assert program is not None
        place = self._host.command if self._host else []
        self._process = subprocess.Popen([*place, program, "-d", "-c", str(self._folder / "nsd.conf")])
        if self._host:
            self._host.run(self._wait)
        else:
            self._wait()

    def _wait(self) -> None:
        query = dns.message.make_query("example.", "SOA")
        ends = time.monotonic() + 120
        while time.monotonic() < ends:
            try:
                answer = dns.query.udp(query, self._ip, timeout=0.1, port=self.port)
                if answer.answer and answer.answer[0][0].serial == self._serial:
                    return
            except (dns.exception.Timeout, OSError):
                time.sleep(0.02)
            assert self._process is not None
            assert self._process.poll() is None, (self._folder / "log").read_text()
        raise TimeoutError((self._folder / "log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None
