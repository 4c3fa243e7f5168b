"""`make images`: the five images built, measured and brought into a cluster, by commands that the caller names."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final

from stack.console import Console
from stack.errors import StackError
from stack.state import checkout

MIB: Final = 1 << 20
ENVIRONMENT: Final = "opt/muster"  # in the image: all that we add to the base
DEFAULTS: Final = {
    "IMAGE_BUILD": "docker build {options} -t {image} -f {file} {context}",
    "IMAGE_SAVE": "docker save {image}",
    "IMAGE_LOAD": "",  # such as: kind load docker-image {image}
}


@dataclass(frozen=True)
class Image:
    """One of the five."""

    name: str  # without `muster-`
    folder: str
    ceiling: int  # MiB that we may add to the base

    @property
    def dockerfile(self) -> str:
        """From the root, which is the context of all of them."""
        return f"{self.folder}/Dockerfile"


# A twelfth above what they measured when the ceilings were set: a dependency that nobody wanted shows.
IMAGES: Final = (
    Image("ingress", "services/ingress", 97),
    Image("tgms", "services/tgms", 88),
    Image("sender", "services/sender", 90),
    Image("dm", "services/dm", 93),
    Image("telegram", "tools/telegram", 16),
)


@dataclass(frozen=True)
class Commands:
    """How this machine builds, saves and loads images; words in braces are filled in."""

    build: str
    save: str
    load: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Commands:
        """From IMAGE_BUILD, IMAGE_SAVE and IMAGE_LOAD, else Docker's; an empty one is left out."""
        found = {name: environment.get(name, default) for name, default in DEFAULTS.items()}
        return cls(found["IMAGE_BUILD"], found["IMAGE_SAVE"], found["IMAGE_LOAD"])


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`images`, with the names of those that are wanted."""
    parser = commands.add_parser("images", help="build, measure and load the images")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(image.name for image in IMAGES))
    parser.add_argument("--tag", default="dev", help="(%(default)s)")
    parser.add_argument("--target", default="runtime", choices=("runtime", "dev"), help="(%(default)s)")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.set_defaults(act=images_command)


def images_command(arguments: argparse.Namespace) -> int:
    """Every image in turn: they share the base's layers and the package cache."""
    console, commands = Console(), Commands.of(os.environ)
    for image in chosen(arguments.names):
        options = build_options(target=arguments.target, build_args=arguments.build_arg)
        with console.step(f"muster-{image.name}:{arguments.tag}") as step:
            words = placeholders(image, tag=arguments.tag, options=options)
            run(commands.build, words)
            if commands.save and arguments.target == "runtime":
                step.note(judged(image, own_bytes_of(commands.save, words)))
            run(commands.load, words)
    return 0


def chosen(names: Sequence[str]) -> list[Image]:
    """Those, or all; StackError for a name that none has."""
    known = {image.name: image for image in IMAGES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise StackError(f"no image {', '.join(unknown)}; there are: {', '.join(known)}")
    return [known[name] for name in names or known]


def build_options(*, target: str, build_args: Sequence[str]) -> list[str]:
    """What docker and buildah understand alike."""
    revision = _output(["git", "rev-parse", "HEAD"]).strip()
    labels = [f"REVISION={revision}"] if revision else []
    return ["--target", target, *(word for each in (*labels, *build_args) for word in ("--build-arg", each))]


def placeholders(image: Image, *, tag: str, options: Sequence[str]) -> dict[str, str]:
    """What may stand in braces in a command."""
    name = f"muster-{image.name}"
    context = str(checkout())
    return {
        "image": f"{name}:{tag}",
        "name": name,
        "tag": tag,
        "file": f"{context}/{image.dockerfile}",
        "context": context,
        "options": shlex.join(options),
    }


def filled(command: str, words: Mapping[str, str]) -> list[str]:
    """The command's words; StackError for a brace that nobody fills."""
    quoted = {name: value if name == "options" else shlex.quote(value) for name, value in words.items()}
    try:
        return shlex.split(command.format(**quoted))
    except (KeyError, IndexError, ValueError) as error:
        hint = f"these are filled in: {', '.join(f'{{{name}}}' for name in words)}"
        raise StackError(f"the command {command!r} can't be read: {error}", hint=hint) from None


def run(command: str, words: Mapping[str, str]) -> None:
    """Run a command, its output only when it fails; an empty one is nothing to do."""
    if not command:
        return
    argv = filled(command, words)
    try:
        done = subprocess.run(
            argv, cwd=checkout(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except OSError as error:
        raise StackError(f"{argv[0]} can't be run: {error}", hint="IMAGE_BUILD, IMAGE_SAVE, IMAGE_LOAD") from None
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-30:])
        raise StackError(f"{shlex.join(argv)}\nended with {done.returncode}:\n{tail}")


def own_bytes_of(command: str, words: Mapping[str, str]) -> int:
    """What the image adds to its base, from the archive that the command writes to its standard output."""
    argv = filled(command, words)
    with tempfile.TemporaryFile() as archive:
        done = subprocess.run(argv, stdout=archive, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise StackError(f"{shlex.join(argv)} ended with {done.returncode}: {done.stderr.strip()}")
        archive.seek(0)
        return own_bytes(archive)


def own_bytes(archive: IO[bytes]) -> int:
    """Bytes of the files in the layers that hold our environment, whatever base they stand on."""
    try:
        with tarfile.open(fileobj=archive) as image:
            [manifest] = json.loads(_member(image, "manifest.json").read())
            return sum(_environment_bytes(_member(image, name)) for name in manifest["Layers"])
    except (tarfile.TarError, ValueError, KeyError) as error:
        raise StackError(f"that is no image archive: {error}") from None


def judged(image: Image, own: int) -> str:
    """The size in words; StackError where it is above the ceiling."""
    text = f"{own / MIB:.1f} MiB above the base"
    if own > image.ceiling * MIB:
        raise StackError(f"muster-{image.name} has {text}, and may have {image.ceiling}")
    return text


def _environment_bytes(layer: IO[bytes]) -> int:
    with tarfile.open(fileobj=layer, mode="r|*") as files:
        return sum(file.size for file in files if file.name.startswith(ENVIRONMENT))


def _member(image: tarfile.TarFile, name: str) -> IO[bytes]:
    found = image.extractfile(name)
    if found is None:
        raise KeyError(name)
    return found


def _output(argv: Sequence[str]) -> str:
    try:
        return subprocess.run(argv, cwd=checkout(), capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
