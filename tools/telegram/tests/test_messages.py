"""Methods that make, change and remove messages, with the refusals of table E."""

from __future__ import annotations

from typing import Any

import pytest

MARKUP = {"inline_keyboard": [[{"text": "Go", "callback_data": "go"}]]}


async def test_a_message_comes_back_as_telegram_returns_it(scene: Any) -> None:
    sent = await scene.ok(
        "sendMessage", chat_id=scene.user_id, text="<b>hi</b>", parse_mode="HTML", reply_markup=MARKUP
    )
    assert sent["from"] == {"id": scene.bot_id, "is_bot": True, "first_name": "Muster", "username": "muster_bot"}
    assert sent["chat"] == {"id": scene.user_id, "type": "private", "first_name": "Ada"}
    assert (sent["text"], sent["entities"]) == ("hi", [{"type": "bold", "offset": 0, "length": 2}])
    assert sent["reply_markup"] == MARKUP
    following = await scene.ok("sendMessage", chat_id=scene.user_id, text="x")
    assert following["message_id"] == sent["message_id"] + 1


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"text": ""}, "message text is empty"),
        ({"text": " \n "}, "message text is empty"),
        ({"text": "<b></b>", "parse_mode": "HTML"}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": "👍" * 2049}, "message is too long"),
        (
            {"text": "<b>x", "parse_mode": "HTML"},
            "can't parse entities: Can't find end tag corresponding to start tag \"b\"",
        ),
        ({"text": "x", "parse_mode": "BB"}, "unsupported parse_mode"),
        (
            {"text": "x", "reply_markup": {"inline_keyboard": [[{"text": "x"}]]}},
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        ({"text": "x", "reply_parameters": {"message_id": 999}}, "message to be replied not found"),
        ({"text": "x", "reply_to_message_id": 999}, "message to be replied not found"),
    ],
)
async def test_content_that_is_refused(scene: Any, params: dict[str, Any], description: str) -> None:
    assert await scene.refused("sendMessage", chat_id=scene.user_id, **params) == (400, f"Bad Request: {description}")


async def test_text_is_measured_in_utf16_after_the_marks_are_gone(scene: Any) -> None:
    for params in ({"text": "👍" * 2048}, {"text": f"<b>{'x' * 4096}</b>", "parse_mode": "HTML"}):
        await scene.ok("sendMessage", chat_id=scene.user_id, **params)


async def test_a_reply_may_do_without_its_message(scene: Any) -> None:
    first = await scene.ok("sendMessage", chat_id=scene.user_id, text="first")
    reply = {"message_id": first["message_id"]}
    sent = await scene.ok("sendMessage", chat_id=scene.user_id, text="x", reply_parameters=reply)
    assert sent["reply_to_message"]["text"] == "first"
    nested = await scene.ok("sendMessage", chat_id=scene.user_id, text="y", reply_to_message_id=sent["message_id"])
    assert "reply_to_message" not in nested["reply_to_message"]
    lenient = {"message_id": 999, "allow_sending_without_reply": True}
    assert "reply_to_message" not in await scene.ok(
        "sendMessage", chat_id=scene.user_id, text="x", reply_parameters=lenient
    )


async def test_who_a_bot_may_write_to(scene: Any) -> None:
    stranger = await scene.user()
    initiate = (403, "Forbidden: bot can't initiate conversation with a user")
    assert await scene.refused("sendMessage", chat_id=stranger, text="x") == initiate
    assert await scene.refused("sendMessage", chat_id=42, text="x") == (400, "Bad Request: chat not found")
    block = await scene.sim.admin("POST", "block", bot_id=scene.bot_id, user_id=scene.user_id)
    blocked = (403, "Forbidden: bot was blocked by the user")
    assert await scene.refused("sendMessage", chat_id=scene.user_id, text="x") == blocked
    (update,) = await scene.updates()
    assert update["update_id"] == block["update_id"]
    change = update["my_chat_member"]
    assert (change["old_chat_member"]["status"], change["new_chat_member"]["status"]) == ("member", "kicked")
    assert await scene.sim.admin("POST", "block", bot_id=scene.bot_id, user_id=scene.user_id) == {"update_id": None}
    await scene.sim.admin("POST", "unblock", bot_id=scene.bot_id, user_id=scene.user_id)
    await scene.ok("sendMessage", chat_id=scene.user_id, text="x")
    await scene.sim.admin("POST", "users", id=scene.user_id, deactivated=True)
    gone = (403, "Forbidden: user is deactivated")
    assert await scene.refused("sendMessage", chat_id=scene.user_id, text="x") == gone


async def test_editing(scene: Any) -> None:
    user = scene.user_id
    sent = await scene.ok("sendMessage", chat_id=user, text="a", reply_markup=MARKUP)
    which = {"chat_id": user, "message_id": sent["message_id"]}
    edited = await scene.ok("editMessageText", **which, text="b")
    assert (edited["text"], "edit_date" in edited, "reply_markup" in edited) == ("b", True, False)
    code, description = await scene.refused("editMessageText", **which, text="b")
    assert code == 400
    assert description.startswith("Bad Request: message is not modified: specified new message content")
    assert (await scene.ok("editMessageReplyMarkup", **which, reply_markup=MARKUP))["reply_markup"] == MARKUP
    assert "reply_markup" not in await scene.ok("editMessageReplyMarkup", **which)
    caption = "Bad Request: there is no caption in the message to edit"
    assert await scene.refused("editMessageCaption", **which, caption="c") == (400, caption)
    photo = await scene.ok("sendPhoto", chat_id=user, photo="https://example.com/p.png", caption="c")
    which_photo = {"chat_id": user, "message_id": photo["message_id"]}
    assert (await scene.ok("editMessageCaption", **which_photo, caption="d"))["caption"] == "d"
    text = "Bad Request: there is no text in the message to edit"
    assert await scene.refused("editMessageText", **which_photo, text="x") == (400, text)
    missing = "Bad Request: message to edit not found"
    assert await scene.refused("editMessageText", chat_id=user, message_id=999, text="x") == (400, missing)
    theirs = (await scene.say("mine"))["message"]["message_id"]
    foreign = "Bad Request: message can't be edited"
    assert await scene.refused("editMessageText", chat_id=user, message_id=theirs, text="x") == (400, foreign)
    unnamed = "Bad Request: message identifier is not specified"
    assert await scene.refused("editMessageText", chat_id=user, text="x") == (400, unnamed)


async def test_deleting(scene: Any) -> None:
    user = scene.user_id
    numbers = [(await scene.ok("sendMessage", chat_id=user, text="x"))["message_id"] for _ in range(3)]
    assert await scene.ok("deleteMessage", chat_id=user, message_id=numbers[0]) is True
    missing = (400, "Bad Request: message to delete not found")
    assert await scene.refused("deleteMessage", chat_id=user, message_id=numbers[0]) == missing
    assert await scene.ok("deleteMessages", chat_id=user, message_ids=[*numbers, 999]) is True
    chat = await scene.sim.admin("GET", f"chat?bot_id={scene.bot_id}&user_id={user}")
    assert [message["text"] for message in chat["messages"]] == ["/start"]
    empty = (400, "Bad Request: message identifiers are not specified")
    assert await scene.refused("deleteMessages", chat_id=user, message_ids=[]) == empty
    assert (await scene.refused("deleteMessages", chat_id=user, message_ids=list(range(101))))[0] == 400
    old = await scene.ok("sendMessage", chat_id=user, text="old")
    place = scene.sim.stage.world.place(scene.sim.stage.world.bots[scene.bot_id], user)
    place.store(old | {"date": old["date"] - 48 * 3600 - 1})
    too_old = (400, "Bad Request: message can't be deleted for everyone")
    assert await scene.refused("deleteMessage", chat_id=user, message_id=old["message_id"]) == too_old


async def test_copying_and_forwarding(scene: Any) -> None:
    user, group = scene.user_id, await scene.group()
    photo = await scene.ok("sendPhoto", chat_id=user, photo="https://example.com/p.png", caption="c")
    source = {"from_chat_id": user, "message_id": photo["message_id"]}
    copy = await scene.ok("copyMessage", chat_id=group, **source, caption="other")
    chat = await scene.sim.admin("GET", f"chat?chat_id={group}")
    copied = chat["messages"][-1]
    assert (copied["message_id"], copied["caption"], "forward_origin" in copied) == (copy["message_id"], "other", False)
    forwarded = await scene.ok("forwardMessage", chat_id=group, **source)
    assert (forwarded["caption"], forwarded["forward_origin"]["sender_user"]["id"]) == ("c", scene.bot_id)
    many = {"chat_id": group, "from_chat_id": user}
    assert len(await scene.ok("copyMessages", **many, message_ids=[1, 999, photo["message_id"]])) == 2
    nothing = (400, "Bad Request: there are no messages to forward")
    assert await scene.refused("copyMessages", **many, message_ids=[999]) == nothing
    to_copy = (400, "Bad Request: message to copy not found")
    assert await scene.refused("copyMessage", **many, message_id=999) == to_copy
    to_forward = (400, "Bad Request: message to forward not found")
    assert await scene.refused("forwardMessage", **many, message_id=999) == to_forward


async def test_albums(scene: Any) -> None:
    item = {"type": "photo", "media": "https://example.com/p.png", "caption": "<b>c</b>", "parse_mode": "HTML"}
    album = await scene.ok("sendMediaGroup", chat_id=scene.user_id, media=[item, item | {"type": "video"}])
    assert [message["caption"] for message in album] == ["c", "c"]
    assert len({message["media_group_id"] for message in album}) == 1
    effect = (await scene.effects("method=sendMediaGroup"))[0]
    assert effect["message_id"] == album[0]["message_id"]
    for broken in ([item], [item] * 11, [item, item | {"type": "document"}], [item, {"type": "x"}], "x"):
        assert (await scene.refused("sendMediaGroup", chat_id=scene.user_id, media=broken))[0] == 400
    too_long = (400, "Bad Request: message caption is too long")
    long_item = item | {"caption": "x" * 1025}
    assert await scene.refused("sendMediaGroup", chat_id=scene.user_id, media=[item, long_item]) == too_long


async def test_a_press_is_answered_once_known_and_in_time(scene: Any) -> None:
    sent = await scene.ok("sendMessage", chat_id=scene.user_id, text="x", reply_markup=MARKUP)
    press = {"bot_id": scene.bot_id, "user_id": scene.user_id, "message_id": sent["message_id"], "data": "go"}
    answer = await scene.sim.admin("POST", "callbacks", **press)
    (update,) = await scene.updates()
    query = update["callback_query"]
    assert (update["update_id"], query["data"], query["message"]["text"]) == (answer["update_id"], "go", "x")
    assert await scene.ok("answerCallbackQuery", callback_query_id=query["id"], text="ok") is True
    old = (400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
    assert await scene.refused("answerCallbackQuery", callback_query_id="1") == old
    await scene.sim.admin("POST", "clock", time_scale=10**6)
    await scene.sim.admin("POST", "callbacks", **press)
    number = next(reversed(scene.sim.stage.world.queries))
    scene.sim.stage.world.clock.now = lambda: 10.0**10
    assert await scene.refused("answerCallbackQuery", callback_query_id=number) == old


async def test_commands_are_kept_by_scope_and_language(scene: Any) -> None:
    start = [{"command": "/start", "description": "Begin"}]
    scope = {"type": "all_private_chats"}
    await scene.ok("setMyCommands", commands=start, scope=scope, language_code="de")
    kept = [{"command": "start", "description": "Begin"}]
    assert await scene.ok("getMyCommands", scope=scope, language_code="de") == kept
    assert await scene.ok("getMyCommands") == []
    await scene.ok("deleteMyCommands", scope=scope, language_code="de")
    assert await scene.ok("getMyCommands", scope=scope, language_code="de") == []
    invalid = (400, "Bad Request: BOT_COMMAND_INVALID")
    assert await scene.refused("setMyCommands", commands=[{"command": "Ä", "description": "x"}]) == invalid
    assert (await scene.refused("setMyCommands", commands=start * 101))[1].endswith("BOT_COMMANDS_TOO_MUCH")


async def test_chat_actions_pins_and_sessions(scene: Any) -> None:
    assert await scene.ok("sendChatAction", chat_id=scene.user_id, action="typing") is True
    wrong = (400, "Bad Request: wrong parameter action in request")
    assert await scene.refused("sendChatAction", chat_id=scene.user_id, action="dancing") == wrong
    sent = await scene.ok("sendMessage", chat_id=scene.user_id, text="x")
    which = {"chat_id": scene.user_id, "message_id": sent["message_id"]}
    assert await scene.ok("pinChatMessage", **which) is True
    assert (await scene.ok("getChat", chat_id=scene.user_id))["pinned_message"]["text"] == "x"
    assert await scene.ok("unpinChatMessage", **which) is True
    assert (await scene.refused("unpinChatMessage", **which))[0] == 400
    assert await scene.ok("logOut") is True
    assert await scene.ok("close") is True
