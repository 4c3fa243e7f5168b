"""Getting the distribution's packages where they are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Final

from stack.errors import StackError
from stack.servers import postgres, rabbitmq

# The packages would start instances of their own on the standard ports; ours are private and started by us.
INSTALL: Final = """
set -e
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap 'rm -f $policy' EXIT
  printf '#!/bin/sh\\nexit 101\\n' >$policy
  chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
get() { apt-get install -y -q --no-install-recommends "$@"; }
get "$@" || { apt-get update -q && get "$@"; }
"""


def missing() -> list[str]:
    """Which packages private servers would still need."""
    wanted = {"postgresql": postgres.programs(), "rabbitmq-server": rabbitmq.program()}
    return [package for package, found in wanted.items() if found is None]


def install(packages: Sequence[str]) -> None:
    """Install them with apt-get, as root or by sudo where it asks for no password."""
    command = f"apt-get install {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise StackError(
            f"{' and '.join(packages)} missing, and this is neither Debian nor Ubuntu",
            hint="install PostgreSQL and RabbitMQ, start Docker, or set DATABASE_URL and AMQP_URL",
        )
    before = _privilege()
    if before is None:
        raise StackError(
            f"{' and '.join(packages)} missing, and only root can install them", hint=f"run: sudo {command}"
        )
    done = subprocess.run([*before, "sh", "-c", INSTALL, "sh", *packages], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-12:])
        raise StackError(f"{command} failed:\n{end}", hint=f"run it by hand: sudo {command}")


def _privilege() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], capture_output=True, check=False).returncode == 0:
        return [sudo, "-n"]
    return None
