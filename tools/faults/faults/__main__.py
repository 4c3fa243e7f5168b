"""`python -m faults NAME…`: breaks a running Muster in every way we know, and counts what became of every update."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import secrets
import sys
from collections.abc import Sequence
from typing import Any

from faults.battery import Plan, run
from faults.fault import Fault
from faults.registry import FAULTS
from faults.report import Outcome, json_line, table


def main(words: Sequence[str] | None = None) -> int:
    """0 when every promise held."""
    options = parser().parse_args(words)
    if options.list:
        print("\n".join(f"{fault.name:<16} {fault.ids:<10} {_counts(fault):<26} {fault.title}" for fault in FAULTS))
        return 0
    plan = Plan(chosen(options.names), options.full, options.seed, options.trials, options.keep)
    outcomes, versions = asyncio.run(run(plan, lambda text: print(text, flush=True)))
    print(closing(outcomes, context(plan, versions), markdown=options.markdown))
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def parser() -> argparse.ArgumentParser:
    """Its --help."""
    made = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    made.add_argument("names", nargs="*", metavar="NAME", help="faults to try; all without a name")
    made.add_argument("--list", action="store_true", help="name every fault and its counts")
    made.add_argument("--full", action="store_true", help="the counts of the full battery (hours)")
    made.add_argument("--trials", type=int, help="this many trials of each fault instead")
    made.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="of everything random")
    made.add_argument("--keep", action="store_true", help="keep the logs also of what passed")
    made.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    return made


def chosen(names: Sequence[str]) -> list[Fault]:
    """Those faults in the battery's order."""
    known = {fault.name for fault in FAULTS}
    unknown = set(names) - known
    if unknown:
        raise SystemExit(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return [fault for fault in FAULTS if not names or fault.name in names]


def context(plan: Plan, versions: dict[str, Any]) -> dict[str, Any]:
    """What a run has to say of itself, so that another can repeat it."""
    return {
        "seed": plan.seed,
        "full": plan.full,
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}",
        "python": platform.python_version(),
        **versions,
    }


def closing(outcomes: Sequence[Outcome], facts: dict[str, Any], *, markdown: bool) -> str:
    """The table, the facts, and the JSON line last."""
    said = ", ".join(f"{name} {value}" for name, value in facts.items())
    return f"\n{table(outcomes, markdown=markdown)}\n\n{said}\n{json_line(outcomes, facts)}"


def _counts(fault: Fault) -> str:
    return f"{fault.quick} ({fault.full} in full) {fault.unit}"


if __name__ == "__main__":
    sys.exit(main())
