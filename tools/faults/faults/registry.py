"""Every fault by its name, with how often it is tried."""

from __future__ import annotations

from faults.fault import Fault
from faults.scenarios import crashes, duplicates, handover, leases, mix, outages, poison, sending

FAULTS: tuple[Fault, ...] = (
    Fault("kill-ingress", "F1", "kill -9 of the ingress at random", "kills", 10, 100, crashes.ingress),
    Fault("kill-dm", "F7", "kill -9 of the dm worker at random", "kills", 4, 300, crashes.dm),
    Fault("kill-broker", "F13", "kill -9 of RabbitMQ at random", "kills", 2, 100, crashes.broker),
    Fault("kill-postgres", "F16", "kill -9 of PostgreSQL at random", "kills", 4, 100, crashes.postgres),
    Fault("broker-down", "F4", "RabbitMQ down for 10 s", "outages", 1, 20, outages.broker, rate=30),
    Fault("postgres-down", "F3", "PostgreSQL down for 10 s", "outages", 1, 20, outages.postgres, rate=30),
    Fault("both-down", "F3", "PostgreSQL and RabbitMQ down for 10 s", "outages", 1, 20, outages.both, rate=30),
    Fault(
        "frozen-broker", "F15", "RabbitMQ frozen for 5 s and for 20 s", "freezes", 2, 30, outages.frozen_broker, rate=30
    ),
    Fault(
        "duplicates",
        "F6",
        "every update 20 times, at three ingresses",
        "posts",
        5_000,
        100_000,
        duplicates.flood,
        rate=10,
        part=10_000,
    ),
    Fault(
        "poison",
        "F20",
        "bodies from a fuzzer",
        "bodies",
        10_000,
        100_000,
        poison.bodies_at_the_door,
        rate=20,
        part=10_000,
    ),
    Fault("poison-chats", "F21", "200 chats with poison at once", "rounds", 1, 10, poison.chats),
    Fault(
        "poison-messages", "F19", "garbage in the queues themselves", "messages", 201, 9_999, poison.messages, part=999
    ),
    Fault("sigterm-dm", "F8", "rollouts of the dm worker by SIGTERM", "rollouts", 2, 200, handover.rolling_dm, rate=30),
    Fault("tgms-lease", "F24-F26", "the leader killed, or asleep for 10 s", "takeovers", 2, 200, leases.leader),
    Fault(
        "kill-sender", "F7", "kill -9 of a sender at random", "kills", 8, 300, sending.killed_sender, rate=5, people=20
    ),
    Fault("recall", "F7", "kill -9 of a sender in mid-recall", "recalls", 3, 100, sending.recalled, rate=5, people=20),
    Fault("sigterm-sender", "F8", "SIGTERM of a sender", "stops", 4, 200, sending.dismissed_sender, rate=5, people=20),
    Fault(
        "kill-tgms",
        "F26",
        "kill -9 of the leader in mid-broadcast",
        "kills",
        2,
        100,
        sending.killed_brain,
        rate=5,
        people=20,
    ),
    Fault(
        "broker-restart",
        "F13-F14",
        "RabbitMQ killed or stopped in mid-broadcast",
        "restarts",
        2,
        100,
        sending.restarted_broker,
        rate=5,
        people=20,
    ),
    Fault(
        "postgres-restart",
        "F16",
        "PostgreSQL killed or stopped in mid-broadcast",
        "restarts",
        2,
        100,
        sending.restarted_postgres,
        rate=5,
        people=20,
    ),
    Fault(
        "flood-storm",
        "F11",
        "429s for one bot, for several chats at once and for two",
        "storms",
        1,
        20,
        sending.storm,
        rate=5,
        people=20,
    ),
    Fault(
        "send-outcomes",
        "F10",
        "every end that a send can have",
        "sends",
        720,
        50_000,
        sending.outcomes,
        rate=5,
        people=20,
        part=5_000,
    ),
    Fault("mix", "F28", "all of it at random", "disturbances", 4, 5_000, mix.nemesis),
)
