"""`make images-try`: each image run once in a cluster, under the strictest rules, and asked who and what it is."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

from stack.console import Console
from stack.errors import StackError
from stack.images import Image, chosen

USER: Final = 10001
PATIENCE: Final = 120  # seconds for one pod
# Runs inside the image: whose process it is, whether its root can be written to, and what the entry point says.
PROBE: Final = """
import json, os, subprocess, sys
def writable(folder):
    try:
        open(os.path.join(folder, "probe"), "w").close()
    except OSError:
        return False
    return True
said = subprocess.run([sys.executable, "-m", *sys.argv[1:]], capture_output=True, text=True, timeout=60)
print(json.dumps({
    "user": os.getuid(), "root": writable("/"), "environment": writable(sys.prefix),
    "scratch": writable("/tmp"), "prefix": sys.prefix,
    "code": said.returncode, "said": (said.stdout + said.stderr)[-600:],
}))
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`images-try`, with the names of those that are wanted."""
    parser = commands.add_parser("images-try", help="run each image in the cluster of KUBECONFIG")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--tag", default="dev", help="(%(default)s)")
    parser.add_argument("--namespace", default="images", help="made where missing, restricted (%(default)s)")
    parser.set_defaults(act=try_command)


def try_command(arguments: argparse.Namespace) -> int:
    """One pod an image; the namespace stays for whoever wants to look."""
    if not os.environ.get("KUBECONFIG"):
        raise StackError("KUBECONFIG names no cluster", hint="set it to that of a cluster which has the images")
    console = Console()
    kubectl(["apply", "-f", "-"], json.dumps(namespace(arguments.namespace)))
    for image in chosen(arguments.names):
        with console.step(f"muster-{image.name}:{arguments.tag}") as step:
            answer = tried(image, arguments.tag, arguments.namespace)
            wrong = faults(image, answer)
            if wrong:
                raise StackError(f"muster-{image.name}: {'; '.join(wrong)}")
            step.note(f"uid {answer['user']}, root read-only, {answer['said'].strip().splitlines()[0][:40]}")
    return 0


def tried(image: Image, tag: str, where: str) -> dict[str, Any]:
    """What the probe said in a pod of that image."""
    name = f"try-{image.name}"
    kubectl(["-n", where, "delete", "pod", name, "--ignore-not-found", "--wait"])
    kubectl(["-n", where, "apply", "-f", "-"], json.dumps(pod(image, tag, name)))
    try:
        done = ["wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", f"--timeout={PATIENCE}s"]
        kubectl(["-n", where, *done])
    except StackError as error:
        state = kubectl(["-n", where, "get", "pod", name, "-o", "jsonpath={.status}"])
        raise StackError(f"muster-{image.name} did not end well: {error}\n{state[-800:]}") from None
    found: dict[str, Any] = json.loads(kubectl(["-n", where, "logs", name]).strip().splitlines()[-1])
    return found


def faults(image: Image, answer: Mapping[str, Any]) -> list[str]:
    """What is not as it should be."""
    telegram = image.name == "telegram"
    found = {
        f"runs as user {answer['user']}": answer["user"] != USER,
        "can write to its root": answer["root"],
        "can write to its own code": answer["environment"],
        "has no /tmp to write to": not answer["scratch"],
        f"runs {answer['prefix']} and not its own environment": answer["prefix"] != "/opt/muster",
        # Without settings a service says which are missing, and ends; the simulated Telegram needs none.
        f"says {answer['said']!r} ({answer['code']})": (answer["code"] != 0)
        if telegram
        else (answer["code"] != 1 or "DATABASE_URL" not in answer["said"]),
    }
    return [text for text, wrong in found.items() if wrong]


def namespace(name: str) -> dict[str, object]:
    """Where Pod Security refuses whatever is not restricted."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(image: Image, tag: str, name: str) -> dict[str, object]:
    """The strictest there is: no privileges, no token, a root that can't be written to."""
    entry = ["telegram_sim", "serve", "--help"] if image.name == "telegram" else [image.name]
    container = {
        "name": "probe",
        "image": f"muster-{image.name}:{tag}",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", PROBE, *entry],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 (inside the container)
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        # No user here: it is the image's own that is looked at. (The kubelet takes no group from an image.)
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def kubectl(words: Sequence[str], text: str | None = None) -> str:
    """kubectl's standard output; StackError when it fails or is not there."""
    try:
        done = subprocess.run(["kubectl", *words], input=text, capture_output=True, text=True, check=False)
    except OSError as error:
        raise StackError(f"kubectl can't be run: {error}") from None
    if done.returncode != 0:
        raise StackError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout
