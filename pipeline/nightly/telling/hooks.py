"""Commands and an address that are told of a night.

No shell reads a command, and each has a minute. What fails changes nothing of the night's result; the next
night tells it. Secrets stand in no message, and of an address only the host does.
"""

import http.client
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from crackpipe.pipeline.console.printable import shown
from crackpipe.pipeline.errors import ConfigurationError
from crackpipe.pipeline.nightly.facts.tell import Hook, Secret
from crackpipe.pipeline.nightly.telling.secrets import hidden, word_of

WITHIN_S = 60.0
_ANSWER_S = 20.0


def run(hook: Hook, text: str, exit_code: int, within_s: float = WITHIN_S) -> str | None:
    """Start a hook with `text` on its stdin; None, or a sentence about what failed."""
    try:
        words = {name: word_of(secret) for name, secret in hook.secrets.items()}
    except ConfigurationError as error:
        return f"hook {hook.name}: {error}"
    environment = {**os.environ, **words, "CRACKPIPE_EXIT_CODE": str(exit_code)}
    try:
        process = subprocess.Popen(
            hook.command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that all it started can be ended with it
        )
    except OSError as error:
        return f"hook {hook.name}: {hook.command[0]} cannot be started: {error.strerror}"
    try:
        _, said = process.communicate(text.encode("utf-8", "backslashreplace"), timeout=within_s)
    except subprocess.TimeoutExpired:
        _kill(process)
        return f"hook {hook.name}: did not end within {within_s:.0f} s and was killed"
    if process.returncode == 0:
        return None
    last = said.decode("utf-8", "backslashreplace").strip().rpartition("\n")[2]
    return hidden(f"hook {hook.name}: exit code {process.returncode}: {shown(last)}", [*words.values()])


def _kill(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):  # of a grandchild that left the group and holds the pipe
        process.communicate(timeout=5)


def ping(secret: Secret, text: str, behind: str = "") -> str | None:
    """Send a text to an address; None, or what failed.

    `behind` stands behind its path, as healthchecks.io has it: `start` where a night begins, `fail` after a
    bad one, nothing after a good one.
    """
    try:
        url = word_of(secret)
    except ConfigurationError as error:
        return f"ping: {error}"
    host = urlsplit(url).hostname
    if urlsplit(url).scheme not in ("http", "https") or not host:
        return "ping: the address does not begin with http:// or https://"
    failed: list[str] = [f"ping: {host} did not answer within {WITHIN_S:.0f} s"]
    address = _with(url, behind)
    # an answer may come a byte at a time, which no timeout of a socket ends
    asking = threading.Thread(target=_ask, args=(address, text, failed), daemon=True)
    asking.start()
    asking.join(WITHIN_S)
    return hidden(failed[-1], [address, url]) if failed else None


def _with(url: str, behind: str) -> str:
    """An address with a word behind its path, before what is asked behind `?`."""
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{behind}").geturl() if behind else url


def _ask(address: str, text: str, failed: list[str]) -> None:
    """Ask for an address; empties `failed` where it answered."""
    host = urlsplit(address).hostname
    request = urllib.request.Request(address, data=text.encode("utf-8", "backslashreplace")[:10_000])
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:
            answer.read(1000)
        failed.clear()
    except urllib.error.HTTPError as error:
        failed.append(f"ping: {host} answered {error.code}")
    except (OSError, ValueError, http.client.HTTPException) as error:
        # an error of http.client may repeat the address, which is a secret
        cause = getattr(error, "reason", error) if isinstance(error, OSError) else type(error).__name__
        failed.append(f"ping: {host} cannot be reached: {cause}")


def said_of(failed: Sequence[str]) -> str:
    """The sentence that the next night tells."""
    return f"last night not everybody was told: {'; '.join(failed)}"
