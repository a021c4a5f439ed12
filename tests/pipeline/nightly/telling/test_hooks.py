"""Every way to tell somebody, run for real: an HTTP server, a mail server, processes."""

import socketserver
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import is_group_gone
from servers.told import MAIL, mailed, pinged

from crackpipe.pipeline.nightly.facts.tell import Hook, Secret
from crackpipe.pipeline.nightly.telling.hooks import ping, run

SUMMARY = "# Crack maps of the night\n\nExit code 74; süd: disk full\n"


@pytest.fixture
def asked() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Port of an HTTP server, and path and body of what it was asked."""
    with pinged() as found:
        yield found


def test_a_healthcheck_is_pinged(
    asked: tuple[int, list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    port, found = asked
    monkeypatch.setenv("PING", f"http://127.0.0.1:{port}/uuid-1")
    secret = Secret(env="PING")
    assert ping(secret, "until 06:00", "start") is None
    assert ping(secret, SUMMARY) is None
    assert ping(secret, SUMMARY, "fail") is None
    assert found == [("/uuid-1/start", "until 06:00"), ("/uuid-1", SUMMARY), ("/uuid-1/fail", SUMMARY)]


def test_a_bad_night_is_one_also_where_the_address_asks_for_more(
    asked: tuple[int, list[tuple[str, str]]],
) -> None:
    port, found = asked
    ping(Secret(text=f"http://127.0.0.1:{port}/uuid-1?create=1"), SUMMARY, "fail")
    assert [path for path, _ in found] == ["/uuid-1/fail?create=1"]


def test_an_address_that_is_none_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    said = ping(Secret(text="http://127.0.0.1:9/uu id"), SUMMARY)
    assert said == "ping: 127.0.0.1 cannot be reached: InvalidURL"
    assert "uu id" not in "".join(capfd.readouterr())


def test_a_ping_that_fails_names_the_host_alone(asked: tuple[int, list[tuple[str, str]]]) -> None:
    port, _ = asked
    said = ping(Secret(text=f"http://127.0.0.1:{port}/unknown-uuid"), SUMMARY)
    assert said == "ping: 127.0.0.1 answered 404"
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as taken:
        free = taken.server_address[1]
    said = ping(Secret(text=f"http://user:word@127.0.0.1:{free}/uuid"), SUMMARY)
    assert said is not None and "127.0.0.1 cannot be reached" in said
    assert "uuid" not in said and "word" not in said
    assert ping(Secret(text="file:///etc/passwd"), "") == (
        "ping: the address does not begin with http:// or https://"
    )


def test_a_mail_arrives(tmp_path: Path) -> None:
    script = tmp_path / "mail.py"
    script.write_text(MAIL)
    with mailed() as (port, mails):
        hook = Hook("mail", (sys.executable, str(script), str(port), "roads@localhost"))
        assert run(hook, SUMMARY, 74) is None
    [mail] = mails
    assert "To: roads@localhost" in mail
    assert "Exit code 74; süd: disk full" in mail


def python(code: str, **options: object) -> Hook:
    return Hook("chat", (sys.executable, "-c", code), **options)  # type: ignore[arg-type]


def test_a_hook_gets_summary_code_and_secret(tmp_path: Path) -> None:
    word = tmp_path / "word"
    word.write_text("s3cret\n")
    word.chmod(0o600)
    out = tmp_path / "out"
    code = (
        "import os, sys, pathlib\n"
        "said = os.environ['CRACKPIPE_EXIT_CODE'] + os.environ['TOKEN'] + sys.stdin.read()\n"
        f"pathlib.Path({str(out)!r}).write_text(said)"
    )
    assert run(python(code, secrets={"TOKEN": Secret(file=word)}), SUMMARY, 74) is None
    assert out.read_text() == f"74s3cret{SUMMARY}"


def test_no_shell_reads_a_command(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = f"import sys, pathlib; pathlib.Path({str(out)!r}).write_text(repr(sys.argv[1:]))"
    hook = Hook("x", (sys.executable, "-c", code, "$(touch /tmp/x)", ";", "*"))
    assert run(hook, "", 0) is None
    assert out.read_text() == "['$(touch /tmp/x)', ';', '*']"


def test_a_hook_that_fails_is_told_without_its_secret(tmp_path: Path) -> None:
    code = "import os, sys; sys.stderr.write('first\\nrefused ' + os.environ['TOKEN']); sys.exit(5)"
    said = run(python(code, secrets={"TOKEN": Secret(text="s3cret")}), SUMMARY, 0)
    assert said == "hook chat: exit code 5: refused ***"
    assert run(Hook("x", ("/no/such/program",)), "", 0) == (
        "hook x: /no/such/program cannot be started: No such file or directory"
    )


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    word = tmp_path / "word"
    word.write_text("s3cret")
    word.chmod(0o640)
    said = run(python("", secrets={"TOKEN": Secret(file=word)}), "", 0)
    assert said == (
        f"hook chat: {word} has mode 640, so others may read the secret in it. `chmod 600 {word}`"
    )
    assert run(python("", secrets={"T": Secret(env="NOT_SET")}), "", 0) == (
        "hook chat: the variable NOT_SET is not set. Set it for the night."
    )


def test_a_hook_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    group = tmp_path / "group"
    code = (
        "import os, subprocess, sys, time, pathlib\n"
        f"pathlib.Path({str(group)!r}).write_text(str(os.getpgid(0)))\n"
        "subprocess.run(['sleep', '600'])"
    )
    began = time.monotonic()
    said = run(python(code), SUMMARY, 0, within_s=2.0)
    assert said == "hook chat: did not end within 2 s and was killed"
    assert time.monotonic() - began < 20
    assert is_group_gone(int(group.read_text()), within_s=5)


def test_a_hook_need_not_read_its_stdin() -> None:
    assert run(python("pass"), "x" * 5_000_000, 0) is None
