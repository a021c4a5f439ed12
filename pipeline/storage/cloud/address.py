"""Addresses of surveys in object storage, written without the secrets that may stand in them."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from crackpipe.pipeline.errors import UsageError

_REMOTE = re.compile(r"^(s3|gs|az|https?)://", re.IGNORECASE)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Address:
    """Where something lies. As text it has no query string, which may hold a signature."""

    scheme: str
    """`s3`, `gs`, `az`, `https`, or `http` on this machine."""
    host: str
    """Bucket, container, or host with port."""
    key: str
    """Key or prefix in it, without slashes at its ends. Of https: the path, decoded."""
    query: str = field(default="", repr=False)
    quoted: str = field(default="", repr=False)
    """Of https: the path as it was written."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}/{self.key}".rstrip("/")

    @property
    def url(self) -> str:
        """Of https: the whole address, secrets included. For requests alone."""
        return f"{self.scheme}://{self.host}{self.quoted}" + (f"?{self.query}" if self.query else "")

    @property
    def name(self) -> str:
        """The last part, by which a survey is called."""
        return self.key.rpartition("/")[2] or self.host


def is_address(text: str) -> bool:
    """Whether a SURVEY is an address and no path."""
    return _REMOTE.match(text) is not None


def address_of(text: str) -> Address:
    """Read an address. Raises UsageError, which never quotes what may be secret."""
    scheme = text.partition("://")[0].lower()
    if scheme in ("s3", "gs", "az"):
        host, _, key = text.partition("://")[2].partition("/")
        if not host or "@" in host or ":" in host:
            raise UsageError(
                f"an address of {scheme}:// must be {scheme}://BUCKET/PREFIX, without passwords in it: "
                "credentials come from the environment (docs/use/object_storage.md)."
            )
        return Address(scheme, host, key.strip("/"))
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # which quotes what may be a password
        raise UsageError(f"an {scheme}:// address cannot be read: its host or port is damaged.") from None
    if parts.username is not None or not host:
        raise UsageError(
            f"an {scheme}:// address must name a host, without user or password: a file that needs them is "
            "given as a signed address."
        )
    if scheme == "http" and host not in _LOOPBACK:
        raise UsageError(f"http://{host} is not encrypted, so it is not read. Use https://.")
    shown = f"[{host}]" if ":" in host else host
    at = shown if port is None else f"{shown}:{port}"
    return Address(scheme, at, unquote(parts.path).strip("/"), parts.query, parts.path)
