"""Debian's nginx with the files that `mailconfig nginx` renders, on high ports, in front of the panel's own server."""

import contextlib
import http.client
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.db import connection

from mailboxes.models import Domain
from tests.wiring.commands import ROOT
from webmail_panel.embedded import free_port

NGINX = "/usr/sbin/nginx"
pytestmark = pytest.mark.django_db  # the panel behind it asks the tests' database

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
PANEL, HOSTED = "panel.example.org", "mta-sts.firma.example"


@dataclass
class Answer:
    status: int
    fields: dict[str, str]
    body: bytes


@dataclass
class Site:
    """nginx with our files; `folder` holds all of its own."""

    folder: Path
    static: Path
    web_port: int
    http_port: int = field(default_factory=free_port)
    https_port: int = field(default_factory=free_port)

    def render(self, *options: str) -> None:
        env = {**os.environ, "ALLOWED_HOSTS": PANEL, "STATIC_ROOT": str(self.static)}
        subprocess.run(
            [sys.executable, "manage.py", "mailconfig", "nginx", f"--output={self.folder}/conf.d",
             f"--tls-cert={self.folder}/cert.pem", f"--tls-key={self.folder}/key.pem",
             f"--web=127.0.0.1:{self.web_port}",
             f"--http-listen=127.0.0.1:{self.http_port}", f"--https-listen=127.0.0.1:{self.https_port}",
             f"--names-tls={self.folder}/names", *options],
            cwd=ROOT, env=env, check=True, timeout=300, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        # Debian's nginx.conf in short. The log's folder is the machine's own: here it is another one.
        site = self.folder / "conf.d" / "webmail-panel.conf"
        site.write_text(site.read_text().replace("/var/log/nginx/", f"{self.folder}/"))
        (self.folder / "nginx.conf").write_text(
            f"pid {self.folder}/nginx.pid;\nerror_log {self.folder}/error.log;\nevents {{ worker_connections 256; }}\n"
            "http {\n include /etc/nginx/mime.types;\n"
            + "".join(f" {name}_temp_path {self.folder}/{name};\n" for name in TEMPORARY)
            + f" include {self.folder}/conf.d/*.conf;\n}}\n"
        )  # fmt: skip

    def command(self, *options: str) -> list[str]:
        folder = self.folder
        return [NGINX, "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf", *options]

    def get(self, path: str, *, host: str = PANEL, tls: bool = True, **fields: str) -> Answer:
        """One request; redirects are not followed."""
        with socket.create_connection(("127.0.0.1", self.https_port if tls else self.http_port), timeout=20) as raw:
            stream = _trusting_nobody().wrap_socket(raw, server_hostname=host) if tls else raw
            asked = http.client.HTTPConnection(host, timeout=20)
            asked.sock = stream
            with contextlib.closing(asked):
                asked.request(
                    "GET", path, headers={"Host": host, **{name.replace("_", "-"): v for name, v in fields.items()}}
                )
                response = asked.getresponse()
                return Answer(
                    response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
                )


def _trusting_nobody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@contextlib.contextmanager
def running(command: list[str], ready: Callable[[], bool], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, **options)  # type: ignore[call-overload]
    try:
        deadline = time.monotonic() + 180
        while not ready():
            assert process.poll() is None, command
            assert time.monotonic() < deadline, command
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def listens(port: int) -> Callable[[], bool]:
    def is_open() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return is_open


def certificate(path: Path, key: Path, name: str) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
         "-keyout", key, "-out", path],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def new_folder(name: str) -> Path:
    """Where another user may enter: nginx's workers are not root."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=os.environ["PANEL_TESTS_VAR_DIR"]))
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def static() -> Path:
    """The files of the pages, collected."""
    folder = new_folder("static")
    env = {**os.environ, "STATIC_ROOT": str(folder)}
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"],
        cwd=ROOT, env=env, check=True, timeout=300,
    )  # fmt: skip
    return folder


def rendered(static: Path, web_port: int) -> Site:
    """nginx's files in a folder that its workers may enter; nothing is started."""
    folder = new_folder("nginx")
    if not Path(NGINX).exists():
        pytest.fail("this needs Debian's nginx-light: install it as root", pytrace=False)
    (folder / "names").mkdir()
    certificate(folder / "cert.pem", folder / "key.pem", PANEL)
    made = Site(folder, static, web_port)
    made.render()
    return made


@pytest.fixture
def site(static: Path) -> Site:
    """Files of a site that nobody has started, in front of a panel that is away."""
    return rendered(static, free_port())


@contextlib.contextmanager
def started(site: Site) -> Iterator[Site]:
    with running(site.command("-g", "daemon off;"), listens(site.https_port), **QUIET):
        yield site


@pytest.fixture(scope="module")
def panel(static: Path, django_db_setup: None) -> Iterator[Site]:
    """nginx, and the panel's web server behind it as its unit starts it."""
    site = rendered(static, free_port())
    database_url = os.environ["DATABASE_URL"].replace("/webmail_panel?", f"/{connection.settings_dict['NAME']}?")
    env = {**os.environ, "DATABASE_URL": database_url, "ALLOWED_HOSTS": PANEL, "HTTPS": "1", "BEHIND_PROXY": "1",
           "WEB_CONCURRENCY": "1", "STATIC_ROOT": str(static)}  # fmt: skip
    web = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py",
           f"--bind=127.0.0.1:{site.web_port}", "webmail_panel.wsgi:application"]  # fmt: skip
    with running(web, listens(site.web_port), cwd=ROOT, env=env, **QUIET), started(site):
        yield site


def test_nginx_takes_the_files(site: Site) -> None:
    asked = subprocess.run(site.command("-t"), capture_output=True, text=True, timeout=300, check=False)
    assert asked.returncode == 0, asked.stderr
    assert "[warn]" not in asked.stderr
    assert "[emerg]" not in asked.stderr


def test_several_web_hosts(site: Site) -> None:
    site.render("--web=10.0.0.5:8000", "--web=[fd00::5]:8000")
    text = (site.folder / "conf.d" / "webmail-panel.conf").read_text()
    assert "server 10.0.0.5:8000" in text
    assert "server [fd00::5]:8000" in text
    asked = subprocess.run(site.command("-t"), capture_output=True, text=True, timeout=300, check=False)
    assert asked.returncode == 0, asked.stderr


def test_a_visitor_is_led_to_https_and_to_the_sign_in_page(panel: Site) -> None:
    plain = panel.get("/mailboxes/?page=2", tls=False)
    assert (plain.status, plain.fields["location"]) == (301, f"https://{PANEL}/mailboxes/?page=2")
    page = panel.get("/sign-in/")
    assert page.status == 200
    assert page.fields["strict-transport-security"].startswith("max-age=31536000")
    assert "default-src 'self'" in page.fields["content-security-policy"]
    assert "nginx/" not in page.fields["server"]
    assert "secure" in page.fields["set-cookie"].lower()


def test_what_the_visitor_says_of_the_way_it_came_is_not_believed(panel: Site) -> None:
    """Else everybody could say an address of their own at each wrong password."""
    page = panel.get(
        "/sign-in/", X_Forwarded_Proto="http", X_Forwarded_For="203.0.113.9", X_Forwarded_Host="evil.example"
    )
    assert page.status == 200


def test_files_of_the_pages_come_from_the_disk_and_others_from_the_panel(panel: Site) -> None:
    (style,) = (panel.static / "panel").glob("panel.*.css")
    kept = panel.get(f"/static/panel/{style.name}")
    assert (kept.status, kept.body) == (200, style.read_bytes())
    assert "immutable" in kept.fields["cache-control"]
    assert kept.fields["x-content-type-options"] == "nosniff"
    assert panel.get("/static/no-such-file.css").status == 404
    assert panel.get("/static/../cert.pem").status in {400, 404}


def test_a_stranger_name_gets_nothing(panel: Site) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        panel.get("/", host="other.example")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        panel.get("/", host="other.example", tls=False)
    assert panel.get("/sign-in/", host=PANEL).status == 200


def test_names_of_hosted_domains_reach_the_panel_by_http_and_with_their_own_certificate(
    panel: Site, transactional_db: None
) -> None:
    plain = panel.get("/mail/config-v1.1.xml", host="autoconfig.firma.example", tls=False)
    assert (plain.status, plain.body) == (404, b"Not here.\n")  # the panel's word: it hosts no such domain
    with pytest.raises((ssl.SSLError, ConnectionError)):
        panel.get("/.well-known/mta-sts.txt", host=HOSTED)
    certificate(panel.folder / "cert2.pem", panel.folder / "key2.pem", HOSTED)
    names = panel.folder / "names"
    (names / f"{HOSTED}.pem").write_text(
        (panel.folder / "key2.pem").read_text() + (panel.folder / "cert2.pem").read_text()
    )
    assert panel.get("/.well-known/mta-sts.txt", host=HOSTED).status == 404  # no such domain yet
    Domain.objects.create(name=HOSTED.removeprefix("mta-sts."))
    policy = panel.get("/.well-known/mta-sts.txt", host=HOSTED)
    assert policy.status == 200
    assert policy.body.startswith(b"version: STSv1")
    assert panel.get("/sign-in/", host=HOSTED).status == 400  # no page under this name


@pytest.mark.parametrize(
    ("name", "answers"),
    [(PANEL, True), ("mta-sts./../mta-sts.x", False), ("mta-sts.x/../../mta-sts.x", False), ("mta-sts.x%00", False)],
)
def test_a_name_that_climbs_out_of_the_folder_of_certificates_gets_nothing(
    panel: Site, name: str, answers: bool
) -> None:
    both = (panel.folder / "key.pem").read_text() + (panel.folder / "cert.pem").read_text()
    (panel.folder / "mta-sts.x.pem").write_text(both)
    asked = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{panel.https_port}", "-servername", name],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ("BEGIN CERTIFICATE" in asked.stdout) is answers, asked.stdout


def test_more_than_the_panel_takes_is_refused_before_it(panel: Site) -> None:
    raw = _trusting_nobody().wrap_socket(
        socket.create_connection(("127.0.0.1", panel.https_port), timeout=20), server_hostname=PANEL
    )
    with contextlib.closing(raw):
        raw.sendall(f"POST /sign-in/ HTTP/1.1\r\nHost: {PANEL}\r\nContent-Length: 9000000\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_flood_of_one_address_is_braked(panel: Site) -> None:
    with started(rendered(panel.static, panel.web_port)) as site:
        statuses: list[int] = []
        while 429 not in statuses and len(statuses) < 500:  # on a slow machine it takes more to be a flood
            statuses.append(site.get("/sign-in/").status)
    assert set(statuses) == {200, 429}
    assert len(statuses) > 20


def test_a_panel_that_is_away_says_so_kindly(site: Site) -> None:
    with started(site):
        away = site.get("/sign-in/")
    assert (away.status, away.fields["retry-after"]) == (503, "60")
    assert "Zaraz wracamy" in away.body.decode()
    assert "Back in a moment" in away.body.decode()


def test_with_one_of_two_web_hosts_dead_the_other_serves_every_page(panel: Site) -> None:
    site = rendered(panel.static, panel.web_port)
    site.render(f"--web=127.0.0.1:{free_port()}")
    with started(site):
        assert {site.get("/sign-in/").status for _attempt in range(6)} == {200}


def test_the_log_holds_no_token_and_no_query(panel: Site) -> None:
    panel.get("/undo/abcdefghijklmnopqrstuvwxyz:123456/?q=anna")
    panel.get("/calendar/")
    log = wait_for_line(panel.folder / "webmail-panel.log", '"GET /calendar/"')
    assert '"GET /undo/*"' in log
    assert "anna" not in log


def wait_for_line(log: Path, words: str) -> str:
    """nginx writes a line when it is done with a request, which may be after we have its answer."""
    deadline = time.monotonic() + 180
    while words not in (text := log.read_text()):
        assert time.monotonic() < deadline, text
        time.sleep(0.05)
    return text


def test_a_renewed_certificate_of_a_name_is_put_where_nginx_looks(tmp_path: Path) -> None:
    lineage = tmp_path / "live" / HOSTED
    lineage.mkdir(parents=True)
    (lineage / "privkey.pem").write_text("key\n")
    (lineage / "fullchain.pem").write_text("chain\n")
    env = {"PATH": os.environ["PATH"], "FOLDER": str(tmp_path / "names"), "GROUP": str(os.getgid()),
           "RENEWED_LINEAGE": str(lineage), "RENEWED_DOMAINS": f"{HOSTED} autoconfig.firma.example"}  # fmt: skip
    script = ROOT / "deploy" / "bin" / "name-certificate"
    subprocess.run([script], env=env, check=True, timeout=300)
    path = tmp_path / "names" / f"{HOSTED}.pem"
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("key\nchain\n", 0o640)
    assert (tmp_path / "names" / "autoconfig.firma.example.pem").exists()
    refused = subprocess.run(
        [script], env=env | {"RENEWED_DOMAINS": "../x"}, capture_output=True, timeout=300, check=False
    )
    assert refused.returncode == 1
