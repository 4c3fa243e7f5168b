"""python -m telegram_sim."""

from __future__ import annotations

import asyncio
import sys

from telegram_sim.cli import build_parser, serve_options
from telegram_sim.drive import DriveError, drive
from telegram_sim.serve import serve


def main(argv: list[str] | None = None) -> int:
    """Runs one verb and returns the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        if arguments.verb == "drive":
            return drive(arguments)
        asyncio.run(serve(arguments.host, arguments.port, serve_options(arguments)))
    except (OSError, DriveError) as error:
        print(f"telegram_sim: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
