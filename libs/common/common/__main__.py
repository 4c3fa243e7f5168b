"""Operators' verbs: `python -m common --help`."""

from __future__ import annotations

import argparse
import asyncio
import sys

from common.cli import bot, dead, key, schema, secrets
from common.errors import MusterError

_EPILOG = """examples:
  python -m common migrate --dry-run
  python -m common topology
  echo "$TOKEN" | python -m common bot add --webhook-url https://example.com/api/webhooks/telegram
  python -m common key new --name operations --scope '*'
  python -m common dlq list"""


def parser() -> argparse.ArgumentParser:
    """Every verb with its own --help."""
    root = argparse.ArgumentParser(
        prog="python -m common",
        description="Muster's operators' verbs.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = root.add_subparsers(required=True, metavar="VERB")
    for module in (schema, bot, key, dead, secrets):
        module.add_verbs(verbs)
    return root


def main(arguments: list[str] | None = None) -> int:
    """0 done, 1 refused with the reason on stderr, 2 bad usage."""
    options = parser().parse_args(arguments)
    try:
        result: int = asyncio.run(options.run(options))
    except MusterError as error:
        sys.stderr.write(f"muster: {error}\n")
        return 1
    return result


if __name__ == "__main__":
    sys.exit(main())
