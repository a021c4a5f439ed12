"""Who is told of a night: a small HTTP server and a small mail server."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[int]:
    """Port of a server that runs meanwhile."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def pinged() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Port of an HTTP server, and path and body of what it was asked."""
    found: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            found.append((self.path, body))
            self.send_response(404 if "unknown" in self.path else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:  # type: ignore[override]
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, found


class MailHandler(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as a client needs to hand over one mail."""

    def handle(self) -> None:
        self.wfile.write(b"220 sink\r\n")
        lines: list[str] | None = None
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if lines is not None:
                if line == ".":
                    self.server.mails.append("\n".join(lines))  # type: ignore[attr-defined]
                    lines = None
                    self.wfile.write(b"250 taken\r\n")
                else:
                    lines.append(line)
            elif line.upper() == "DATA":
                lines = []
                self.wfile.write(b"354 go on\r\n")
            elif line.upper() == "QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 sink\r\n")


MAIL = """
import smtplib, sys
from email.message import EmailMessage
mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "crackpipe@localhost", sys.argv[2], "Crack maps"
mail.set_content(sys.stdin.read(), cte="8bit")
with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as server:
    server.send_message(mail)
"""


@contextmanager
def mailed() -> Iterator[tuple[int, list[str]]]:
    """Port of a mail server, and the mails that it took."""
    server = socketserver.TCPServer(("127.0.0.1", 0), MailHandler)
    server.mails = []  # type: ignore[attr-defined]
    with serving(server) as port:
        yield port, server.mails  # type: ignore[attr-defined]
