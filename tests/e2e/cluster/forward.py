"""A port of this machine that leads to a component of the cluster, whichever pod that is now."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from kubernetes.stream import portforward

from .kube import Cluster

_CHUNK = 65536


class Forward:
    """Each connection is a port-forward of its own, to the component's oldest ready pod; without one it is closed."""

    def __init__(self, cluster: Cluster, part: str, port: int) -> None:
        self._cluster, self._part, self._port = cluster, part, port
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._closed = False

    @property
    def port(self) -> int:
        """On the loopback."""
        return int(self._listening.getsockname()[1])

    @property
    def url(self) -> str:
        """For what speaks HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name=f"forward {self._part}", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._listening.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                caller, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with caller, suppress(Exception):  # a pod that is gone is a connection that ends
            pod = self._cluster.ready(self._part)[0]
            api = self._cluster.core
            opened = portforward(
                api.connect_get_namespaced_pod_portforward, pod, self._cluster.namespace, ports=str(self._port)
            )
            try:
                carry(caller, opened.socket(self._port))
            finally:
                opened.close()
                api.api_client.close()


def carry(one: socket.socket, other: socket.socket) -> None:
    """Both ways until either side has ended."""
    one.setblocking(True)
    other.setblocking(True)
    while True:
        for ready in select.select([one, other], [], [])[0]:
            data = ready.recv(_CHUNK)
            if not data:
                return
            (other if ready is one else one).sendall(data)
