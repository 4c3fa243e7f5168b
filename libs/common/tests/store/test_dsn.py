"""Database URLs as hosted providers write them."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from common.errors import ConfigurationError
from common.store.dsn import clean
from hypothesis import given
from hypothesis import strategies as st

NEON = "postgresql://u:p@ep-x-pooler.eu.aws.neon.tech/db?sslmode=require&channel_binding=require"
PRISMA = "postgres://u:p@host:6543/db?pgbouncer=true&connect_timeout=15&schema=public"
words = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (NEON, "postgresql://u:p@ep-x-pooler.eu.aws.neon.tech/db?sslmode=require"),
        (PRISMA, "postgres://u:p@host:6543/db"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://u@h/d?sslrootcert=/a/b.pem&x=1", "postgresql://u@h/d?sslrootcert=%2Fa%2Fb.pem"),
    ],
)
def test_only_what_asyncpg_understands_stays(url: str, expected: str) -> None:
    assert clean(url) == expected


@given(
    user=words,
    password=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20),
    query=st.dictionaries(words | st.just("sslmode"), words, max_size=5),
)
def test_the_address_itself_is_never_changed(user: str, password: str, query: dict[str, str]) -> None:
    address = f"postgresql://{user}:{quote(password, safe='')}@host:5432/name"
    parameters = "&".join(f"{key}={value}" for key, value in query.items())
    cleaned = clean(f"{address}?{parameters}")
    assert cleaned.partition("?")[0] == address
    kept = parse_qs(urlsplit(cleaned).query)
    assert kept.keys() <= {"sslmode", "sslrootcert", "sslcert", "sslkey"}
    assert ("sslmode" in kept) == ("sslmode" in query)
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize("url", ["", "mysql://u:canary@h/d", "host/db", "postgresql://u:canary@h:port/d"])
def test_what_is_no_address_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        clean(url)
    assert "canary" not in str(refused.value)
