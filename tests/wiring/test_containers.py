"""docker-compose.yml and the Dockerfiles name only what exists: commands, files, volumes, variables, secrets."""

import copy
import importlib.metadata
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from fnmatch import fnmatch
from itertools import dropwhile
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from responders.mailconfig.arguments import PANEL_USER
from tests.wiring.commands import ROOT, assert_understood
from webmail_panel import embedded
from webmail_panel.embedded import free_port
from webmail_panel.settings import INSTALLED_APPS

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_OFF = {name for name, service in SERVICES.items() if service.get("restart") == "no"}
DOCKERFILES = sorted(path for path in [ROOT / "Dockerfile", *ROOT.glob("deploy/*/Dockerfile")])
OUR_IMAGE = COMPOSE["x-panel"]["image"]
SCHEMA = json.loads((ROOT / "tests" / "vendor" / "compose-spec.json").read_text())
# What each image of others brings, beyond a shell: nobody here can look into them.
FOREIGN = {"postgres": {"pg_isready"}, "redis": {"redis-server", "redis-cli", "grep"}}
PASSWORDS = {"POSTFIX_DATABASE_PASSWORD": "postfix0and0digits", "DOVECOT_DATABASE_PASSWORD": "dovecot1and1digits"}
EXAMPLES = {
    "MAIL_HOST": "mail.example.org", "PANEL_HOST": "panel.example.org", "POSTMASTER": "postmaster@example.org",
    "TLS_DIR": "/etc/ssl/mail", "SECRET_KEY": "x" * 50, "POSTGRES_PASSWORD": "letters0and0digits",
    "PANEL_DATABASE_PASSWORD": "letters1and1digits", "REDIS_PASSWORD": "letters0and0digits",
    **PASSWORDS,
}  # fmt: skip
DURATION = re.compile(r"(?=\d)(\d+h)?(\d+m)?(\d+s)?(\d+ms)?")


def filled_in(text: str) -> str:
    """With the default of a variable, or an example where one must be given."""
    text = re.sub(r"(?<!\$)\$\{(\w+):-([^}]*)\}", r"\2", text)
    return re.sub(r"(?<!\$)\$\{(\w+):\?[^}]*\}", lambda match: EXAMPLES[match[1]], text)


def commands(service: dict[str, Any]) -> list[list[str]]:
    """What a service runs, one list of words each; of a shell's script each line, without variables set before it."""
    command = service["command"]
    if isinstance(command, str):
        return [shlex.split(command)]
    shell, option, script = command
    assert (shell, option) == ("sh", "-euc")
    return [
        list(dropwhile(lambda word: re.match(r"[A-Z_]+=", word), shlex.split(line)))
        for line in filled_in(script).splitlines()
    ]


def variables(text: str) -> list[str]:
    return re.findall(r"(?<!\$)\$\{?(\w+)", text)


def test_every_part_of_the_panel_has_its_service() -> None:
    ours = {"web", "hook", "worker", "beat", "sign-ins", "rehash"}
    assert ours | {"postgres", "redis", "postfix", "dovecot", "rspamd"} <= set(SERVICES)


def troubles(compose: Any) -> list[str]:
    """What the schema of the Compose Specification has against a file."""
    Draft202012Validator.check_schema(SCHEMA)
    found = Draft202012Validator(SCHEMA).iter_errors(compose)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


def test_the_file_is_as_the_specification_wants_it() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert troubles(COMPOSE) == []
    assert troubles(yaml.safe_load(filled_in(text))) == []


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("ports", ["25:25", "25:25"]),
        ("ports", "25:25"),
        ("restrat", "always"),
        ("healthcheck", {"test": ["CMD", "true"], "intervall": "30s"}),
        ("depends_on", {"redis": {"condition": "service_started_well"}}),
        ("stop_grace_period", 60),
    ],
)
def test_a_mistake_in_the_file_would_be_seen(place: str, wrong: Any) -> None:
    broken = copy.deepcopy(COMPOSE)
    broken["services"]["web"][place] = wrong
    assert any(trouble.startswith("services/web") for trouble in troubles(broken))


def test_every_duration_is_one() -> None:
    """The schema calls it a format, which is not looked at."""
    for name, service in SERVICES.items():
        check = service.get("healthcheck", {})
        given = [service.get("stop_grace_period"), *(check.get(k) for k in ("interval", "timeout", "start_period"))]
        assert [value for value in given if value and not DURATION.fullmatch(value)] == [], name


@pytest.mark.parametrize("name", ["web", "hook", "worker"])
def test_who_is_stopped_has_as_long_to_finish_as_under_systemd(name: str) -> None:
    """An engine kills after ten seconds what was told no time of its own: in the midst of a page, or of a task."""
    unit = (ROOT / "deploy" / "systemd" / f"webmail-panel-{name}.service").read_text()
    [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert SERVICES[name]["stop_grace_period"] == f"{seconds}s"


@pytest.mark.parametrize("name", SERVICES)
def test_no_log_grows_for_ever(name: str) -> None:
    assert {"max-size", "max-file"} <= set(SERVICES[name]["logging"]["options"])


def test_ports_are_numbers_and_reached_in_the_image() -> None:
    """What is published is a port that the service's Dockerfile says somebody listens on."""
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            *outside, inside = filled_in(port).split(":")
            assert all(part.isdecimal() for part in (outside[-1], inside)), port
            assert inside in exposed(name), port


def exposed(name: str) -> list[str]:
    return re.findall(r"\d+", "".join(re.findall(r"^EXPOSE (.*)$", dockerfile_of(name), re.MULTILINE)))


def dockerfile_of(name: str) -> str:
    """The text of the Dockerfile from which the image of a service is built."""
    image = SERVICES[name]["image"]
    build = next(service["build"] for service in SERVICES.values() if service["image"] == image and "build" in service)
    build = {"context": build} if isinstance(build, str) else build
    return (ROOT / build["context"] / build.get("dockerfile", "Dockerfile")).read_text()


@pytest.mark.parametrize("name", ["postfix", "dovecot", "rspamd"])
def test_what_a_mail_servers_image_runs_is_put_into_it(name: str) -> None:
    text = dockerfile_of(name)
    copied = dict(re.findall(r"^COPY (\S+) \S*/([\w-]+)$", text, re.MULTILINE))
    (started,) = re.findall(r'^CMD \["([\w-]+)"', text, re.MULTILINE)
    for program in (started, SERVICES[name]["healthcheck"]["test"][1]):
        assert program in copied.values() or re.search(rf"\b{program}(-core)? ", text), program
    for source in copied:
        assert os.access(ROOT / source, os.X_OK), source


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_what_is_run_in_images_of_others_is_what_they_bring(name: str) -> None:
    script = " ".join([*SERVICES[name].get("command", []), *SERVICES[name]["healthcheck"]["test"]])
    for program in FOREIGN[name]:
        assert program in script
    variables_of_it = set(re.findall(r"\$\$(\w+)", script))
    assert variables_of_it <= set(SERVICES[name]["environment"])


@pytest.mark.parametrize("name", SERVICES)
def test_what_writes_to_a_read_only_root_has_a_place_to_write(name: str) -> None:
    service = SERVICES[name]
    if not service.get("read_only"):
        return
    lines = commands(service) if "command" in service else []  # else as its Dockerfile says
    written = re.findall(r"--(?:output|schedule)[= ](\S+)", " ".join(word for line in lines for word in line))
    places = [*service.get("tmpfs", []), *(mount.split(":")[1] for mount in service.get("volumes", []))]
    assert [path for path in written if not f"{path}/".startswith(tuple(f"{place}/" for place in places))] == []


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_may_more_than_it_needs(name: str) -> None:
    """Whether the capabilities of Postfix and Dovecot are enough, tests/mta/test_in_containers.py sees."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only", False) == (name not in {"postfix", "postgres"})
    if service["image"] == OUR_IMAGE or name == "redis":
        assert "cap_add" not in service
    assert "privileged" not in service


def test_each_mail_server_sees_its_own_files_alone() -> None:
    """They hold passwords: of a role of the database, of Redis."""
    mounts = {name: set(re.findall(r"config-\w+", str(service.get("volumes")))) for name, service in SERVICES.items()}
    own = {name: {f"config-{name}"} for name in ("postfix", "dovecot", "rspamd")}
    own |= {"sign-ins": own["dovecot"], "setup": set.union(*own.values())}
    assert {name: found for name, found in mounts.items() if found} == own


def networks(name: str) -> set[str]:
    return set(SERVICES[name]["networks"])


def test_the_database_and_redis_are_in_networks_that_lead_nowhere_else() -> None:
    for name in ("postgres", "redis"):
        assert all(COMPOSE["networks"][network].get("internal") for network in networks(name))
        assert "ports" not in SERVICES[name]
    assert not networks("redis") & (networks("postfix") | networks("dovecot"))


@pytest.mark.parametrize("name", SERVICES)
def test_who_is_told_of_another_can_reach_it(name: str) -> None:
    service = SERVICES[name]
    told = f"{service.get('environment', {})} {service.get('command', '')}"
    if name != "setup":  # it writes down where the others are
        for other in SERVICES:
            if re.search(rf"(//|@){other}:\d", told):
                assert networks(name) & networks(other), other


def test_postfix_meets_the_panel_in_the_network_alone_whose_range_it_knows() -> None:
    """The name of a container stands for its address in any network that both are in."""
    for name in ("web", "hook", "worker", "beat"):
        assert networks(name) & networks("postfix") == {"default"}
    assert "--reply-clients ${SUBNET" in str(SERVICES["setup"]["command"])


def test_redis_asks_for_the_password_which_stands_on_no_command_line(tmp_path: Path) -> None:
    shell, option, script = SERVICES["redis"]["command"]
    port, password = free_port(), "letters0and0digits"
    words = script.replace("$$", "$").replace("requirepass", f"port {port}\nbind 127.0.0.1\nrequirepass")
    path = f"{Path(embedded._redis_binary()).parent}:{os.environ['PATH']}"
    with subprocess.Popen(
        [shell, option, words], cwd=tmp_path, env={"PATH": path, "REDIS_PASSWORD": password}, stdout=subprocess.DEVNULL
    ) as server:
        try:
            assert ping_when_it_answers(port, password)
            assert password not in Path(f"/proc/{server.pid}/cmdline").read_text()
            with Redis(port=port) as stranger, pytest.raises(AuthenticationError):
                stranger.ping()
            with Redis(port=port, password=password) as known:
                assert known.config_get("save") == {"save": ""}
        finally:
            server.terminate()


def ping_when_it_answers(port: int, password: str) -> bool:
    with Redis(port=port, password=password, retry=Retry(ConstantBackoff(0.1), 600)) as asked:
        return bool(asked.ping())


@pytest.mark.parametrize("name", [name for name in SERVICES if SERVICES[name]["image"] == OUR_IMAGE])
def test_our_commands_exist(name: str) -> None:
    service = SERVICES[name]
    for command in commands(service):
        assert_understood(command)
    if name not in ONE_OFF:
        kind, *check = service["healthcheck"]["test"]
        assert kind == "CMD"
        assert_understood(check)


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_OFF))
def test_every_lasting_service_has_a_health_check(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert {"interval", "timeout", "retries"} <= set(check)


def test_what_is_waited_for_exists_and_can_be_waited_for() -> None:
    for service in SERVICES.values():
        for name, wish in service.get("depends_on", {}).items():
            if wish["condition"] == "service_completed_successfully":
                assert name in ONE_OFF
            else:
                assert wish["condition"] == "service_healthy"
                assert "healthcheck" in SERVICES[name]


def test_what_is_mounted_exists() -> None:
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = mount.partition(":")[0]
            assert source.startswith("${") or source in COMPOSE["volumes"], mount


def test_dovecot_hands_old_hashes_over_where_the_service_listens() -> None:
    path = SERVICES["rehash"]["command"].split()[-1]
    [rendered] = [command for command in commands(SERVICES["setup"]) if command[2:4] == ["mailconfig", "dovecot"]]
    assert rendered[rendered.index("--rehash-socket") + 1] == path
    assert "rehash:/rehash" in SERVICES["dovecot"]["volumes"]
    for dockerfile in (ROOT / "Dockerfile", ROOT / "deploy" / "dovecot" / "Dockerfile"):
        assert re.search(r"install -d -o \S+ -g \S+ -m 700 /rehash$", dockerfile.read_text(), re.MULTILINE)


def test_dovecot_knows_by_name_the_panels_user_which_tells_it_whom_to_forget() -> None:
    """`mailconfig` renders the name where there is such a user, in the panel's image; Dovecot needs it to start."""
    for dockerfile in (ROOT / "Dockerfile", ROOT / "deploy" / "dovecot" / "Dockerfile"):
        made = dict(re.findall(r"useradd .*--uid (\d+) .*?([\w-]+)(?: \\)?$", dockerfile.read_text(), re.MULTILINE))
        assert made.get("10001") == PANEL_USER, dockerfile
    assert "--flush-user" not in str(SERVICES["setup"]["command"])


def test_nothing_leaves_before_a_new_redis_has_the_keys_that_sign() -> None:
    """Redis keeps nothing over a new container; the worker would write them within a minute."""
    assert ["python", "manage.py", "dkim", "write"] in commands(SERVICES["setup"])
    assert SERVICES["setup"]["depends_on"]["redis"] == {"condition": "service_healthy"}
    assert "setup" in SERVICES["postfix"]["depends_on"]


def test_every_volume_is_mounted() -> None:
    mounts = {mount.partition(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    assert set(COMPOSE["volumes"]) <= mounts


def test_what_is_built_has_a_dockerfile() -> None:
    for service in SERVICES.values():
        if build := service.get("build"):
            build = {"context": build} if isinstance(build, str) else build
            assert (ROOT / build["context"] / build.get("dockerfile", "Dockerfile")).is_file()


def test_no_secret_stands_in_the_file() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|_URL", name) and "://" not in str(value):
                assert re.fullmatch(r"\$\{\w+:(?:\?[^}]+|-)\}", str(value)), name  # asked for, or empty
            for password in re.findall(r"://[^/@:]*:([^/@]*)@", str(value)):
                assert password.startswith("${"), name


def test_the_example_of_the_environment_names_every_variable() -> None:
    asked = set(variables((ROOT / "docker-compose.yml").read_text().replace("$$", "")))
    example = (ROOT / "deploy" / "compose.env").read_text()
    assert set(re.findall(r"^#?(\w+)=", example, re.MULTILINE)) == asked


def test_settings_that_are_given_are_settings_that_are_read() -> None:
    settings = (ROOT / "webmail_panel" / "settings.py").read_text()
    for name in COMPOSE["x-panel"]["environment"]:
        assert f'"{name}"' in settings, name


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_dockerfile_copies_exists(dockerfile: Path) -> None:
    context = ROOT
    for line in re.findall(r"^COPY (.*)$", dockerfile.read_text(), re.MULTILINE):
        if line.startswith("--from="):
            continue
        *sources, _target = [word for word in line.split() if not word.startswith("--")]
        for source in sources:
            assert (context / source).exists(), line
            assert source == "." or is_sent(source), f"{source} is kept back by .dockerignore"


def is_sent(path: str) -> bool:
    """Whether .dockerignore lets a file through: the last pattern that fits decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().split():
        if line.startswith("#"):
            continue
        pattern = line.removeprefix("!").removeprefix("**/")
        parts = [path, *map(str, Path(path).parents)]
        if any(fnmatch(part, pattern) for part in parts if part != "."):
            sent = line.startswith("!")
    return sent


def test_the_image_gets_what_runs_in_it_and_nothing_private() -> None:
    for path in ("manage.py", "webmail_panel/settings.py", "deploy/gunicorn.conf.py", "requirements/base.txt"):
        assert is_sent(path), path
    for path in (".env", ".git/config", "var/secret_key", "tests/conftest.py", ".venv/bin/python"):
        assert not is_sent(path), path


def test_the_image_gets_every_package_that_is_imported_in_it() -> None:
    """In the image alone one that is kept back is missing: everywhere else the whole tree is there."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}
    assert {app.partition(".")[0] for app in INSTALLED_APPS if (ROOT / app.partition(".")[0]).is_dir()} <= packages
    assert sorted(package for package in packages if not is_sent(f"{package}/__init__.py")) == []


def test_production_needs_only_the_packages_of_production() -> None:
    """Everything that runs for real is imported while the packages for demo and development cannot be."""
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "base.txt").read_text(), re.MULTILINE))
    known = importlib.metadata.packages_distributions()
    ours = {"webmail_panel", "importing", "responders", "mailboxes"}
    forbidden = sorted(
        module
        for module, owners in known.items()
        if module not in ours and not {owner.lower().replace("_", "-") for owner in owners} & locked
    )
    script = f"""
import sys
sys.modules.update(dict.fromkeys({forbidden!r}))
import django, importlib, pkgutil
django.setup()
from django.urls import get_resolver
get_resolver().url_patterns
for package in ("importing", "responders", "mailboxes"):
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if "demo" not in found.name and not found.name.endswith(".sink"):
            importlib.import_module(found.name)
import webmail_panel.celery, webmail_panel.wsgi, webmail_panel.health
# What is named in settings and on command lines alone.
import celery.bin.celery, gunicorn.app.wsgiapp, gunicorn.workers.gthread, kombu.transport.redis
import django.core.cache.backends.redis, django.db.backends.postgresql.base, redis, uvloop
"""
    finished = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, env={**os.environ, "DJANGO_SETTINGS_MODULE": "webmail_panel.settings"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr


def test_the_image_collects_its_static_files_without_any_setting(tmp_path: Path) -> None:
    assert (
        "SECRET_KEY=only-while-building STATIC_ROOT=/opt/webmail-panel/staticfiles" in (ROOT / "Dockerfile").read_text()
    )
    finished = subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput"],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "SECRET_KEY": "only-while-building", "STATIC_ROOT": str(tmp_path),
                       "VAR_DIR": "/nonexistent"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "staticfiles.json").is_file()


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """The mail servers' configuration as the service `setup` renders it, in another folder."""
    tmp_path.chmod(0o755)
    certificate(tmp_path)
    for command in commands(SERVICES["setup"]):
        if command[:3] == ["python", "manage.py", "mailconfig"]:
            moved = [word.replace("/config/", f"{tmp_path}/").replace("/tls/", f"{tmp_path}/") for word in command[1:]]
            subprocess.run(
                [sys.executable, *moved],
                cwd=ROOT, check=True, capture_output=True, timeout=300,
                env={**os.environ, **PASSWORDS, "MAIL_HOSTNAME": "mail.example.org"},
            )  # fmt: skip
    return tmp_path


def certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mail.example.org",
         "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
        check=True, capture_output=True, timeout=300,
    )  # fmt: skip


def test_postfix_understands_what_is_rendered_for_its_container(rendered: Path) -> None:
    asked = subprocess.run(
        ["/usr/sbin/postconf", "-c", rendered / "postfix", "-x", "myhostname", "transport_maps", "virtual_transport"],
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    assert "myhostname = mail.example.org" in asked.stdout
    assert "autoreply:inet:hook:8024" in asked.stdout
    assert "dovecot:inet:dovecot:24" in asked.stdout
    assert "unused parameter" not in asked.stderr
    services = subprocess.run(
        ["/usr/sbin/postconf", "-c", rendered / "postfix", "-M"],
        capture_output=True, text=True, timeout=300, check=True,
    ).stdout  # fmt: skip
    assert {"smtp", "submissions", "submission", "0.0.0.0:10026", "autoreply"} <= {
        line.split()[0] for line in services.splitlines()
    }


def test_without_a_certificate_postfix_does_not_start_and_says_why(rendered: Path) -> None:
    """As where TLS_DIR is a folder of links: it would offer STARTTLS and break off each time."""
    (rendered / "fullchain.pem").unlink()
    (rendered / "fullchain.pem").symlink_to("../../archive/fullchain.pem")
    (programs := rendered / "programs").mkdir()
    for program in ("/usr/sbin/postconf", "/usr/bin/tr"):  # and none that would change this machine
        (programs / Path(program).name).symlink_to(program)
    ended = subprocess.run(
        [ROOT / "deploy" / "postfix" / "start.sh", rendered / "postfix"],
        env={"PATH": str(programs)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith(f"{rendered}/fullchain.pem cannot be read: TLS_DIR")


def test_dovecot_understands_what_is_rendered_for_its_container(rendered: Path) -> None:
    asked = subprocess.run(
        ["/usr/bin/doveconf", "-n", "-c", rendered / "dovecot" / "dovecot.conf"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    assert "port = 24" in asked.stdout
    assert "port = 12345" in asked.stdout


def test_rspamd_understands_what_is_rendered_for_its_container(rendered: Path) -> None:
    """Its own check reads every file where the image has them: below local.d."""
    etc = rendered / "etc"
    for name in ("override.d", "state"):
        (etc / name).mkdir(parents=True)
    (etc / "local.d").symlink_to(rendered / "rspamd")
    folders = {"LOCAL_CONFDIR": etc, "DBDIR": etc / "state", "LOGDIR": etc / "state", "RUNDIR": etc / "state"}
    checked = subprocess.run(
        ["/usr/bin/rspamadm", *(f"--var={name}={folder}" for name, folder in folders.items()),
         "configdump", "-c", "/etc/rspamd/rspamd.conf", "dkim_signing", "worker"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    assert 'bind_socket = "0.0.0.0:11332";' in checked.stdout
    assert "PANEL_SIGNING_DOMAIN(task)" in checked.stdout


@pytest.mark.parametrize(("answer", "code"), [(b"\0\0\0\x0dO" + b"\0" * 12, 0), (b"220 mail.example.org\r\n", 1)])
def test_the_signers_health_check_wants_an_answer_of_a_milter(answer: bytes, code: int) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = str(server.getsockname()[1])
        check = subprocess.Popen([ROOT / "deploy" / "bin" / "milter-answers", "127.0.0.1", port])
        client, _address = server.accept()
        assert client.recv(100)[:5] == b"\0\0\0\x0dO"
        client.sendall(answer)
        assert check.wait(60) == code
        client.close()


@pytest.mark.parametrize(("greeting", "code"), [(b"220 mail.example.org\r\n", 0), (b"421 busy\r\n", 1), (b"", 1)])
def test_the_mail_servers_health_check_wants_a_greeting(greeting: bytes, code: int) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = str(server.getsockname()[1])
        check = subprocess.Popen([ROOT / "deploy" / "bin" / "greets", "127.0.0.1", port, "220 "])
        client, _address = server.accept()
        client.sendall(greeting)
        if not greeting:
            assert check.wait(60) == code
        elif code == 0:  # it takes its leave: a connection that is lost would be a line in the log each time
            assert client.recv(100) == b"QUIT\r\n"
        client.close()
        assert check.wait(60) == code


def test_the_mail_servers_health_check_notices_that_nobody_listens() -> None:
    check = [ROOT / "deploy" / "bin" / "greets", "127.0.0.1", str(free_port()), "220 "]
    assert subprocess.run(check, capture_output=True, timeout=300, check=False).returncode == 1
