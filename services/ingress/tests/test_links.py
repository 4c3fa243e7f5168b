"""Addresses: only public https ones, plainly written, get through to Telegram (security.md, S11)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingress.rules.links import button, public_https

GOOD = [
    "https://example.com/a.jpg",
    "https://a-b.example.org:443/x?y=1#z",
    "https://xn--bcher-kva.de",
    "https://a.co?x",
]
HOSTS = [
    "localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "[::1]",
    "[::ffff:127.0.0.1]",
    "10.0.0.8", "192.168.1.1", "169.254.169.254", "metadata.google.internal", "postgres",
    "rabbitmq.muster.svc.cluster.local",
    "printer.local", "nas.lan", "x.home.arpa", "localhost.localdomain", "user@example.com", "user:pass@example.com",
    "example.com@127.0.0.1", "example.com:8080", "example.com:80", "example.com:", "exam ple.com", "example..com",
    ".example.com", "example.com.", "-a.example.com", "a-.example.com", "例え.jp", "ex\u00adample.com",
    "example\u3002com",
    "①②⑦.0.0.1", "%31%32%37.0.0.1", "example.com%00", "example.com\\@127.0.0.1", "example.com\t", "a" * 64 + ".com", "",
    "x.onion", "1.1.1.1.in-addr.arpa", "example.com#@127.0.0.1", "foo.0x7f", "::1", "[fe80::1%25eth0]", "app.test",
]  # fmt: skip
WHOLE = [
    "http://example.com/a", "HTTPS://example.com", "ftp://example.com", "file:///etc/passwd", "//example.com/a",
    "javascript:alert(1)",
    "data:image/png;base64,AAAA", "https:/example.com", "https:example.com", "https:///example.com",
    "https:\\\\example.com",
    " https://example.com", "https://example.com/\n", "https://example.com/a b", "https://example.com/\u202e",
    "gopher://a.b",
    "https://example.com/" + "a" * 2048, "attach://file", "tg://file", "https://example.com/<x>",
    "https://example.com/`x`",
]  # fmt: skip


@pytest.mark.parametrize("url", [url for url in GOOD if "#" not in url])
def test_public_addresses(url: str) -> None:
    assert public_https(url) == url


@pytest.mark.parametrize("url", [f"https://{host}{path}" for host in HOSTS for path in ("", "/a.jpg", "?x=1")] + WHOLE)
def test_tricks(url: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as refused:
        public_https(url)
    assert url not in str(refused.value) or not url


@given(st.text(max_size=40))
def test_anything_else_is_answered_too(text: str) -> None:
    for check in (public_https, button):
        try:
            assert check(text) == text
        except ValueError:
            continue


@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://x", "https://", "https://a b", "", "data:x"])
def test_a_button_opens_no_script(url: str) -> None:
    with pytest.raises(ValueError, match=r"^must "):
        button(url)
