"""Asks the API: with the key, in a time box, again where that is safe; and says what went wrong in its words."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from itertools import islice
from typing import Any, Final, Self

import httpx

from muster_cli import problems
from muster_cli.errors import INTERRUPTED, Failure, usage
from muster_cli.retrying import Lost, Policy, Refusal
from muster_cli.settings import Settings

_PAGE: Final = 200  # items, the most that the API gives at once
_CONNECT = 5.0  # seconds
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
PATIENT: Final = Policy(repeatable=True, tries=25)  # about two minutes: for whoever watches

Document = dict[str, Any]
Parameters = Mapping[str, str | int | bool | None]


class Client:
    """Use as a context manager; `note` is told of each wait."""

    def __init__(self, settings: Settings, note: Callable[[str], None]) -> None:
        self._note = note
        self._url = settings.url
        self._tries = settings.tries
        headers = {"Authorization": f"Bearer {settings.key}", "Accept": "application/json"}
        timeout = httpx.Timeout(settings.timeout, connect=min(_CONNECT, settings.timeout))
        self._http = httpx.Client(base_url=settings.url, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, parameters: Parameters | None = None, policy: Policy | None = None) -> Document:
        """One document."""
        return self._ask("GET", path, policy or Policy(repeatable=True), parameters=parameters)

    def pages(self, path: str, parameters: Parameters | None = None, limit: int | None = None) -> Iterator[Document]:
        """A list's items, page after page; `limit` of them or all."""
        return islice(self._pages(path, parameters or {}, min(limit or _PAGE, _PAGE)), limit)

    def post(self, path: str, body: Document | None = None, *, key: str | None = None, part: int = 1) -> Document:
        """Once, however often it is tried: under this Idempotency-Key, or one made for it. A Failure tells it.

        A command of several requests has one key, of which each further `part` makes its own.
        """
        return self._once("POST", path, key, part, body=body)

    def upload(self, path: str, file: tuple[str, bytes, str], parameters: Parameters, *, key: str | None) -> Document:
        """As `post`: a file with its name and type."""
        return self._once("POST", path, key, file=file, parameters=parameters)

    def delete(self, path: str, *, key: str | None = None) -> Document:
        """As `post`, for what is not there the second time."""
        return self._once("DELETE", path, key)

    def _once(self, method: str, path: str, key: str | None, part: int = 1, **request: Any) -> Document:
        used = key or new_key()
        headers = {"Idempotency-Key": used if part == 1 else f"{used}.{part}"}
        try:
            return self._ask(method, path, Policy(repeatable=True), headers=headers, **request)
        except KeyboardInterrupt:
            raise problems.lost(Failure(INTERRUPTED, "interrupted before the answer"), used) from None
        except Failure as failure:
            raise problems.lost(failure, used) if failure.uncertain else failure from None

    def preview(self, path: str, body: Document | None = None, parameters: Parameters | None = None) -> Document:
        """A POST that may be made any number of times."""
        return self._ask("POST", path, Policy(repeatable=True), body=body, parameters=parameters)

    def post_unkept(self, path: str, body: Document) -> Document:
        """For what the API keeps no answer of: tried again only where nothing can have happened."""
        return self._ask("POST", path, Policy(repeatable=False), body=body)

    def change(self, method: str, path: str, body: Document | None = None) -> Document:
        """PATCH or DELETE, which say how a thing shall be: twice is once."""
        try:
            return self._ask(method, path, Policy(repeatable=True), body=body)
        except Failure as failure:
            if failure.uncertain:
                failure.hints.append("it is not known whether this has taken effect; repeat the command: twice is once")
            raise

    def _pages(self, path: str, parameters: Parameters, size: int) -> Iterator[Document]:
        cursor: str | None = None
        while True:
            page = self.get(path, {**parameters, "limit": size, "cursor": cursor})
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _ask(
        self,
        method: str,
        path: str,
        policy: Policy,
        *,
        body: Document | None = None,
        headers: Mapping[str, str] | None = None,
        parameters: Parameters | None = None,
        file: tuple[str, bytes, str] | None = None,
    ) -> Document:
        files = {"file": file} if file else None
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        policy = policy if self._tries is None else replace(policy, tries=self._tries)
        tried, uncertain = 0, False
        while True:
            tried += 1
            outcome, found = self._try(method, path, json=body, headers=headers, params=given, files=files)
            if not isinstance(found, Failure):
                return found
            found.uncertain = uncertain = uncertain or found.uncertain  # an early try may have had its effect
            wait = policy.wait(tried, outcome) if outcome else None
            left = policy.until - time.monotonic()
            if wait is None or left <= 0:
                raise found
            self._note(f"{found.message}; trying again in {wait:g} s")
            time.sleep(min(wait, left))

    def _try(self, method: str, path: str, **options: Any) -> tuple[Lost | Refusal | None, Document | Failure]:
        try:
            answer = self._http.request(method, path, **{name: it for name, it in options.items() if it is not None})
        except httpx.UnsupportedProtocol as error:
            raise usage(f"the API's address can't be used: {error}") from None
        except httpx.RequestError as error:
            sent = not isinstance(error, _NOT_SENT)
            return Lost(sent), problems.silence(self._url, error, uncertain=sent and method != "GET")
        return _understood(answer, self._url, changes=method != "GET")


def new_key() -> str:
    """An Idempotency-Key that nobody has used."""
    return f"cli-{uuid.uuid4()}"


def _understood(answer: httpx.Response, url: str, *, changes: bool) -> tuple[Lost | Refusal | None, Document | Failure]:
    document = _json(answer)
    if answer.is_success and document is not None:
        return None, document
    if not answer.is_error or (document is None and answer.status_code < 500):
        return None, problems.stranger(url, _described(answer))
    failure = problems.refusal(answer.status_code, document or {}, answer.headers.get("x-trace-id"))
    failure.uncertain = changes and answer.status_code >= 500
    return Refusal(answer.status_code, (document or {}).get("code"), _retry_after(answer)), failure


def _json(answer: httpx.Response) -> Document | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _described(answer: httpx.Response) -> str:
    if answer.is_redirect:
        return f"it redirects to {answer.headers.get('location', 'nowhere')}"
    kind = answer.headers.get("content-type", "nothing").split(";")[0]
    phrase = HTTPStatus(answer.status_code).phrase if answer.status_code in set(HTTPStatus) else ""
    return f"it answers {answer.status_code} {phrase} with {kind}".replace("  ", " ")


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds only: the API writes no dates."""
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None
