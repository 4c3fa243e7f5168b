"""Runs the server until a signal."""

from __future__ import annotations

import asyncio
import signal

from aiohttp import web

from telegram_sim.app import Options, create_app


async def serve(host: str, port: int, options: Options) -> None:
    """Says where it listens, then waits for SIGTERM or SIGINT and stops at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(await create_app(options), access_log=None, shutdown_timeout=0.1, keepalive_timeout=3600)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024)
        await site.start()
        bound = runner.addresses[0]
        print(f"listening on http://{host}:{bound[1]}", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()
