"""Independent client libraries must not notice that this is no Telegram: aiogram, python-telegram-bot, grammY."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    ChatPermissions,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    ReplyParameters,
    Update,
)
from telegram import Bot as PtbBot
from telegram import InputMediaDocument
from telegram.error import BadRequest, Forbidden, RetryAfter

CACHE = Path(__file__).parents[1] / ".cache" / "npm"
GRAMMY_SCRIPT = Path(__file__).with_name("grammy_client.mjs")
MARKUP = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Go", callback_data="go")]])


@pytest.fixture
async def aiogram_bot(scene: Any) -> AsyncIterator[Bot]:
    session = AiohttpSession(api=TelegramAPIServer.from_base(scene.sim.url))
    async with Bot(scene.token, session=session) as bot:
        yield bot


async def test_aiogram_talks_in_a_private_chat(scene: Any, aiogram_bot: Bot) -> None:
    bot, user = aiogram_bot, scene.user_id
    me = await bot.get_me()
    assert (me.id, me.is_bot, me.username) == (scene.bot_id, True, "muster_bot")
    sent = await bot.send_message(user, "a <b>bold</b> step", parse_mode="HTML", reply_markup=MARKUP)
    assert sent.entities is not None
    assert (sent.text, sent.entities[0].type) == ("a bold step", "bold")
    edited = await bot.edit_message_text("new", chat_id=user, message_id=sent.message_id, reply_markup=MARKUP)
    assert getattr(edited, "text", None) == "new"
    photo = await bot.send_photo(user, BufferedInputFile(b"\x89PNG...", "p.png"), caption="look")
    assert photo.photo is not None
    again = await bot.send_photo(user, photo.photo[-1].file_id)
    assert again.photo is not None
    assert again.photo[-1].file_unique_id == photo.photo[-1].file_unique_id
    downloaded = await bot.download(photo.photo[-1].file_id)
    assert downloaded is not None
    assert downloaded.read() == b"\x89PNG..."
    media = [InputMediaPhoto(media=BufferedInputFile(bytes([n]), f"{n}.png"), caption=f"{n}") for n in (1, 2)]
    album = await bot.send_media_group(user, list(media))
    assert len({message.media_group_id for message in album}) == 1
    copied = await bot.copy_message(user, user, sent.message_id)
    reply = ReplyParameters(message_id=copied.message_id)
    replied = await bot.send_message(user, "yes", reply_parameters=reply)
    assert replied.reply_to_message is not None
    assert await bot.delete_messages(user, [copied.message_id, replied.message_id])
    assert await bot.set_my_commands([BotCommand(command="start", description="Begin")])
    assert [command.command for command in await bot.get_my_commands()] == ["start"]
    assert await bot.send_chat_action(user, "typing")
    assert (await bot.get_chat(user)).first_name == "Ada"


async def test_aiogram_reads_every_update(scene: Any, aiogram_bot: Bot) -> None:
    group = await scene.group()
    other = await scene.user()
    sent = await scene.ok("sendMessage", chat_id=scene.user_id, text="x", reply_markup=MARKUP.model_dump())
    for content in ("photo", "sticker", "contact", "location", "voice", "document", "video", "audio"):
        await scene.say("", **{content: True})
    await scene.sim.admin(
        "POST", "callbacks", bot_id=scene.bot_id, user_id=scene.user_id, message_id=sent["message_id"], data="go"
    )
    await scene.sim.admin("POST", f"chats/{group}/join_request", user_id=other)
    await aiogram_bot.approve_chat_join_request(group, other)
    await scene.sim.admin("POST", "messages", chat_id=group, user_id=other, text="/help@muster_bot")
    await scene.sim.admin("POST", f"chats/{group}/promote", user_id=other)
    await scene.sim.admin("POST", f"chats/{group}/member", user_id=other, status="restricted")
    await scene.sim.admin("POST", f"chats/{group}/kick", bot_id=scene.bot_id)
    await scene.sim.admin("POST", "block", bot_id=scene.bot_id, user_id=scene.user_id)
    updates = await aiogram_bot.get_updates()
    kinds = {update.event_type for update in updates}
    assert kinds == {"message", "callback_query", "chat_join_request", "chat_member", "my_chat_member"}
    raw = (await scene.sim.api(scene.token, "getUpdates"))["result"]
    for update in raw:
        Update.model_validate(update, strict=False)


async def test_aiogram_manages_a_group(scene: Any, aiogram_bot: Bot) -> None:
    bot, group, other = aiogram_bot, await scene.group(), await scene.user()
    link = await bot.create_chat_invite_link(group, name="door", creates_join_request=True)
    assert link.creates_join_request
    edited = await bot.edit_chat_invite_link(group, link.invite_link, name="gate", creates_join_request=True)
    assert edited.name == "gate"
    await scene.sim.admin("POST", f"chats/{group}/join", user_id=other, invite_link=link.invite_link)
    assert await bot.send_message(other, "why do you want to join?")
    assert await bot.approve_chat_join_request(group, other)
    assert (await bot.get_chat_member(group, other)).status == "member"
    assert await bot.get_chat_member_count(group) == 3
    assert await bot.restrict_chat_member(group, other, ChatPermissions(can_send_messages=False))
    assert (await bot.get_chat_member(group, other)).status == "restricted"
    assert await bot.ban_chat_member(group, other)
    assert (await bot.get_chat_member(group, other)).status == "kicked"
    assert await bot.unban_chat_member(group, other, only_if_banned=True)
    admins = {admin.user.id for admin in await bot.get_chat_administrators(group)}
    assert admins == {scene.user_id, scene.bot_id}
    assert (await bot.revoke_chat_invite_link(group, link.invite_link)).is_revoked
    assert (await bot.export_chat_invite_link(group)).startswith("https://t.me/+")
    assert (await bot.get_chat(group)).title == "G"
    pinned = await bot.send_message(group, "rules")
    assert await bot.pin_chat_message(group, pinned.message_id)
    assert await bot.unpin_chat_message(group)
    topicless = await bot.forward_message(scene.user_id, group, pinned.message_id)
    assert topicless.forward_origin is not None
    assert await bot.leave_chat(group)


async def test_aiogram_raises_its_own_errors(scene: Any, aiogram_bot: Bot) -> None:
    bot, user = aiogram_bot, scene.user_id
    stranger, old = await scene.user(), await scene.group("group")
    migrated = (await scene.sim.admin("POST", f"chats/{old}/migrate"))["id"]
    with pytest.raises(TelegramForbiddenError, match="can't initiate conversation"):
        await bot.send_message(stranger, "x")
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await bot.send_message(42, "x")
    with pytest.raises(TelegramMigrateToChat) as moved:
        await bot.send_message(old, "x")
    assert moved.value.migrate_to_chat_id == migrated
    faults: list[tuple[dict[str, Any], type[Exception]]] = [
        ({"kind": "http_429", "retry_after": 7}, TelegramRetryAfter),
        ({"kind": "http_500"}, TelegramServerError),
        ({"kind": "restart_500"}, TelegramServerError),
        ({"kind": "http_502_html"}, ClientDecodeError),
        ({"kind": "http_429_html"}, ClientDecodeError),
        ({"kind": "garbage"}, UnicodeDecodeError),
        ({"kind": "unknown_fields"}, ClientDecodeError),
        ({"kind": "cut"}, TelegramNetworkError),
        ({"kind": "reset"}, TelegramNetworkError),
        ({"kind": "timeout_before"}, TelegramNetworkError),
        ({"kind": "timeout_after"}, TelegramNetworkError),
        ({"kind": "error", "error_code": 401, "description": "Unauthorized"}, TelegramUnauthorizedError),
    ]
    for rule, expected in faults:
        await scene.sim.admin("PUT", "faults", rules=[{"method": "sendMessage", "times": 1, **rule}])
        with pytest.raises(expected):
            await bot.send_message(user, str(rule["kind"]), request_timeout=1)
    kept = [
        effect["params"]["text"] for effect in await scene.effects("method=sendMessage") if effect["status"] == "ok"
    ]
    assert kept == ["garbage", "unknown_fields", "cut", "timeout_after"]


async def test_python_telegram_bot_uses_forms_and_multipart(scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # Without it the library warns of its own next version.
    user = scene.user_id
    async with PtbBot(scene.token, f"{scene.sim.url}/bot", f"{scene.sim.url}/file/bot") as bot:
        assert bot.username == "muster_bot"
        sent = await bot.send_message(user, "*hi*", parse_mode="MarkdownV2")
        assert sent.entities[0].type == "bold"
        document = await bot.send_document(user, b"report", filename="r.txt", caption="c")
        assert document.document is not None
        file = await document.document.get_file()
        assert bytes(await file.download_as_bytearray()) == b"report"
        album = await bot.send_media_group(user, [InputMediaDocument(b"1", filename="1"), InputMediaDocument(b"2")])
        assert len(album) == 2
        await scene.say("/start now")
        (update,) = await bot.get_updates(timeout=1)
        assert update.message is not None
        assert update.message.entities[0].type == "bot_command"
        with pytest.raises(BadRequest, match="Can't parse entities"):
            await bot.send_message(user, "<b>x", parse_mode="HTML")
        await scene.sim.admin("POST", "block", bot_id=scene.bot_id, user_id=user)
        with pytest.raises(Forbidden, match="blocked"):
            await bot.send_message(user, "x")
        await scene.sim.admin("PUT", "faults", rules=[{"kind": "http_429", "retry_after": 3}])
        with pytest.raises(RetryAfter):
            await bot.send_message(user, "x")


@pytest.fixture(scope="session")
def grammy() -> Path:
    """grammY in a folder that git ignores, installed when it is not there."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("NO CLIENT OTHER THAN PYTHON WAS TESTED: npm or node is missing")
    if not (CACHE / "node_modules" / "grammy").is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(CACHE), "grammy"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    return CACHE / "node_modules"


@pytest.mark.timeout(150)
async def test_grammy_talks_and_long_polls(scene: Any, grammy: Path) -> None:
    environment = {**os.environ, "NODE_MODULES": str(grammy), "API_ROOT": scene.sim.url, "BOT_TOKEN": scene.token}
    process = await asyncio.create_subprocess_exec(
        "node",
        str(GRAMMY_SCRIPT),
        str(scene.user_id),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert (await process.stdout.readline()).strip() == b"polling"
    await scene.say("/start from grammY")
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    seen = json.loads(output)
    assert seen == {
        "username": "muster_bot",
        "bold": "bold",
        "blockedCode": 400,
        "retryAfter": 1,
        "fileSize": 5,
        "answered": "from grammY",
    }
