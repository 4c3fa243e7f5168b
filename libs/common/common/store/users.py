"""People who wrote to a bot, whichever it was."""

from __future__ import annotations

from common.records import Person
from common.store.pool import Tx


async def see(tx: Tx, person: Person) -> None:
    """Inserts or refreshes; nothing is written when nothing changed."""
    await tx.execute(
        """INSERT INTO users AS u (user_id, first_name, last_name, username, language_code) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (user_id) DO UPDATE SET first_name = excluded.first_name, last_name = excluded.last_name,
               username = excluded.username, language_code = excluded.language_code, updated_at = now()
           WHERE (u.first_name, u.last_name, u.username, u.language_code)
               IS DISTINCT FROM (excluded.first_name, excluded.last_name, excluded.username, excluded.language_code)""",
        person.user_id,
        person.first_name,
        person.last_name,
        person.username,
        person.language_code,
    )
