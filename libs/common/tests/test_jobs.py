"""Jobs on the wire: names that never change, and readers that are older or newer than the writer."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from common import jobs
from common.queues import ALL_QUEUES, DM_QUEUE, GROUP_MESSAGE_QUEUE, TGMS_QUEUE
from common.testing.builders import make_private_job
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

# The wire names; a job that is renamed keeps its own.
KINDS = {
    "dm_queue": {"process_private_message"},
    "tgms_queue": {
        "process_join_request",
        "process_chat_member",
        "process_bot_membership",
        "process_migration",
        "process_service_message",
        "record_activity",
        "process_group_command",
    },
    "group_message_queue": {"plan_broadcast", "send_final_message", "revise_message"},
}
json_objects = st.dictionaries(
    st.text(max_size=10),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)


def test_the_names_on_the_wire_are_these() -> None:
    unions = {DM_QUEUE: jobs.DmJob, TGMS_QUEUE: jobs.TgmsJob, GROUP_MESSAGE_QUEUE: jobs.GroupMessageJob}
    assert {queue.name for queue in ALL_QUEUES} == KINDS.keys()
    for queue, union in unions.items():
        members = get_args(get_args(union)[0]) if get_args(union) else (union,)
        assert {member.model_fields["kind"].default for member in members} == KINDS[queue.name]


@given(json_objects, st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**62))
def test_an_update_comes_back_as_telegram_sent_it(update: dict[str, Any], user: int, number: int) -> None:
    job = jobs.ProcessPrivateMessage(bot_id=1, update_id=number, user_id=user, update=update)
    assert DM_QUEUE.adapter.validate_json(DM_QUEUE.adapter.dump_json(job)) == job


@pytest.mark.parametrize("kind", sorted(KINDS["tgms_queue"]))
def test_each_kind_finds_its_class(kind: str) -> None:
    body = b'{"kind":"%s","bot_id":1,"update_id":2,"update":{},"a_field_of_next_year":7}' % kind.encode()
    job = TGMS_QUEUE.adapter.validate_json(body)
    assert (job.kind, job.bot_id, job.order) == (kind, 1, None)


def test_one_users_updates_are_ordered_by_their_numbers() -> None:
    first, second, other = make_private_job(1), make_private_job(2), make_private_job(3, user_id=7)
    assert first.order[0] == second.order[0] != other.order[0]
    assert first.order[1] < second.order[1]


def test_a_job_of_another_queue_is_refused_without_quoting_it() -> None:
    body = DM_QUEUE.adapter.dump_json(make_private_job(text="canary"))
    with pytest.raises(ValidationError) as refused:
        TGMS_QUEUE.adapter.validate_json(body)
    assert "canary" not in str(refused.value)


def test_jobs_are_frozen() -> None:
    with pytest.raises(ValidationError):
        make_private_job().user_id = 7  # type: ignore[misc]  # what is tested


def test_a_send_of_an_older_brain_is_one_message_in_one_slot() -> None:
    body = (
        b'{"kind":"send_final_message","delivery_id":1,"group_id":2,"bot_id":3,"slot":4,'
        b'"slot_at":"2026-01-01T00:00:00Z"}'
    )
    job = GROUP_MESSAGE_QUEUE.adapter.validate_json(body)
    assert isinstance(job, jobs.SendFinalMessage)
    assert (job.more_slots, job.items, job.broadcast_id) == ([], 1, 0)
