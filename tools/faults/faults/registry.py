"""Every fault by its name, with how often it is tried."""

from __future__ import annotations

from faults.fault import Fault
from faults.scenarios import crashes, duplicates, handover, leases, mix, outages, poison

FAULTS: tuple[Fault, ...] = (
    Fault("kill-ingress", "F1", "kill -9 of the ingress at random", "kills", 10, 100, crashes.ingress),
    Fault("kill-dm", "F7", "kill -9 of the dm worker at random", "kills", 5, 300, crashes.dm),
    Fault("kill-broker", "F13", "kill -9 of RabbitMQ at random", "kills", 3, 100, crashes.broker),
    Fault("kill-postgres", "F16", "kill -9 of PostgreSQL at random", "kills", 5, 100, crashes.postgres),
    Fault("broker-down", "F4", "RabbitMQ down for 10 s", "outages", 1, 20, outages.broker),
    Fault("postgres-down", "F3", "PostgreSQL down for 10 s", "outages", 1, 20, outages.postgres),
    Fault("both-down", "F3", "PostgreSQL and RabbitMQ down for 10 s", "outages", 1, 20, outages.both),
    Fault("frozen-broker", "F15", "RabbitMQ frozen for 5 s and for 20 s", "freezes", 2, 30, outages.frozen_broker),
    Fault(
        "duplicates",
        "F6",
        "every update 20 times, at three ingresses",
        "posts",
        5_000,
        100_000,
        duplicates.flood,
        rate=10,
    ),
    Fault("poison", "F20", "bodies from a fuzzer", "bodies", 10_000, 100_000, poison.bodies_at_the_door, rate=20),
    Fault("poison-chats", "F21", "200 chats with poison at once", "rounds", 1, 10, poison.chats),
    Fault("poison-messages", "F19", "garbage in the queues themselves", "messages", 201, 9_999, poison.messages),
    Fault("sigterm-dm", "F8", "rollouts of the dm worker by SIGTERM", "rollouts", 2, 200, handover.rolling_dm),
    Fault("tgms-lease", "F24-F26", "the leader killed, or asleep for 10 s", "takeovers", 2, 200, leases.leader),
    Fault("mix", "F28", "all of it at random", "disturbances", 6, 5_000, mix.nemesis),
)
