"""Every way to be told of a night at once, by the command itself: `make alarms-check`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from servers.told import MAIL, mailed, pinged

NETWORK = """
output = "out"

[sources.north]
folder = "share"
complete = "_SUCCESS"

[tell]
metrics = "crackpipe.prom"
ping = {{ file = "address" }}

[tell.hooks.mail]
command = [{python!r}, "mail.py", "{mail_port}", "roads@localhost"]
secrets = {{ TOKEN = {{ file = "word" }} }}

[tell.hooks.broken]
command = [{python!r}, "-c", "import os, sys; sys.exit('no room for ' + os.environ['TOKEN'])"]
secrets = {{ TOKEN = {{ file = "word" }} }}

[tell.hooks.open]
command = ["true"]
secrets = {{ TOKEN = {{ file = "open-word" }} }}
"""
HANGS = """
[tell.hooks.hangs]
command = ["sleep", "600"]
"""
WORD, UUID = "s3cret-of-the-chat", "uuid-of-the-check"


def nightly(home: Path) -> tuple[int, str]:
    """Exit code of a night, and all that it said, which never holds a secret."""
    command = [sys.executable, "-m", "crackpipe", "nightly", "network.toml"]
    ended = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    said = ended.stdout + ended.stderr + (home / "out/summary.json").read_text()
    assert WORD not in said and UUID not in said
    return ended.returncode, said


def secret(file: Path, word: str, mode: int) -> None:
    file.write_text(f"{word}\n")
    file.chmod(mode)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_everybody_is_told_of_a_bad_night_and_of_the_good_one_after_it(tmp_path: Path) -> None:
    hangs = bool(os.environ.get("CRACKPIPE_HOOK_OF_60_S"))  # it takes that minute
    with pinged() as (port, asked), mailed() as (mail_port, mails):
        secret(tmp_path / "address", f"http://127.0.0.1:{port}/{UUID}", 0o600)
        secret(tmp_path / "word", WORD, 0o600)
        secret(tmp_path / "open-word", WORD, 0o640)
        (tmp_path / "mail.py").write_text(MAIL)
        network = NETWORK.format(python=sys.executable, mail_port=mail_port)
        (tmp_path / "network.toml").write_text(network + (HANGS if hangs else ""))

        code, said = nightly(tmp_path)  # the share is not mounted
        assert code == 66, said
        assert [path for path, _ in asked] == [f"/{UUID}/start", f"/{UUID}/fail"]
        assert "exit code 66" in asked[1][1]
        [mail] = mails
        assert "To: roads@localhost" in mail and "Check that its disk is mounted" in mail
        failed = [
            "hook broken: exit code 1: no room for ***",
            f"hook open: {tmp_path}/open-word has mode 640, so others may read the secret in it",
            *(["hook hangs: did not end within 60 s and was killed"] if hangs else []),
        ]
        assert all(each in said for each in failed)
        checked_metrics(tmp_path, code)

        (tmp_path / "share/s1").mkdir(parents=True)
        (tmp_path / "share/s1/a.tif").write_text("still arrives")
        (tmp_path / "network.toml").write_text(network.partition("[tell.hooks.broken]")[0])
        code, said = nightly(tmp_path)
        assert code == 0, said
        assert [path for path, _ in asked[2:]] == [f"/{UUID}/start", f"/{UUID}"]
        assert len(mails) == 2 and "## Over" in mails[1]
        assert "last night not everybody was told: hook broken" in mails[1]
        checked_metrics(tmp_path, code)

        assert nightly(tmp_path)[0] == 0
        assert len(mails) == 2  # all is well, so nobody hears of it
        assert [path for path, _ in asked[4:]] == [f"/{UUID}/start", f"/{UUID}"]


def checked_metrics(home: Path, code: int) -> None:
    """The text file tells the exit code, and promtool accepts it."""
    text = (home / "crackpipe.prom").read_text()
    assert f"crackpipe_nightly_exit_code {code}\n" in text
    assert json.loads((home / "out/summary.json").read_text())["exit_code"] == code
    if shutil.which("promtool") is not None:
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
