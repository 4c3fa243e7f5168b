"""Everything that exists in one simulated Telegram; whoever needs the world is handed it."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass

from telegram_sim.bots import Bot, bot_id_of
from telegram_sim.clock import Clock
from telegram_sim.conversation import Conversation, Dialog
from telegram_sim.effects import EffectLog
from telegram_sim.errors import AdminError
from telegram_sim.files import FileStore
from telegram_sim.groups import Group
from telegram_sim.invites import InviteLink
from telegram_sim.queue_keys import PRESS
from telegram_sim.update_queue import UpdateQueue, UpdateRecord
from telegram_sim.users import User

FIRST_BOT_ID = 7_000_000_001
FIRST_USER_ID = 1_000_001
GROUP_BASE = -4_000_000_000
SUPERGROUP_BASE = -1_002_000_000_000
TOKEN_LETTERS = string.ascii_letters + string.digits + "_-"


@dataclass(frozen=True)
class Memory:
    """How much is remembered before the oldest is forgotten; the log file holds all."""

    effects: int = 200_000
    updates: int = 200_000  # per bot
    messages: int = 10_000  # per chat


@dataclass(frozen=True)
class Query:
    """A pressed button that waits for answerCallbackQuery."""

    bot_id: int
    user_id: int
    expires_at: float


class World:
    """Bots, users and the places where they meet."""

    def __init__(
        self,
        *,
        clock: Clock,
        effects: EffectLog,
        memory: Memory,
        rng: random.Random,
        first_user: int = FIRST_USER_ID,
    ) -> None:
        self.clock = clock
        self.effects = effects
        self.memory = memory
        self.rng = rng
        self.first_user = self.next_user_id = first_user
        self.group_count = 0
        self.bots: dict[int, Bot] = {}
        self.users: dict[int, User] = {}
        self.dialogs: dict[tuple[int, int], Dialog] = {}
        self.queries: dict[str, Query] = {}
        self.groups: dict[int, Group] = {}
        self.files = FileStore(rng)

    def clear(self) -> None:
        """Back to an empty world; the effects' numbers go on."""
        self.next_user_id = self.first_user
        self.bots.clear()
        self.users.clear()
        self.dialogs.clear()
        self.queries.clear()
        self.groups.clear()
        self.files = FileStore(self.rng)
        self.effects.clear()

    def add_bot(self, *, token: str = "", username: str = "", first_name: str = "") -> Bot:
        """A new bot, or the one that already has this token."""
        bot_id = bot_id_of(token) if token else max([FIRST_BOT_ID - 1, *self.bots]) + 1
        if bot_id is None:
            raise AdminError("a token is digits, a colon and at least 35 letters, digits, _ or -")
        known = self.bots.get(bot_id)
        if known:
            if token and known.token != token:
                raise AdminError(f"bot {bot_id} has another token", status=409)
            return known
        token = token or f"{bot_id}:AA{''.join(self.rng.choices(TOKEN_LETTERS, k=33))}"
        updates = UpdateQueue(
            bot_id, first_update_id=self.rng.randrange(100_000_000, 900_000_000), keep=self.memory.updates
        )
        bot = Bot(bot_id, token, username or f"bot{bot_id}_bot", first_name or f"Bot {bot_id}", updates)
        self.bots[bot_id] = bot
        return bot

    def add_user(
        self,
        *,
        user_id: int | None = None,
        first_name: str = "",
        last_name: str | None = None,
        username: str | None = None,
        language_code: str | None = None,
    ) -> User:
        """A new user, or the known one with changed names."""
        while self.next_user_id in self.users:
            self.next_user_id += 1
        number = user_id or self.next_user_id
        if number in self.bots:
            raise AdminError(f"{number} is a bot", status=409)
        known = self.users.get(number)
        if known:
            known.first_name = first_name or known.first_name
            known.last_name, known.username = last_name or known.last_name, username or known.username
            known.language_code = language_code or known.language_code
            return known
        self.users[number] = User(number, first_name or f"User {number}", last_name, username, language_code)
        return self.users[number]

    def bot(self, bot_id: int) -> Bot:
        """The bot with this id, for the admin API."""
        if bot_id not in self.bots:
            raise AdminError(f"no bot {bot_id}", status=404)
        return self.bots[bot_id]

    def user(self, user_id: int) -> User:
        """The user with this id, for the admin API."""
        if user_id not in self.users:
            raise AdminError(f"no user {user_id}", status=404)
        return self.users[user_id]

    def dialog(self, bot: Bot, user: User) -> Dialog:
        """The private chat of a bot and a user, made when first asked for."""
        key = (bot.id, user.id)
        if key not in self.dialogs:
            self.dialogs[key] = Dialog(bot, user, keep=self.memory.messages)
        return self.dialogs[key]

    def bot_by_token(self, token: str) -> Bot | None:
        """The bot with this token."""
        bot = self.bots.get(bot_id_of(token) or 0)
        return bot if bot and bot.token == token else None

    def add_query(self, bot: Bot, user_id: int) -> str:
        """A callback query's id; queries past their time are swept on the way."""
        now = self.clock.now()
        while self.queries and next(iter(self.queries.values())).expires_at < now:
            del self.queries[next(iter(self.queries))]
        number = str(self.rng.getrandbits(62))
        self.queries[number] = Query(bot.id, user_id, now + self.clock.real(PRESS))
        return number

    def push(self, bot: Bot, kind: str, payload: object) -> UpdateRecord | None:
        """Gives a bot an update, unless it does not want its kind."""
        return bot.updates.push(kind, payload, now=self.clock.now(), scale=self.clock.time_scale)

    def place(self, bot: Bot, chat_id: int) -> Conversation | None:
        """The chat with this id as the bot sees it, None when there is no such chat."""
        user = self.users.get(chat_id)
        return self.dialog(bot, user) if user else self.groups.get(chat_id)

    def place_named(self, username: str) -> Conversation | None:
        """The public group or channel with this @username."""
        wanted = username.removeprefix("@").lower()
        return next((group for group in self.groups.values() if (group.username or "").lower() == wanted), None)

    def group(self, chat_id: int) -> Group:
        """The group with this id, for the admin API."""
        if chat_id not in self.groups:
            raise AdminError(f"no chat {chat_id}", status=404)
        return self.groups[chat_id]

    def add_group(self, kind: str, title: str) -> Group:
        """A new empty chat; supergroups and channels have ids of their own range."""
        base = GROUP_BASE if kind == "group" else SUPERGROUP_BASE
        self.group_count += 1
        group = Group(base - self.group_count, kind, title, keep=self.memory.messages)
        self.groups[group.id] = group
        return group

    def bots_in(self, group: Group, *, also: int = 0) -> list[Bot]:
        """The bots inside a chat, and the one whose own membership changed."""
        return [
            bot
            for bot in self.bots.values()
            if bot.id == also or (bot.id in group.members and group.member(bot.id).present)
        ]

    def account(self, account_id: int) -> dict[str, object]:
        """The User object of a bot or a user."""
        if account_id in self.bots:
            return self.bots[account_id].as_user()
        return self.user(account_id).as_json()

    def add_link(self, group: Group, link: InviteLink) -> InviteLink:
        """Gives an invite link its address."""
        link.url = f"https://t.me/+{''.join(self.rng.choices(TOKEN_LETTERS, k=16))}"
        group.links[link.url] = link
        return link
