"""The five Dockerfiles are one, and the context that they share holds nothing else."""

from __future__ import annotations

import json
import pwd
import re
import subprocess
import sys
from pathlib import Path

import pytest
from stack.images import IMAGES, Image
from stack.locks import IMAGES as LOCKED
from tree import ROOT

SIMULATOR = "telegram"
COMMON = ("COPY libs/common", "COPY --chown=10001:10001 libs/common")


def text(image: Image) -> str:
    return (ROOT / image.dockerfile).read_text("utf-8")


def skeleton(image: Image) -> list[str]:
    """Its lines with what must differ named instead."""
    lines = [line for line in text(image).splitlines() if not line.startswith(COMMON)]
    whole = (
        "\n".join(lines).replace("./libs/common ", "").replace("/app/libs/common:", "").replace(image.folder, "FOLDER")
    )
    whole = re.sub(rf"\bmuster-{image.name}\b", "muster-NAME", whole)
    whole = whole.replace(f"requirements/{image.name}.txt", "requirements/NAME.txt")
    whole = re.sub(r"^EXPOSE \d+$", "EXPOSE PORT", whole, flags=re.MULTILINE)
    whole = re.sub(r'^CMD \["python".*$', "CMD ENTRY", whole, flags=re.MULTILINE)
    return re.sub(r'"python -m [^"]+"', "ENTRY", whole).splitlines()


@pytest.mark.parametrize("image", IMAGES[1:], ids=lambda image: image.name)
def test_one_skeleton(image: Image) -> None:
    assert skeleton(image) == skeleton(IMAGES[0])


def test_every_service_has_an_image_and_every_image_a_lock() -> None:
    services = {path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml")}
    assert {image.name for image in IMAGES} == {*services, SIMULATOR} == set(LOCKED)


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_what_the_image_starts_is_there(image: Image) -> None:
    [command] = re.findall(r'^CMD (\["python".*\])$', text(image), re.MULTILINE)
    words = json.loads(command)
    module = words[2]
    assert words[:2] == ["python", "-m"]
    assert (ROOT / image.folder / module / "__main__.py").exists()
    [reloaded] = re.findall(r'"(python -m [^"]+)"', text(image))
    assert reloaded.split() == words


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_only_hashed_locks_and_no_index(image: Image) -> None:
    found = text(image)
    assert "://" not in found
    assert f"{pwd.getpwuid(0).pw_dir}/" not in found  # a build cache in the home of whoever builds
    assert not re.search(r"index-url|find-links|trusted-host", found)
    installs = re.findall(r"pip (?:install|wheel) [^&\n]*", found.replace("\\\n", " "))
    assert len(installs) == 6
    assert all("--require-hashes" in each or "--no-index" in each or "--offline" in each for each in installs)
    for name in set(re.findall(r"requirements/(\w+)\.txt", found)):
        lock = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
        assert "--hash=sha256:" in lock
        assert "://" not in lock


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_nobody_runs_as_root(image: Image) -> None:
    stages = re.split(r"^FROM ", text(image), flags=re.MULTILINE)[2:]
    assert [stage.count("USER 10001:10001") for stage in stages] == [1, 1]
    assert stages[-1].startswith("${PYTHON_IMAGE} AS runtime")


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_hadolint_finds_nothing(image: Image) -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, ROOT / image.dockerfile], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_context_is_an_allow_list() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {
        source
        for image in IMAGES
        for source in re.findall(
            r"^COPY (?:--chown=\S+ )?((?:requirements|libs|services|tools)\S*)", text(image), re.MULTILINE
        )
    }
    assert all(any(source == each or source.startswith(f"{each}/") for each in allowed) for source in copied)
    assert all(any(source.startswith(each) for source in copied) for each in allowed)
