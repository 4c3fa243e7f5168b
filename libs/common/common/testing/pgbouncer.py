"""PgBouncer in transaction mode before a database: what hosted providers' pooled URLs lead to."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from common.testing.polling import eventually

_ACCOUNT = "nobody"


@asynccontextmanager
async def pgbouncer(url: str, *, server_connections: int = 2) -> AsyncIterator[str]:
    """The pooled URL; fewer server connections than clients, so that a session's state is seen to wander."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed; try: apt-get install pgbouncer")
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="muster-pgbouncer-") as folder:
        command = [program, "-q", *_as_account(folder, _configuration(url, port, server_connections))]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603, ASYNC220 (our own words; a fork is short)
        pooled = urlunsplit(urlsplit(url)._replace(netloc=f"muster@127.0.0.1:{port}"))
        try:
            await eventually(lambda: _answers(pooled), what="PgBouncer answers")
            yield pooled
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 10)


def _as_account(folder: str, configuration: str) -> list[str]:
    """It refuses to run as root; its file holds a password, so it is that account's alone."""
    file = Path(folder, "pgbouncer.ini")
    file.touch(mode=0o600)
    file.write_text(configuration)
    if os.geteuid() != 0:
        return [str(file)]
    for each in (folder, file):
        shutil.chown(each, _ACCOUNT)
    return ["-u", _ACCOUNT, str(file)]


def _configuration(url: str, port: int, server_connections: int) -> str:
    parts = urlsplit(url)
    target = f"host={parts.hostname} port={parts.port or 5432} dbname={parts.path[1:]} user={parts.username}"
    if parts.password:
        target += f" password={parts.password}"
    return "\n".join(
        [
            "[databases]",
            f"{parts.path[1:]} = {target}",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {port}",
            "unix_socket_dir =",
            "auth_type = any",
            "pool_mode = transaction",
            f"default_pool_size = {server_connections}",
            "max_client_conn = 200",
            "",
        ]
    )


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, statement_cache_size=0, timeout=2)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    await connection.close()
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
