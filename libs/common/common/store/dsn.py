"""Database URLs as hosted providers write them, made fit for asyncpg. Pure."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from common.errors import ConfigurationError

# Neon's `channel_binding` and Prisma's `pgbouncer` become server parameters in asyncpg, and the server refuses them
# (vercel.md §5).
_UNDERSTOOD = frozenset({"user", "password", "sslmode", "sslrootcert", "sslcert", "sslkey"})


def clean(url: str) -> str:
    """The same address with only the query parameters that asyncpg understands itself; ConfigurationError."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"postgres", "postgresql"} and parts.port != 0  # a port that is no number raises
    except ValueError:  # its text may quote the password
        usable = False
    if not usable:
        raise ConfigurationError("DATABASE_URL must be postgresql://user:password@host:port/name")
    query = [(key, value) for key, value in parse_qsl(parts.query) if key in _UNDERSTOOD]
    return urlunsplit(parts._replace(query=urlencode(query)))
