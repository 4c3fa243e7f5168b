"""Which user a private server runs as, and where that user may keep its files."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
from pathlib import Path
from typing import Final

OUTSIDE: Final = Path("/var/lib/muster-stack")


def account(package_user: str) -> str | None:
    """The package's own user when root starts the server; otherwise whoever starts it."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(package_user).pw_name
    except KeyError:
        return None


def server_home(state: Path, name: str) -> Path:
    """The folder of a server's files: in the state directory, or outside when its user could not get there.

    Root's home is usually closed to everybody else, and a checkout in it too; PostgreSQL refuses to run as root.
    """
    if os.geteuid() != 0 or passable(state):
        return state / name
    return outside_home(state) / name


def outside_home(state: Path) -> Path:
    """The folder outside that belongs to that state directory alone."""
    return OUTSIDE / hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12]


def passable(folder: Path) -> bool:
    """Whether any user may walk down to that folder."""
    existing = [each for each in (folder.absolute(), *folder.absolute().parents) if each.exists()]
    return all(each.stat().st_mode & stat.S_IXOTH for each in existing)


def own_folder(folder: Path, user: str | None) -> Path:
    """Make a folder that belongs to that user and is closed to others."""
    folder.mkdir(parents=True, exist_ok=True)
    if user is not None:
        shutil.chown(folder, user, user)
    folder.chmod(0o700)
    return folder


def own_file(file: Path, text: str, user: str | None, mode: int = 0o600) -> Path:
    """Write a file that belongs to that user."""
    file.unlink(missing_ok=True)
    with open(file, "w", opener=lambda path, flags: os.open(path, flags, mode)) as opened:
        opened.write(text)
    if user is not None:
        shutil.chown(file, user, user)
    return file
