"""URLs as values: odd spellings of addresses, and where the key may travel."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grok_imagine.models.url import fault_of, is_below, is_loopback, is_private_host, split

PRIVATE = [
    *("localhost", "LOCALHOST", "localhost.", "a.localhost", "printer", "nas.local", "nas.local.", "x.localdomain"),
    *("db.internal", "metadata.google.internal", "router.lan", "home.arpa", "nas.home.arpa", "x.intranet"),
    *(
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0.0.1",
        "017700000001",
    ),
    *("0177.0.0.1", "0", "0.0.0.0", "10.0.0.1", "10.1", "0xa.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("192.168.257", "169.254.169.254", "0xa9fea9fe", "2852039166", "100.64.0.1", "198.18.0.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("[::1]", "::1", "::", "[fe80::1]", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"),
    # What a resolver would read as one of the above.
    *("１２７.0.0.1", "127。0。0。1", "127．0．0．1", "ｌｏｃａｌｈｏｓｔ", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "nas．local"),
    # Ends in a number, and is no address: nobody's on the internet.
    *("1.2.3.4.5", "256.256.256.256", "08.8.8.8", "example.0x7f", "a.1", "99999999999", "1.2.3.400"),
]
PUBLIC = [
    *("example.com", "example.com.", "sub.example.co.uk", "8.8.8.8", "0x08080808", "134744072", "1.1", "EXAMPLE.COM"),
    *("2606:4700:4700::1111", "[2606:4700:4700::1111]", "xn--bcher-kva.example", "bücher.example.com", "1e100.net"),
    *("local.example.com", "localhost.example.com", "myhome.arpa", "notlocal.com", "mylocalhost.com", "lan.party"),
]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_hosts(host: str) -> None:
    assert is_private_host(host)


@pytest.mark.parametrize("host", PUBLIC)
def test_public_hosts(host: str) -> None:
    assert not is_private_host(host)


UNREADABLE = [
    *("", "http", "http:", "http://", "https:///x", "//example.com/x", "/x", "example.com/x", "ftp://example.com/x"),
    *("javascript:alert(1)", "ws://example.com", "http:/example.com", "http:example.com", "https://:443/x"),
    *("https://exa mple.com/x", " https://example.com", "https://example.com/x ", "https://example.com/a b"),
    *("https://example.com/\t", "https://example.com/\n", "https://example.com\u00a0/", "https://example.com/\u3000"),
    *("https://example.com:99999/", "https://example.com:abc/", "https://[::1", "https://[nonsense]/"),
    *(
        "https://example.com\\@evil.example/",
        "https:\\\\example.com\\x",
        "https://example.com/\x00",
        "https://a\x7fb.com",
    ),
    *("https://local\u00adhost/", "https://127.0.0\u200b.1/", "https://exa\u202emple.com/", "https://\ud800.com/"),
    *("https://%6c%6fcalhost/", "https://127%2e0.0.1/"),
]


@pytest.mark.parametrize("url", UNREADABLE)
def test_what_is_no_url(url: str) -> None:
    assert split(url) is None
    assert fault_of(url, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        *("https://example.com", "HTTPS://EXAMPLE.com/x", "http://example.com:8080/x?y=1#z", "https://8.8.8.8/x"),
        *("https://[2606:4700:4700::1111]:443/x", "https://bücher.example.com/ü.png", "https://example.com/%2e%2e/x"),
        *("https://example.com/a%20b.png?X-Signature=a%2Fb", "https://example.com./x"),
    ],
)
def test_public_urls(url: str) -> None:
    assert fault_of(url) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("data:image/png;base64,AA", "is a data: URI"),
        ("DATA:image/png;base64,AA", "is a data: URI"),
        ("file:///etc/passwd", "is a file: URI"),
        ("blob:https://example.com/1", "is a blob: URI"),
        ("https://user@example.com/", "user name or password"),
        ("https://:pw@example.com/", "user name or password"),
        ("https://@example.com/", "user name or password"),
        ("https://example.com@127.0.0.1/", "user name or password"),
        ("http://127.0.0.1/", "cannot reach"),
        ("http://[::1]:8188/view", "cannot reach"),
        ("http://[fe80::1%25eth0]/", "cannot reach"),
        ("http://１２７.0.0.1/", "cannot reach"),
    ],
)
def test_faults_say_what_is_wrong(url: str, said: str) -> None:
    assert said in (fault_of(url) or "")


def test_private_hosts_when_allowed() -> None:
    assert fault_of("http://127.0.0.1:8188/view", allow_private=True) is None
    assert fault_of("http://me@127.0.0.1/", allow_private=True)


@pytest.mark.parametrize(
    "url", ["http://localhost", "http://localhost.:1/x", "http://127.0.0.1:8188", "http://127.1/", "https://[::1]/"]
)
def test_this_very_machine(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1", "http://localhost.example.com", "http://a.localhost.de", "nonsense", "http://0.0.0.1"]
)
def test_another_machine(url: str) -> None:
    assert not is_loopback(url)


BELOW = [
    ("https://api.x.ai/v1/videos/1", "https://api.x.ai"),
    ("https://api.x.ai:443/v1", "https://api.x.ai/"),
    ("https://API.x.ai/v1", "https://api.x.ai"),
    ("http://localhost:9000/reapi/v1", "http://localhost:9000/reapi"),
    ("http://localhost:9000/reapi/v1", "http://localhost:9000/reapi/"),
    ("https://api.x.ai/v1?x=../y", "https://api.x.ai"),
]
NOT_BELOW = [
    ("https://api.x.ai", "https://api.x.ai"),
    ("http://api.x.ai/v1", "https://api.x.ai"),
    ("https://api.x.ai:8443/v1", "https://api.x.ai"),
    ("https://api.x.ai.evil.example/v1", "https://api.x.ai"),
    ("https://evil.example/https://api.x.ai/v1", "https://api.x.ai"),
    ("https://api.x.ai@evil.example/v1", "https://api.x.ai"),
    ("https://user:pw@api.x.ai/v1", "https://api.x.ai"),
    ("https://@api.x.ai/v1", "https://api.x.ai"),
    ("https://ａpi.x.ai/v1", "https://api.x.ai"),
    ("http://localhost:9000/reapi2/v1", "http://localhost:9000/reapi"),
    ("http://localhost:9000/reapi", "http://localhost:9000/reapi"),
    ("http://localhost:9000/reapi/../aivideo/v1", "http://localhost:9000/reapi"),
    ("http://localhost:9000/reapi/%2e%2e/aivideo/v1", "http://localhost:9000/reapi"),
    ("http://localhost:9000/reapi/..%2faivideo/v1", "http://localhost:9000/reapi"),
    ("http://localhost:9000/reapi/%5c..%5cx", "http://localhost:9000/reapi"),
    ("nonsense", "https://api.x.ai"),
    ("https://api.x.ai/v1", "nonsense"),
]


@pytest.mark.parametrize(("url", "base"), BELOW)
def test_the_key_travels(url: str, base: str) -> None:
    assert is_below(url, base)


@pytest.mark.parametrize(("url", "base"), NOT_BELOW)
def test_the_key_stays(url: str, base: str) -> None:
    assert not is_below(url, base)


@given(st.text(max_size=60) | st.text(alphabet="htps:/.@[]%0x127:localhst\\?#", max_size=40).map("https://".__add__))
def test_any_text_is_judged(url: str) -> None:
    fault_of(url)
    fault_of(url, allow_private=True)
    is_loopback(url)
    is_below(url, "https://api.x.ai")
    is_private_host(url)


@given(st.integers(0, 2**32 - 1))
def test_every_spelling_of_an_address_is_judged_alike(value: int) -> None:
    parts = value.to_bytes(4, "big")
    dotted = ".".join(str(part) for part in parts)
    spellings = [
        str(value) if value > 255 else dotted,
        hex(value),
        f"0{value:o}",
        ".".join(hex(part) for part in parts),
        ".".join(f"0{part:o}" for part in parts),
        f"{parts[0]}.{int.from_bytes(parts[1:], 'big')}",
        dotted + ".",
    ]
    assert {is_private_host(spelled) for spelled in spellings} == {is_private_host(dotted)}
