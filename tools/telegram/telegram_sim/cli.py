"""The command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from telegram_sim.app import Options
from telegram_sim.world import Memory


def build_parser() -> argparse.ArgumentParser:
    """Verbs and their options."""
    parser = argparse.ArgumentParser(prog="telegram_sim", description="A simulated Telegram for tests and demos.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    add_serve(verbs.add_parser("serve", help="run the server", description="Run the simulated Telegram."))
    return parser


def add_serve(parser: argparse.ArgumentParser) -> None:
    """The server's options."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=port, default=8081, help="port to listen on, 0 picks a free one (%(default)s)")
    add("--time-scale", type=positive, default=1.0, help="how many times faster Telegram's delays pass (%(default)s)")
    add("--log", type=Path, metavar="FILE", help="append every effect to this file, one JSON object a line")
    add("--seed", type=int, help="seed of everything random")


def port(text: str) -> int:
    """A port number."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("must be from 0 to 65535")
    return number


def positive(text: str) -> float:
    """A number above 0."""
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def serve_options(arguments: argparse.Namespace) -> Options:
    """The server's options as the application takes them."""
    return Options(time_scale=arguments.time_scale, log=arguments.log, seed=arguments.seed, memory=Memory())
