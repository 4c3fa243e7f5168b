"""What the Bot API answers when it refuses: each refusal is raised where it is found and rendered once, in gate.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


class ApiError(Exception):
    """An answer with ok=false; the description carries its class's title, as the real server writes it."""

    def __init__(self, code: int, detail: str = "", *, parameters: Mapping[str, Any] | None = None) -> None:
        title = TITLES.get(code, "Error")
        self.code = code
        self.description = f"{title}: {detail}" if detail else title
        self.parameters = dict(parameters or {})
        super().__init__(self.description)

    def body(self) -> dict[str, Any]:
        """The answer's JSON (core.telegram.org/bots/api#making-requests)."""
        answer: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            answer["parameters"] = self.parameters
        return answer


def bad_request(detail: str) -> ApiError:
    """400, the caller's mistake."""
    return ApiError(400, detail)


def forbidden(detail: str) -> ApiError:
    """403, the other side does not want the bot."""
    return ApiError(403, detail)


def flood(retry_after: int) -> ApiError:
    """429 with the seconds to wait, said twice as Telegram does."""
    return ApiError(429, f"retry after {retry_after}", parameters={"retry_after": retry_after})


def migrated(new_chat_id: int) -> ApiError:
    """400 for a group that became a supergroup (M10)."""
    return ApiError(400, "group chat was upgraded to a supergroup chat", parameters={"migrate_to_chat_id": new_chat_id})


class AdminError(Exception):
    """A refusal of the admin API: a status and one sentence."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
