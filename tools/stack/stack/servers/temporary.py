"""A state directory that goes away with whoever made it, also after kill -9."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.keeper import Keeper
from stack.servers.accounts import outside_home
from stack.servers.docker import volumes_of


@contextmanager
def temporary_state(prefix: str = "muster-") -> Iterator[tuple[Path, Keeper]]:
    """The folder and the keeper of what runs in it; at the end the warden deletes what servers have written."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o711)  # the servers' own users have to pass
    with Keeper(folder / "run") as keeper:
        if shutil.which("docker"):
            keeper.warden.afterwards(["docker", "volume", "rm", "--force", *volumes_of(folder)])
        keeper.warden.remove(outside_home(folder))
        keeper.warden.remove(folder)
        yield folder, keeper
