"""A proxy before a store on this machine that fails as networks and stores do, at chosen requests."""

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

FAULTS = ("503", "throttled", "cut", "truncated", "500", "closed")
_WORDS = {
    status: f"<Error><Code>{code}</Code></Error>".encode()
    for status, code in {
        503: "SlowDown",
        500: "InternalError",
        429: "Throttling",
        403: "AccessDenied",
    }.items()
}
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Asked:
    """One request that came."""

    path: str
    span: str
    """The Range header."""
    fault: str | None
    given_bytes: int = 0


@dataclass
class FailingProxy:
    """Hands requests on to `target` (host, port). `fault_of(n)` says how the n-th GET of an object fails."""

    target: tuple[str, int]
    fault_of: Callable[[int], str | None] = lambda _: None
    asked: list[Asked] = field(default_factory=list)
    on_object: Callable[[str], None] = lambda _: None
    """Called with the path of each object that is asked for, before it is."""

    def __enter__(self) -> "FailingProxy":
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def given_bytes(self, ending: str = "") -> int:
        """Bytes of objects that went through, of those whose path ends so."""
        return sum(each.given_bytes for each in self.asked if each.path.endswith(ending))

    def note(self, asked: Asked) -> Asked:
        """Remember a request, and decide how it fails."""
        with self._lock:
            asked.fault = self.fault_of(len(self.asked))
            self.asked.append(asked)
        return asked


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: FailingProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy


class _Handler(BaseHTTPRequestHandler):
    """One connection to the proxy that its server holds."""

    server: "_Server"
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def hand_on(self) -> None:
        proxy = self.server.proxy
        path = unquote(urlsplit(self.path).path)
        is_object = self.command == "GET" and "list-type" not in self.path and path.count("/") > 1
        if is_object:
            proxy.on_object(path)
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, body = self.ask_target(sent)
        if not is_object:
            self.answer(status, headers, body)
            return
        asked = proxy.note(Asked(path, self.headers.get("Range", ""), None))
        self.fail(asked, status, headers, body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = hand_on  # noqa: N815

    def ask_target(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(*self.server.proxy.target, timeout=30)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        length = [] if self.command != "HEAD" else [("Content-Length", answer.headers["Content-Length"])]
        kept = [each for each in answer.getheaders() if each[0].lower() not in _HOP_BY_HOP]
        return answer.status, [*kept, *length], content

    def fail(self, asked: Asked, status: int, headers: Any, body: bytes) -> None:
        half = len(body) // 2
        match asked.fault:
            case None:
                asked.given_bytes = len(body)
                self.answer(status, headers, body)
            case "503" | "500" | "throttled" | "refused":
                code = {"503": 503, "500": 500, "throttled": 429, "refused": 403}[asked.fault]
                self.answer(
                    code,
                    [("Content-Type", "application/xml")],
                    _WORDS[code],
                )
            case "cut":  # the connection breaks in the middle of the body
                asked.given_bytes = half
                self.answer(status, headers, body[:half], told=len(body))
                self.close_connection = True
            case "truncated":  # fewer bytes, and it says so
                asked.given_bytes = half
                self.answer(status, headers, body[:half])
            case "closed":
                self.close_connection = True
            case other:
                raise AssertionError(other)

    def answer(self, status: int, headers: Any, body: bytes, told: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body) if told is None else told))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


def one_in(number: int) -> Callable[[int], str | None]:
    """Every so many-th request fails, each time in the next of all ways."""
    return lambda n: FAULTS[(n // number) % len(FAULTS)] if n % number == number - 1 else None
