"""Every job and the union that each queue carries. `kind` is the wire name: it never changes, the class may."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from common.ids import BotId, UpdateId


class Job(BaseModel):
    """Frozen; unknown fields are dropped, so that an older consumer meets a newer producer."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    kind: str
    # Not on the wire, set by the consumer: the message that brought it, the same name when it is delivered again.
    message_id: str = Field(default="", exclude=True)

    @property
    def order(self) -> tuple[str, int] | None:
        """(key, place): jobs with the same key are handled one after the other; None has no order."""
        return None


class UpdateJob(Job):
    """Carries the raw update as Telegram sent it: no row exists yet when the webhook publishes it."""

    bot_id: BotId
    update_id: UpdateId
    received_ms: int = 0  # when it arrived at the webhook; an older ingress does not say
    update: dict[str, Any]


class ProcessPrivateMessage(UpdateJob):
    """Anything that happened in a private chat: message, edit, button, block, unblock."""

    kind: Literal["process_private_message"] = "process_private_message"
    user_id: int

    @property
    def order(self) -> tuple[str, int]:
        """Updates of one user are handled in Telegram's order."""
        return f"{self.bot_id}:{self.user_id}", self.update_id


class ProcessJoinRequest(UpdateJob):
    """Somebody asks to join a group."""

    kind: Literal["process_join_request"] = "process_join_request"


class ProcessChatMember(UpdateJob):
    """A member's state in a group changed."""

    kind: Literal["process_chat_member"] = "process_chat_member"


class ProcessBotMembership(UpdateJob):
    """The bot itself was added, promoted, restricted or removed."""

    kind: Literal["process_bot_membership"] = "process_bot_membership"


class ProcessMigration(UpdateJob):
    """A group became a supergroup and has a new chat id."""

    kind: Literal["process_migration"] = "process_migration"


class ProcessServiceMessage(UpdateJob):
    """A service message of a group that is no migration: joins, leaves, titles, boosts."""

    kind: Literal["process_service_message"] = "process_service_message"


class RecordActivity(UpdateJob):
    """Somebody was seen in a group: message, reaction, poll answer."""

    kind: Literal["record_activity"] = "record_activity"


class ProcessGroupCommand(UpdateJob):
    """A command written in a group."""

    kind: Literal["process_group_command"] = "process_group_command"


class PlanBroadcast(Job):
    """Make the ledger of a broadcast: one delivery for each of its groups."""

    kind: Literal["plan_broadcast"] = "plan_broadcast"
    broadcast_id: int


class SendFinalMessage(Job):
    """One rendered message for one group; the delivery's row is the truth, this only wakes a sender at its slot."""

    kind: Literal["send_final_message"] = "send_final_message"
    delivery_id: int
    group_id: int
    bot_id: BotId
    slot: int
    slot_at: AwareDatetime  # by the database's clock
    more_slots: list[int] = []  # of an album, which counts each of its items
    items: int = 1
    broadcast_id: int = 0  # unknown to an older brain


class ReviseMessage(Job):
    """One sent message to be deleted or edited; the item's row is the truth, this only wakes a sender at its slot."""

    kind: Literal["revise_message"] = "revise_message"
    item_id: int
    group_id: int
    bot_id: BotId
    slot: int
    slot_at: AwareDatetime  # by the database's clock


DmJob = ProcessPrivateMessage
TgmsJob = Annotated[
    ProcessJoinRequest
    | ProcessChatMember
    | ProcessBotMembership
    | ProcessMigration
    | ProcessServiceMessage
    | RecordActivity
    | ProcessGroupCommand,
    Field(discriminator="kind"),
]
GroupMessageJob = Annotated[PlanBroadcast | SendFinalMessage | ReviseMessage, Field(discriminator="kind")]
