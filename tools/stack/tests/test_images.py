"""How images are built and measured, with commands that stand in for an engine's."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
from pathlib import Path

import pytest
from stack import images_try
from stack.errors import StackError
from stack.images import IMAGES, MIB, Commands, Image, chosen, filled, judged, own_bytes, placeholders, run

DM = chosen(["dm"])[0]
WORDS = placeholders(DM, tag="dev", options=["--target", "runtime", "--build-arg", "A=b c"])


def test_braces_are_filled_and_options_stay_words() -> None:
    argv = filled("build {options} -t {image} -f {file} {context}", WORDS)
    assert argv[:7] == ["build", "--target", "runtime", "--build-arg", "A=b c", "-t", "muster-dm:dev"]
    assert argv[8].endswith("/services/dm/Dockerfile")


@pytest.mark.parametrize("command", ["build {picture}", "build {0}", "build {image", "build 'open"])
def test_a_command_that_nobody_can_fill(command: str) -> None:
    with pytest.raises(StackError, match="can't be read"):
        filled(command, WORDS)


def test_a_command_that_fails_says_what_it_said() -> None:
    with pytest.raises(StackError, match="no such base"):
        run(f"{sys.executable} -c 'import sys; print(\"no such base\"); sys.exit(3)'", {})
    with pytest.raises(StackError, match="can't be run"):
        run("/nowhere/build", {})
    run("", WORDS)


def test_commands_come_from_the_environment_and_an_empty_one_is_left_out() -> None:
    commands = Commands.of({"IMAGE_BUILD": "lab build", "IMAGE_SAVE": ""})
    assert (commands.build, commands.save, commands.load) == ("lab build", "", "")
    assert Commands.of({}).build.startswith("docker build")


def test_an_unknown_image() -> None:
    with pytest.raises(StackError, match="no image nobody; there are: ingress"):
        chosen(["nobody"])
    assert chosen([]) == list(IMAGES)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_only_our_own_files_are_measured(compress: type[bytes], tmp_path: Path) -> None:
    base = compress(archive({"usr/bin/python3": b"x" * 5000}))
    ours = compress(
        archive({"opt/muster/lib/a.py": b"x" * 700, "opt/muster/bin/python": b"x" * 300, "etc/motd": b"hi"})
    )
    manifest = json.dumps([{"Config": "c.json", "Layers": ["base.tar", "ours.tar"]}]).encode()
    saved = archive({"manifest.json": manifest, "base.tar": base, "ours.tar": ours})
    assert own_bytes(io.BytesIO(saved)) == 1000


@pytest.mark.parametrize("saved", [b"", b"no archive at all", b"\0" * 2048])
def test_what_is_no_archive(saved: bytes) -> None:
    with pytest.raises(StackError, match="no image archive"):
        own_bytes(io.BytesIO(saved))


def test_the_ceiling() -> None:
    image = Image("dm", "services/dm", 10)
    assert judged(image, 10 * MIB) == "10.0 MiB above the base"
    with pytest.raises(StackError, match="may have 10"):
        judged(image, 10 * MIB + 1)


def test_what_the_probe_is_judged_by() -> None:
    good = {"user": 10001, "root": False, "environment": False, "scratch": True, "prefix": "/opt/muster", "code": 1}
    good["said"] = "muster: settings can't be used:\n  DATABASE_URL: field required"
    assert images_try.faults(DM, good) == []
    for wrong in (
        {"user": 0},
        {"root": True},
        {"environment": True},
        {"scratch": False},
        {"prefix": "/usr"},
        {"code": 0},
    ):
        assert len(images_try.faults(DM, {**good, **wrong})) == 1


def archive(files: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return written.getvalue()
