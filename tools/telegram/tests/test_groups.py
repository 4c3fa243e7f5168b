"""Groups: who is told what (U1, U2), kicks, joins, links, topics, migration (M1 to M10)."""

from __future__ import annotations

from typing import Any

import pytest

RESTRICT = "Bad Request: not enough rights to restrict/unrestrict chat member"


def kinds(updates: list[dict[str, Any]]) -> list[str]:
    """The kind of each update."""
    return [next(name for name in update if name != "update_id") for update in updates]


async def act(scene: Any, chat_id: int, verb: str, **more: Any) -> dict[str, Any]:
    """One verb of the admin API on a chat."""
    answer: dict[str, Any] = await scene.sim.admin("POST", f"chats/{chat_id}/{verb}", **more)
    return answer


async def test_adding_a_bot_tells_it_so(scene: Any) -> None:
    bots = [{"id": scene.bot_id, "status": "administrator", "can_invite_users": True}]
    chat = await scene.sim.admin("POST", "chats", type="supergroup", title="G", owner_id=scene.user_id, bots=bots)
    change, service = await scene.updates()
    became = change["my_chat_member"]["new_chat_member"]
    assert (became["status"], became["can_invite_users"], became["can_restrict_members"]) == (
        "administrator",
        True,
        False,
    )
    assert change["my_chat_member"]["chat"]["id"] == chat["id"]
    assert service["message"]["new_chat_members"][0]["id"] == scene.bot_id


async def test_an_admin_bot_sees_joins_and_leaves_and_a_plain_member_only_service_messages(scene: Any) -> None:
    admin, plain, user = await scene.group(), await scene.group(status="member"), await scene.user()
    await act(scene, admin, "join", user_id=user)
    joined, service = await scene.updates()
    assert joined["chat_member"]["new_chat_member"]["status"] == "member"
    assert service["message"]["new_chat_members"][0]["id"] == user
    await act(scene, admin, "leave", user_id=user)
    assert kinds(await scene.updates()) == ["chat_member", "message"]
    await act(scene, plain, "join", user_id=user)
    assert kinds(await scene.updates()) == ["message"]


async def test_chat_member_is_not_sent_unless_it_was_asked_for(scene: Any) -> None:
    group, user = await scene.group(), await scene.user()
    await scene.ok("getUpdates", allowed_updates=[])
    await act(scene, group, "join", user_id=user)
    assert kinds(await scene.updates()) == ["message"]


async def test_privacy_mode(scene: Any) -> None:
    group = await scene.group(status="member")
    sent = await scene.ok("sendMessage", chat_id=group, text="from the bot")
    seen = []
    for text, more in (
        ("hello", {}),
        ("/help", {}),
        ("/help@other_bot", {}),
        ("/help@Muster_bot", {}),
        ("hey @muster_bot !", {}),
        ("an answer", {"reply_to_message_id": sent["message_id"]}),
    ):
        answer = await scene.sim.admin("POST", "messages", chat_id=group, user_id=scene.user_id, text=text, **more)
        seen.append(str(scene.bot_id) in answer["update_ids"])
    assert seen == [False, True, False, True, True, True]
    await scene.sim.admin("POST", "bots", token=scene.token, can_read_all_group_messages=True)
    answer = await scene.sim.admin("POST", "messages", chat_id=group, user_id=scene.user_id, text="hello")
    assert answer["update_ids"]
    assert (await scene.ok("getMe"))["can_read_all_group_messages"] is True


async def test_edits_reach_the_bot_and_own_messages_do_not(scene: Any) -> None:
    group = await scene.group()
    message = {"chat_id": group, "user_id": scene.user_id}
    first = await scene.sim.admin("POST", "messages", **message, text="a")
    await scene.sim.admin("POST", "messages", **message, text="b", edit_message_id=first["message"]["message_id"])
    await scene.ok("sendMessage", chat_id=group, text="own")
    updates = await scene.updates()
    assert kinds(updates) == ["message", "edited_message"]
    assert updates[1]["edited_message"]["text"] == "b"


@pytest.mark.parametrize(
    ("kind", "words"), [("group", "group chat"), ("supergroup", "supergroup chat"), ("channel", "channel chat")]
)
async def test_a_bot_that_is_out_is_told_why(scene: Any, kind: str, words: str) -> None:
    group = await scene.group(kind, rights={"can_post_messages": True, "can_invite_users": True})
    await scene.ok("sendMessage", chat_id=group, text="x")
    await act(scene, group, "kick", bot_id=scene.bot_id)
    kicked = (403, f"Forbidden: bot was kicked from the {words}")
    assert await scene.refused("sendMessage", chat_id=group, text="x") == kicked
    assert await scene.refused("getChat", chat_id=group) == kicked
    assert kinds(await scene.updates())[0] == "my_chat_member"
    await act(scene, group, "member", bot_id=scene.bot_id, status="left")
    left = (403, f"Forbidden: bot is not a member of the {words}")
    assert await scene.refused("sendMessage", chat_id=group, text="x") == left
    await act(scene, group, "delete")
    assert await scene.refused("sendMessage", chat_id=group, text="x") == (403, "Forbidden: the group chat was deleted")


async def test_leaving(scene: Any) -> None:
    group = await scene.group()
    assert await scene.ok("leaveChat", chat_id=group) is True
    (update,) = await scene.updates()
    assert update["my_chat_member"]["new_chat_member"]["status"] == "left"
    assert (await scene.refused("leaveChat", chat_id=group))[0] == 403


async def test_muted_chats_and_muted_bots(scene: Any) -> None:
    group = await scene.group(status="member")
    await act(scene, group, "permissions", can_send_messages=False, can_send_photos=False)
    text = (400, "Bad Request: not enough rights to send text messages to the chat")
    assert await scene.refused("sendMessage", chat_id=group, text="x") == text
    photos = (400, "Bad Request: not enough rights to send photos to the chat")
    assert await scene.refused("sendPhoto", chat_id=group, photo="https://example.com/p") == photos
    await scene.ok("sendDocument", chat_id=group, document="https://example.com/d")
    await act(scene, group, "promote", bot_id=scene.bot_id)
    await scene.ok("sendMessage", chat_id=group, text="administrators may")
    await act(scene, group, "permissions", can_send_messages=True)
    await act(scene, group, "member", bot_id=scene.bot_id, status="restricted", can_send_photos=True)
    assert await scene.refused("sendMessage", chat_id=group, text="x") == text
    channel = await scene.group("channel", status="member")
    need = (400, "Bad Request: need administrator rights in the channel chat")
    assert await scene.refused("sendMessage", chat_id=channel, text="x") == need


async def test_kicks_bans_and_restrictions(scene: Any) -> None:
    group, user = await scene.group(), await scene.user()
    target = {"chat_id": group, "user_id": user}
    await act(scene, group, "join", user_id=user)
    assert await scene.ok("unbanChatMember", **target, only_if_banned=True) is True
    assert (await scene.ok("getChatMember", **target))["status"] == "member"
    assert await scene.ok("unbanChatMember", **target) is True
    assert (await scene.ok("getChatMember", **target))["status"] == "left", "M4: removes a present member"
    assert await scene.ok("banChatMember", **target) is True
    assert (await scene.ok("getChatMember", **target))["status"] == "kicked"
    assert await scene.ok("unbanChatMember", **target, only_if_banned=True) is True
    assert (await scene.ok("getChatMember", **target))["status"] == "left"
    now = int(scene.sim.stage.world.clock.now())
    for until, kept in ((now + 10, 0), (now + 3600, now + 3600), (now + 367 * 86_400, 0)):
        await scene.ok("banChatMember", **target, until_date=until)
        assert (await scene.ok("getChatMember", **target))["until_date"] == kept, "M6"
    await act(scene, group, "member", user_id=user, status="member")
    assert await scene.ok("restrictChatMember", **target, permissions={"can_send_messages": True}) is True
    restricted = await scene.ok("getChatMember", **target)
    assert (restricted["status"], restricted["can_send_messages"], restricted["can_send_photos"]) == (
        "restricted",
        True,
        False,
    )
    everything = {name: True for name in restricted if name.startswith("can_")}
    await scene.ok("restrictChatMember", **target, permissions=everything)
    assert (await scene.ok("getChatMember", **target))["status"] == "member"


async def test_who_cannot_be_kicked_and_by_whom(scene: Any) -> None:
    group, other = await scene.group(), await scene.user()
    await act(scene, group, "promote", user_id=other)
    cases = {
        scene.user_id: "can't remove chat owner",
        other: "user is an administrator of the chat",
        scene.bot_id: "can't restrict self",
        424242: "user not found",
        0: "invalid user_id specified",
    }
    for user, words in cases.items():
        assert await scene.refused("banChatMember", chat_id=group, user_id=user) == (400, f"Bad Request: {words}")
    await act(scene, group, "demote", bot_id=scene.bot_id)
    assert await scene.refused("banChatMember", chat_id=group, user_id=other) == (400, RESTRICT)
    await act(scene, group, "promote", bot_id=scene.bot_id, can_invite_users=True)
    assert await scene.refused("banChatMember", chat_id=group, user_id=other) == (400, RESTRICT)
    assert (await scene.refused("banChatMember", chat_id=other, user_id=other))[0] == 400


async def test_a_basic_group_only_removes(scene: Any) -> None:
    group, user = await scene.group("group"), await scene.user()
    target = {"chat_id": group, "user_id": user}
    assert await scene.refused("banChatMember", **target) == (400, "Bad Request: member not found")
    await act(scene, group, "join", user_id=user)
    await scene.ok("banChatMember", **target)
    assert (await scene.ok("getChatMember", **target))["status"] == "left"
    for method in ("unbanChatMember", "restrictChatMember"):
        code, description = await scene.refused(method, **target, permissions={})
        assert (code, "method is available" in description) == (400, True), "M5"


async def test_a_join_request_from_link_to_membership(scene: Any) -> None:
    group, user = await scene.group(), await scene.user()
    link = await scene.ok("createChatInviteLink", chat_id=group, creates_join_request=True, name="door")
    await act(scene, group, "join", user_id=user, invite_link=link["invite_link"])
    (update,) = await scene.updates()
    request = update["chat_join_request"]
    assert (request["user_chat_id"], request["invite_link"]["name"]) == (user, "door")
    assert request["invite_link"]["pending_join_request_count"] == 1
    await scene.ok("sendMessage", chat_id=request["user_chat_id"], text="M2: before any /start")
    assert await scene.ok("approveChatJoinRequest", chat_id=group, user_id=user) is True
    change = (await scene.updates())[0]["chat_member"]
    assert (change["invite_link"]["invite_link"], "via_join_request" in change) == (link["invite_link"], False)
    closed = (403, "Forbidden: bot can't initiate conversation with a user")
    assert await scene.refused("sendMessage", chat_id=user, text="too late") == closed
    already = (400, "Bad Request: USER_ALREADY_PARTICIPANT")
    assert await scene.refused("approveChatJoinRequest", chat_id=group, user_id=user) == already


async def test_a_direct_join_request_declined_withdrawn_or_without_rights(scene: Any) -> None:
    group, user = await scene.group(), await scene.user()
    target = {"chat_id": group, "user_id": user}
    missing = (400, "Bad Request: HIDE_REQUESTER_MISSING")
    await act(scene, group, "join_request", user_id=user, bio="I like gardens")
    assert (await scene.updates())[0]["chat_join_request"]["bio"] == "I like gardens"
    assert await scene.ok("declineChatJoinRequest", **target) is True
    assert await scene.refused("declineChatJoinRequest", **target) == missing
    await act(scene, group, "join_request", user_id=user)
    await act(scene, group, "cancel_request", user_id=user)
    assert await scene.refused("approveChatJoinRequest", **target) == missing
    await act(scene, group, "join_request", user_id=user)
    await scene.ok("approveChatJoinRequest", **target)
    assert (await scene.updates())[-2]["chat_member"]["via_join_request"] is True
    await act(scene, group, "promote", bot_id=scene.bot_id, can_restrict_members=True)
    await scene.updates()
    other = await scene.user()
    await act(scene, group, "join_request", user_id=other)
    assert await scene.updates() == [], "U1: only for those who may invite"
    rights = (400, "Bad Request: CHAT_ADMIN_REQUIRED")
    assert await scene.refused("approveChatJoinRequest", chat_id=group, user_id=other) == rights


async def test_invite_links(scene: Any) -> None:
    group, user = await scene.group(), await scene.user()
    link = await scene.ok("createChatInviteLink", chat_id=group, member_limit=1)
    assert (link["member_limit"], link["creates_join_request"], link["is_primary"]) == (1, False, False)
    await act(scene, group, "join", user_id=user, invite_link=link["invite_link"])
    assert (await scene.updates())[0]["chat_member"]["invite_link"]["invite_link"] == link["invite_link"]
    full = {"user_id": await scene.user(), "invite_link": link["invite_link"]}
    await scene.sim.admin("POST", f"chats/{group}/join", expect=404, **full)
    for broken in ({"name": "x" * 33}, {"member_limit": 100_000}, {"member_limit": 1, "creates_join_request": True}):
        assert (await scene.refused("createChatInviteLink", chat_id=group, **broken))[0] == 400
    edited = await scene.ok("editChatInviteLink", chat_id=group, invite_link=link["invite_link"], name="n")
    assert (edited["name"], "member_limit" in edited) == ("n", False)
    assert (await scene.ok("revokeChatInviteLink", chat_id=group, invite_link=link["invite_link"]))["is_revoked"]
    first = await scene.ok("exportChatInviteLink", chat_id=group)
    assert (await scene.ok("getChat", chat_id=group))["invite_link"] == first
    assert await scene.ok("exportChatInviteLink", chat_id=group) != first
    links = (await scene.sim.admin("GET", f"chats/{group}"))["invite_links"]
    assert next(found for found in links if found["invite_link"] == first)["is_revoked"], "M8"
    unknown = (400, "Bad Request: INVITE_HASH_EXPIRED")
    assert await scene.refused("revokeChatInviteLink", chat_id=group, invite_link="https://t.me/+x") == unknown


async def test_migration(scene: Any) -> None:
    group = await scene.group("group")
    new = (await act(scene, group, "migrate"))["id"]
    old_message, new_message = (update["message"] for update in await scene.updates())
    assert (old_message["chat"]["id"], old_message["migrate_to_chat_id"]) == (group, new)
    assert (new_message["chat"]["id"], new_message["migrate_from_chat_id"]) == (new, group)
    answer = await scene.sim.api(scene.token, "sendMessage", chat_id=group, text="x")
    assert answer == {
        "ok": False,
        "error_code": 400,
        "description": "Bad Request: group chat was upgraded to a supergroup chat",
        "parameters": {"migrate_to_chat_id": new},
    }
    assert (await scene.ok("sendMessage", chat_id=new, text="x"))["chat"]["type"] == "supergroup"
    assert (await scene.ok("getChatMember", chat_id=new, user_id=scene.bot_id))["status"] == "administrator"
    await scene.sim.admin("POST", f"chats/{group}/migrate", expect=409)


async def test_topics(scene: Any) -> None:
    group = await scene.group(is_forum=True)
    topic = (await scene.ok("createForumTopic", chat_id=group, name="News"))["message_thread_id"]
    place = {"chat_id": group, "message_thread_id": topic}
    sent = await scene.ok("sendMessage", **place, text="x")
    assert (sent["message_thread_id"], sent["is_topic_message"]) == (topic, True)
    assert "message_thread_id" not in await scene.ok("sendMessage", chat_id=group, text="general")
    unknown = (400, "Bad Request: message thread not found")
    assert await scene.refused("sendMessage", chat_id=group, message_thread_id=1, text="general") == unknown
    assert await scene.refused("sendMessage", chat_id=group, message_thread_id=999, text="x") == unknown
    await scene.ok("closeForumTopic", **place)
    await act(scene, group, "promote", bot_id=scene.bot_id, can_invite_users=True)
    assert await scene.refused("sendMessage", **place, text="x") == (400, "Bad Request: TOPIC_CLOSED")
    assert (await scene.refused("createForumTopic", chat_id=group, name="x"))[0] == 400
    await act(scene, group, "topics", message_thread_id=topic, closed=False)
    await scene.ok("sendMessage", **place, text="x")
    await act(scene, group, "topics", message_thread_id=topic, delete=True)
    assert await scene.refused("sendMessage", **place, text="x") == unknown


async def test_what_a_bot_learns_about_a_chat(scene: Any) -> None:
    second = await scene.sim.admin("POST", "bots", first_name="Second")
    group = await scene.group(username="garden", members=[await scene.user()])
    await act(scene, group, "promote", bot_id=second["id"])
    assert await scene.ok("getChatMemberCount", chat_id=group) == 4
    assert (await scene.ok("getChat", chat_id="@Garden"))["id"] == group
    admins = await scene.ok("getChatAdministrators", chat_id=group)
    assert {admin["user"]["id"] for admin in admins} == {scene.user_id, scene.bot_id}, "M1: other bots are left out"
    assert len(await scene.ok("getChatAdministrators", chat_id=group, return_bots=True)) == 3
    assert await scene.ok("getChatMemberCount", chat_id=scene.user_id) == 2
    assert (await scene.refused("getChatAdministrators", chat_id=scene.user_id))[0] == 400


async def test_rights_decide_over_pins_deletions_and_promotions(scene: Any) -> None:
    group, user = await scene.group(rights={"can_invite_users": True}), await scene.user()
    await act(scene, group, "join", user_id=user)
    theirs = (await scene.sim.admin("POST", "messages", chat_id=group, user_id=user, text="x"))["message"]["message_id"]
    which = {"chat_id": group, "message_id": theirs}
    assert await scene.refused("deleteMessage", **which) == (400, "Bad Request: message can't be deleted")
    pins = (400, "Bad Request: not enough rights to manage pinned messages in the chat")
    assert await scene.refused("pinChatMessage", **which) == pins
    assert (await scene.refused("promoteChatMember", chat_id=group, user_id=user, can_pin_messages=True))[0] == 400
    rights = {"can_delete_messages": True, "can_pin_messages": True, "can_promote_members": True}
    await act(scene, group, "promote", bot_id=scene.bot_id, **rights)
    await scene.ok("promoteChatMember", chat_id=group, user_id=user, can_pin_messages=True)
    assert (await scene.ok("getChatMember", chat_id=group, user_id=user))["can_pin_messages"] is True
    await scene.ok("pinChatMessage", **which)
    await scene.ok("deleteMessage", **which)


async def test_people_outside_do_not_write(scene: Any) -> None:
    group, user = await scene.group(), await scene.user()
    await scene.sim.admin("POST", "messages", expect=409, chat_id=group, user_id=user, text="x")
    await scene.sim.admin("POST", f"chats/{group}/join", expect=409, user_id=scene.user_id)
