"""What went wrong, for people and scripts: the API's problem bodies, its silence, and answers that are not its own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import httpx

from muster_cli.clean import clean
from muster_cli.errors import REFUSED, UNREACHABLE, Failure

_AWAY: Final = frozenset({502, 503, 504})
_HINTS: Final = {
    "unauthorized": "is the key right, and neither revoked nor expired? MUSTER_API_KEY or --key-file",
    "missing_scope": "muster keys list shows what each key may do; one with keys:write makes another",
    "not_found": "MUSTER_URL is what stands before /api, without /docs; or is the API older than this command?",
    "no_recipients": "muster groups list shows why groups are not sent to",
    "broadcast_not_found": "muster broadcasts list",
    "group_not_found": "muster groups list",
    "bot_not_found": "muster bots list",
    "unknown_bot": "muster bots list",
    "schedule_not_found": "muster schedules list",
    "key_not_found": "muster keys list",
    "webhook_not_found": "muster webhooks list",
    "event_not_found": "muster webhooks deliveries ID shows which events it was told",
    "already_rotating": "--overlap 0 ends both old secrets at once",
    "idempotency_in_progress": "it is still at work: repeat the same command in a moment",
    "idempotency_key_reused": "the key belongs to another request: repeat that one exactly, or leave the option out",
}


def refusal(status: int, document: dict[str, Any], trace_id: str | None) -> Failure:
    """Of an RFC 9457 body, or what a gateway has put in its place."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else f"status {status}"
    title, detail = clean(document.get("title") or phrase), document.get("detail")
    message = f"{status} {title}: {clean(detail)}" if detail else f"{status} {title}"
    trace = document.get("trace_id") or trace_id
    facts = {"status": status, "title": title, **document} | ({"trace_id": trace} if trace else {})
    hints = [*_places(document), *_reasons(document), *_tags(document), *_users(document)]
    if document.get("code") in _HINTS:
        hints.append(_HINTS[document["code"]])
    if "retry_after" in document:
        hints.append(f"come back in {clean(document['retry_after'])} s")
    if trace:
        hints.append(f"trace id {clean(trace)}")
    return Failure(UNREACHABLE if status in _AWAY else REFUSED, message, facts, hints)


def silence(url: str, error: httpx.RequestError, *, uncertain: bool) -> Failure:
    """Of a request that nobody answered."""
    match error:
        case httpx.TimeoutException():
            what = "no answer in time"
        case httpx.ConnectError() | httpx.ProxyError():
            what = "can't be reached"
        case _:
            what = "the connection broke before the answer"
    why = f" ({clean(error)})" if str(error) and not isinstance(error, httpx.TimeoutException) else ""
    return Failure(UNREACHABLE, f"{url}: {what}{why}", uncertain=uncertain)


def stranger(url: str, what: str) -> Failure:
    """Of an answer that Muster's API does not give."""
    hint = "is MUSTER_URL the address of Muster's API, and is nothing in between?"
    return Failure(UNREACHABLE, f"{url} is not Muster's API: {clean(what)}", {"error": "not_muster"}, [hint])


def lost(failure: Failure, key: str) -> Failure:
    """The same, with what makes it possible to find out."""
    failure.uncertain = True
    failure.facts |= {"uncertain": True, "idempotency_key": key}
    failure.hints += [
        "it is not known whether this has taken effect; to find out, repeat the same command with",
        f"  --idempotency-key {key}",
        "then it takes effect once, whatever became of this try",
    ]
    return failure


def _places(document: dict[str, Any]) -> list[str]:
    """Where a request is not valid."""
    errors = document.get("errors")
    found = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    return [f"{clean(each.get('at') or each.get('in', ''))}: {clean(each.get('what', ''))}" for each in found]


def _reasons(document: dict[str, Any]) -> list[str]:
    reasons = document.get("skipped_by_reason")
    if not isinstance(reasons, dict) or not reasons:
        return []
    return ["skipped: " + ", ".join(f"{count} {clean(name)}" for name, count in reasons.items())]


def _users(document: dict[str, Any]) -> list[str]:
    """What needs a file, of each a few, with what ends that."""
    ends = ("broadcast_ids", "broadcasts", "cancel"), ("schedule_ids", "schedules", "delete")
    found = [(document[field], noun, verb) for field, noun, verb in ends if isinstance(document.get(field), list)]
    return [f"{noun} {clean(', '.join(map(str, ids)))}: muster {noun} {verb} ID" for ids, noun, verb in found if ids]


def _tags(document: dict[str, Any]) -> list[str]:
    """Those that no group has: perhaps misspelled."""
    tags = document.get("unknown_tags")
    return [f"no group has the tag {clean(tag)}" for tag in tags] if isinstance(tags, list) else []
