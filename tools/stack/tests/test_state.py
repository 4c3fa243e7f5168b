"""What a state directory remembers: its holder, its ports, its secrets."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import socket
import stat
from pathlib import Path

import pytest
from stack.holder import AlreadyRunningError, hold, holder_of
from stack.keys import Secrets
from stack.ports import LOOPBACK, free_ports, is_free, remembered
from stack.servers.accounts import OUTSIDE, passable, server_home


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    with hold(tmp_path):
        who = holder_of(tmp_path)
        assert who is not None
        assert who.pid == os.getpid()
        with pytest.raises(AlreadyRunningError), hold(tmp_path):
            pass
    assert holder_of(tmp_path) is None
    with hold(tmp_path):
        pass


def test_a_dead_holder_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(json.dumps([os.getpid(), 1]))
    assert holder_of(tmp_path) is None
    with hold(tmp_path):
        assert holder_of(tmp_path) is not None


def test_ports_are_kept_while_they_are_free(tmp_path: Path) -> None:
    first = remembered(tmp_path / "ports.json", ["a", "b"])
    assert remembered(tmp_path / "ports.json", ["a", "b"]) == first
    with socket.socket() as stranger:
        stranger.bind((LOOPBACK, first["a"]))
        stranger.listen()
        assert not is_free(first["a"])
        second = remembered(tmp_path / "ports.json", ["a", "b"])
    assert second["b"] == first["b"]
    assert second["a"] != first["a"]


def test_free_ports_differ_and_are_not_of_the_kernels_range() -> None:
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert max(ports) < 32_768


def test_secrets_are_made_once_even_by_many_at_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        made = pool.map(Secrets.of, [tmp_path] * 8)
    assert len({each.webhook_keys for each in made}) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["secrets.json"]
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_secrets_have_the_form_that_the_services_read(tmp_path: Path) -> None:
    secrets = Secrets.of(tmp_path)
    version, _, key = secrets.webhook_keys.partition(":")
    assert (version, len(bytes.fromhex(key))) == ("1", 32)
    name, _, sealed = secrets.encryption_keys.partition(":")
    assert (name, len(base64.b64decode(sealed, validate=True))) == ("k1", 32)


def test_server_files_move_out_where_the_servers_user_could_not_pass(tmp_path: Path) -> None:
    closed = tmp_path / "closed" / "state"
    closed.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    assert not passable(closed)
    home = server_home(closed, "postgres")
    assert home.is_relative_to(OUTSIDE if os.geteuid() == 0 else closed)
