"""What `mailconfig` writes, and what it refuses to write. That it works, the other tests here show."""

import re
import stat
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from responders.management.commands.mailconfig import MAIN_FILES
from tests.mta.stack import ROOT

FILES = {
    "postfix": {
        "bounces.cf", "copies.cf", "main.cf", "master.cf", "pgsql-aliases.cf", "pgsql-bounces.cf", "pgsql-copies.cf",
        "pgsql-domains.cf", "pgsql-mailboxes.cf", "pgsql-postmaster.cf", "pgsql-recipients.cf", "pgsql-senders.cf",
        "pgsql-sending.cf", "pgsql-there.cf", "postmaster.cf",
    },
    "dovecot": {
        "dovecot.conf", "sign-in-cache.conf.ext", "sign-in.lua", "spam-to-junk.sieve"
    },
    "rspamd": {
        "dkim_signing.conf", "milter_headers.conf", "options.inc", "rspamd.lua", "settings.conf", "worker-proxy.inc",
    },
}  # fmt: skip
SERVERS = sorted(FILES)
PASSWORDS = ["POSTFIX_DATABASE_PASSWORD", "DOVECOT_DATABASE_PASSWORD"]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    for name in PASSWORDS:
        monkeypatch.setenv(name, "a-password-for-reading")
    return "a-password-for-reading"


def render(server: str, folder: Path, *options: str) -> dict[str, str]:
    """Run the command and return the text of every file it says it has written."""
    said = StringIO()
    call_command("mailconfig", server, "--output", str(folder), *options, stdout=said)
    paths = [Path(line) for line in said.getvalue().splitlines()]
    return {path.name: path.read_text() for path in paths}


@pytest.mark.parametrize("server", SERVERS)
def test_every_file_is_written_and_no_placeholder_is_left(server: str, tmp_path: Path) -> None:
    texts = render(server, tmp_path / "new" / "folder")
    assert texts.keys() == FILES[server]
    for text in texts.values():
        assert not re.search(r"@[A-Z_]+@", text)
        assert text.removeprefix("-- ").removeprefix("# ").startswith(f"Made by `manage.py mailconfig {server}`")


@pytest.mark.parametrize(
    ("server", "options"),
    [
        ("postfix", ["--hook=10.0.0.5:8024", "--networks=10.0.0.0/8 127.0.0.0/8", "--postmaster=a@firma.example"]),
        ("dovecot", ["--mail-dir=/srv/mail", "--database-host=/run/replica", "--database-host=db.firma.example"]),
    ],
)
def test_again_is_with_the_options_and_the_password_of_last_time(
    server: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    before = render(server, tmp_path, "--database-user=reader", *options)
    for name in PASSWORDS:
        monkeypatch.delenv(name)
    assert render(server, tmp_path, "--again") == before
    settings.RECIPIENT_DELIMITER = "-"
    after = render(server, tmp_path, "--again")
    assert after != before
    main = MAIN_FILES[server]
    assert after[main] == before[main].replace("recipient_delimiter = +", "recipient_delimiter = -")


def test_an_option_given_beside_again_counts_and_is_kept(tmp_path: Path) -> None:
    before = render("postfix", tmp_path, "--hostname=mail.firma.example", "--hook=10.0.0.5:8024")["main.cf"]
    after = render("postfix", tmp_path, "--again", "--log=/var/log/webmail-panel/mail.log", "--hook=10.0.0.6:8024")
    assert "maillog_file = /var/log/webmail-panel/mail.log\n" in after["main.cf"]
    assert "10.0.0.6:8024" in after["main.cf"]
    assert "10.0.0.5" not in after["main.cf"]
    assert "myhostname = mail.firma.example\n" in before
    assert "myhostname = mail.firma.example\n" in after["main.cf"]
    assert render("postfix", tmp_path, "--again") == after


def test_imap_is_on_every_address_of_both_protocols_unless_one_is_named(tmp_path: Path) -> None:
    def imap(text: str) -> str:
        return text.partition("inet_listener imap {")[2].partition("}")[0]

    assert "address" not in imap(render("dovecot", tmp_path)["dovecot.conf"]).replace("every address", "")
    named = imap(render("dovecot", tmp_path, "--imap-listen=[::1]:1143")["dovecot.conf"])
    assert named.split() == ["address", "=", "::1", "port", "=", "1143"]


def test_again_knows_switches_as_they_were_written_once(tmp_path: Path) -> None:
    before = render("postfix", tmp_path, "--postscreen")
    assert "--postscreen\n" in before["main.cf"]
    main = tmp_path / "main.cf"
    main.write_text(before["main.cf"].replace("--postscreen\n", "--postscreen=True\n"))
    assert render("postfix", tmp_path, "--again") == before


@pytest.mark.parametrize("server", ["postfix", "dovecot"])
def test_again_with_a_password_takes_another_role_and_all_else_as_last_time(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--database-host=/run/replica", "--database-name=elsewhere"]
    before = render(server, tmp_path, "--database-user=webmail_panel_mta", *options)
    monkeypatch.setattr("sys.stdin", StringIO("of-its-own-role\n"))
    after = render(server, tmp_path, "--again", "--password-stdin")
    changed = {"webmail_panel_mta": f"webmail_panel_{server}", "a-password-for-reading": "of-its-own-role"}
    for old, new in changed.items():
        before = {name: text.replace(old, new) for name, text in before.items()}
    assert after == before


def test_each_server_signs_in_as_a_role_of_its_own(tmp_path: Path) -> None:
    assert "user = webmail_panel_postfix\n" in render("postfix", tmp_path / "postfix")["pgsql-domains.cf"]
    for name, text in render("dovecot", tmp_path / "dovecot").items():
        assert ("user=webmail_panel_dovecot " in text) == (name in {"sign-in.lua", "sign-in-cache.conf.ext"}), name


def test_again_takes_no_password_from_the_examples_that_debian_puts_beside_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = render("dovecot", tmp_path)
    example = "#connect = host=localhost dbname=mails user=testuser password=pass\n"
    for name in ("dovecot-dict-sql.conf.ext", "dovecot-sql.conf.ext"):
        (tmp_path / name).write_text(example)
    path = tmp_path / "sign-in.lua"
    path.write_text(path.read_text().replace("\n", f"\n--{example}", 1))
    monkeypatch.delenv("DOVECOT_DATABASE_PASSWORD")
    assert render("dovecot", tmp_path, "--again") == before


def test_several_hooks_are_one_destination_in_their_order(tmp_path: Path) -> None:
    hooks = ["--hook=10.0.0.5:8024", "--hook=[fd00::6]:8024"]
    main = render("postfix", tmp_path, *hooks)["main.cf"]
    assert "{ autoreply.invalid = autoreply:inet:10.0.0.5:8024, [fd00::6]:8024 }" in main
    assert render("postfix", tmp_path, "--again")["main.cf"] == main
    with pytest.raises(CommandError, match=r"a socket stands alone"):
        render("postfix", tmp_path, *hooks, "--hook=unix:/run/hook.sock")


def test_again_without_a_last_time_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"main.cf cannot be read: No such file or directory$"):
        render("postfix", tmp_path, "--again")
    (tmp_path / "main.cf").write_text("# Options: --hook=evil:1\nmyhostname = mail.firma.example\n")
    with pytest.raises(CommandError, match=r"does not say with what options it was made$"):
        render("postfix", tmp_path, "--again")


@pytest.mark.parametrize("server", SERVERS)
def test_the_options_that_are_kept_hold_no_password(server: str, tmp_path: Path, password: str) -> None:
    render(server, tmp_path)
    assert password not in (tmp_path / MAIN_FILES[server]).read_text()


@pytest.mark.parametrize("server", SERVERS)
def test_the_password_is_in_files_that_not_everybody_reads(server: str, tmp_path: Path, password: str) -> None:
    for name, text in render(server, tmp_path).items():
        mode = stat.S_IMODE((tmp_path / name).stat().st_mode)
        assert mode == (0o640 if password in text or name == "dkim_signing.conf" else 0o644), name


@pytest.mark.parametrize("server", SERVERS)
def test_it_writes_its_own_files_anew_and_no_others(server: str, tmp_path: Path) -> None:
    before = render(server, tmp_path)
    assert render(server, tmp_path) == before
    foreign = tmp_path / max(before)
    foreign.write_text("myhostname = mail.firma.example\n")
    with pytest.raises(CommandError, match=r"was not made by this command; take another folder, or --force$"):
        render(server, tmp_path)
    assert foreign.read_text() == "myhostname = mail.firma.example\n"
    assert render(server, tmp_path, "--force") == before


def test_options_and_settings_come_into_the_files(tmp_path: Path, settings: Any) -> None:
    settings.AUTOREPLY_DOMAIN, settings.MESSAGE_SIZE_LIMIT = "copies.invalid", 12345678
    texts = render(
        "postfix", tmp_path, "--hook=unix:/run/hook.sock", "--hostname=MX.Firma.example",
        "--database-host=/run/replica",
        "--database-host=db.firma.example", "--database-port=6432", "--database-name=panel", "--database-user=reader",
        "--reply-listen=0.0.0.0:10026", "--reply-clients=172.16.0.0/12 [fd00::]/8", "--dovecot-lmtp=[::1]:24",
    )  # fmt: skip
    assert "\nmyhostname = mx.firma.example\n" in texts["main.cf"]
    assert "{ copies.invalid = autoreply:unix:/run/hook.sock }" in texts["main.cf"]
    assert "\nmessage_size_limit = 12345678\n" in texts["main.cf"]
    assert "\nvirtual_transport = dovecot:inet:[::1]:24\n" in texts["main.cf"]
    assert "mynetworks = 172.16.0.0/12 [fd00::]/8 }" in texts["master.cf"]
    assert "postfix_copy('%u@%d', 'copies.invalid')" in texts["pgsql-copies.cf"]
    assert (
        "\ndbname = host=/run/replica,db.firma.example port=6432 dbname=panel connect_timeout=3"
        in texts["pgsql-copies.cf"]
    )
    assert "\nuser = reader\n" in texts["pgsql-copies.cf"]


def test_block_lists_are_postscreens_and_postfix_reads_them(tmp_path: Path) -> None:
    render("postfix", tmp_path, "--postscreen", "--dnsbl=zen.example*3", "--dnsbl=BL.example", "--dnsbl=ok.example*-2")
    asked = ["postconf", "-c", str(tmp_path), "-h", "postscreen_dnsbl_sites", "postscreen_dnsbl_threshold"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["zen.example*3, BL.example, ok.example*-2", "3"]
    assert told.stderr == ""
    master = (tmp_path / "master.cf").read_text()
    assert re.search(r"^smtp inet n .* 1 +postscreen$", master, re.MULTILINE)
    assert re.search(r"^dnsblog +unix .* dnsblog$", master, re.MULTILINE)


@pytest.mark.parametrize("site", ["zen.example*much", "zen.example*9999", "zen example", "zen.example;x", "*3"])
def test_a_block_list_that_is_none_is_refused(tmp_path: Path, site: str) -> None:
    with pytest.raises(CommandError, match="--dnsbl"):
        render("postfix", tmp_path, "--postscreen", f"--dnsbl={site}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("server", "option", "words"),
    [
        ("postfix", "--hook=nowhere", "--hook 'nowhere': it has the form HOST:PORT"),
        ("postfix", "--hook=127.0.0.1:0", "--hook: '0' is not a port, a number from 1 to 65535"),
        ("postfix", "--hook=127.0.0.1:99999", "--hook: '99999' is not a port"),
        ("postfix", "--hook=unix:", "--hook may not be empty"),
        ("postfix", "--hook=unix:/run/a b", "--hook may not be empty nor hold spaces"),
        ("postfix", "--hostname=mail firma", "--hostname 'mail firma': the domain is not a valid domain name"),
        ("postfix", "--hostname=a.example\nmynetworks=0.0.0.0/0", "--hostname"),
        ("postfix", "--networks=0.0.0.0/0, all", "--networks: '0.0.0.0/0,' is not a network like"),
        ("postfix", "--relayhost=$x", "--relayhost may not be empty nor hold"),
        ("postfix", "--postmaster=somebody", "--postmaster 'somebody': an address has the form name@domain"),
        ("postfix", "--submission-listen=587", "--submission-listen needs --tls-cert and --tls-key"),
        ("postfix", "--submissions-listen=465", "--submissions-listen needs --tls-cert and --tls-key"),
        ("postfix", "--tls-cert=/etc/ssl/a.pem", "--tls-cert and --tls-key belong together"),
        ("postfix", "--dnsbl=list.example", "--dnsbl needs --postscreen"),
        ("postfix", "--group=no-such-group", "--group no-such-group: there is no such group"),
        ("dovecot", "--database-port=abc", "--database-port: 'abc' is not a port"),
        ("dovecot", "--database-user=a b", "--database-user may not be empty nor hold spaces"),
        ("dovecot", "--imap-listen=143", "--imap-listen '143': it has the form HOST:PORT"),
        ("dovecot", "--mail-dir=/var/mail'x", "--mail-dir may not be empty nor hold spaces, quotes"),
    ],
)
def test_a_bad_option_is_one_clear_line(server: str, option: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as refused:
        render(server, tmp_path, option)
    assert str(refused.value).startswith(words)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("password", "words"),
    [("", "the role's password is needed"), ("pass word", "may not hold spaces"), ("a\nb = c", "may not hold spaces")],
)
def test_a_password_that_cannot_be_written_is_refused(
    password: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTFIX_DATABASE_PASSWORD", password)
    with pytest.raises(CommandError, match=words):
        render("postfix", tmp_path)


def test_the_listener_for_replies_knows_who_sends_notices(tmp_path: Path, settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "Panel poczty <Panel@Firma.example>"
    assert "inline:{ { <> = OK }, { panel@firma.example = OK } }" in render("postfix", tmp_path)["master.cf"]
    for wrong in ("panel", "", "a b@firma.example", "a@b = OK } { @"):
        settings.DEFAULT_FROM_EMAIL = wrong
        with pytest.raises(CommandError, match="NOTICES_FROM"):
            render("postfix", tmp_path)


def test_passwords_of_mail_programs_come_by_tls_of_today_alone(tmp_path: Path) -> None:
    """Postfix 3.7 would take TLS 1.0 for it (RFC 8997); Dovecot says so by itself."""
    render("postfix", tmp_path, "--submission-listen=submission", "--tls-cert=/c.pem", "--tls-key=/k.pem")
    asked = ["postconf", "-c", str(tmp_path), "-h", "smtpd_tls_mandatory_protocols", "smtpd_tls_mandatory_ciphers"]
    assert subprocess.run(asked, check=True, capture_output=True, text=True).stdout == ">=TLSv1.2\nhigh\n"
    said = subprocess.run(["doveconf", "-d", "ssl_min_protocol"], check=True, capture_output=True, text=True).stdout
    assert said == "ssl_min_protocol = TLSv1.2\n"


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be written: Not a directory"):
        render("postfix", tmp_path / "file" / "folder")


def test_the_documentation_explains_every_file() -> None:
    text = (ROOT / "docs" / "postfix.md").read_text()
    assert [name for names in FILES.values() for name in names if f"`{name}`" not in text] == []
