"""Sending to addresses that somebody typed in: public ones, exactly as judged, and patiently with whoever hangs."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from alert_receiver import Receiver, receiving

from finops.alert_delivery import RETRY_AFTER_MAX, Verdict
from query_api.alerting.addresses import Refused, networks, target, why_refused
from query_api.alerting.outbound import Outbound, Post

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.0/8"),)


class Names:
    """A resolver that a test, or an attacker, controls: each look-up gets the next answer, the last for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def outbound(names: Names | None = None, seconds_max: float = 10.0, allowed: Sequence = LOOPBACK) -> Outbound:  # type: ignore[type-arg]
    return Outbound(allowed, lambda: NOW, names, seconds_max=seconds_max)


def post(url: str) -> Post:
    return Post(url, {"X-Test": "1"}, b'{"a": 1}')


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def test_a_request_arrives_whole_and_is_delivered(receiver: Receiver) -> None:
    attempt = await outbound().post(post(f"{receiver.url}/hook?a=b"))
    assert (attempt.verdict, attempt.status) == (Verdict.SENT, 200)
    (request,) = receiver.requests
    assert (request.path, request.headers["x-test"], request.json) == ("/hook?a=b", "1", {"a": 1})


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",
        "169.254.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "ff02::1",
    ],
)
async def test_nothing_is_sent_to_an_address_that_is_not_public(address: str) -> None:
    names = Names([address])
    public = outbound(names, allowed=())
    with pytest.raises(Refused):
        await public.check("https://hook.example/x")
    attempt = await public.post(post("https://hook.example/secret-path"))
    assert attempt.verdict is Verdict.AGAIN
    assert attempt.fault.startswith("nothing was sent")
    assert "secret-path" not in attempt.fault


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_public_addresses_may_be_spoken_to_over_tls_alone(address: str) -> None:
    assert why_refused(address, (), secure=True) is None
    assert why_refused(address, (), secure=False) == "must be spoken to over https"


def test_networks_that_the_operator_named_are_allowed_but_never_metadata() -> None:
    everything = networks("0.0.0.0/0, ::/0")
    assert why_refused("10.0.0.1", everything, secure=False) is None
    for address in ("169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254"):
        assert why_refused(address, everything, secure=True) == "is a metadata service"


async def test_one_private_address_among_public_ones_refuses_the_name(receiver: Receiver) -> None:
    with pytest.raises(Refused):
        await outbound(Names(["93.184.216.34", "10.0.0.1"])).check("https://hook.example/")


async def test_a_name_that_is_bound_to_another_address_after_the_check_gets_nothing(receiver: Receiver) -> None:
    names = Names(["93.184.216.34"], ["127.0.0.1"])
    public = outbound(names, allowed=())
    await public.check(f"https://hook.example:{receiver.port}/")
    attempt = await public.post(post(f"https://hook.example:{receiver.port}/"))
    assert attempt.fault.startswith("nothing was sent")
    assert receiver.connections == 0


async def test_the_connection_goes_to_the_address_that_was_judged_without_asking_again(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"], ["10.255.255.1"])
    attempt = await outbound(names).post(post(f"http://hook.example:{receiver.port}/"))
    assert attempt.verdict is Verdict.SENT
    assert names.asked == 1
    assert receiver.requests[0].headers["host"] == f"hook.example:{receiver.port}"


async def test_the_next_address_is_tried_where_one_does_not_listen(receiver: Receiver) -> None:
    # Nobody listens on 127.0.0.2 but where a test does.
    attempt = await outbound(Names(["127.0.0.2", "127.0.0.1"])).post(post(f"http://x.example:{receiver.port}/"))
    assert attempt.verdict is Verdict.SENT


async def test_redirects_are_not_followed(receiver: Receiver) -> None:
    async with receiving() as inner:
        location = f"HTTP/1.1 307 X\r\nLocation: {inner.url}/admin\r\nContent-Length: 0\r\n\r\n"
        receiver.answers = [location.encode()]
        attempt = await outbound().post(post(receiver.url))
        assert (attempt.verdict, attempt.status) == (Verdict.NEVER, 307)
        assert inner.connections == 0


async def test_whoever_hangs_is_left(receiver: Receiver) -> None:
    receiver.answers = [None]
    async with asyncio.timeout(5):
        attempt = await outbound(seconds_max=0.3).post(post(receiver.url))
    assert (attempt.verdict, attempt.fault) == (Verdict.AGAIN, "no answer within 0.3 seconds")


async def test_whoever_never_ends_the_answer_is_not_listened_to(receiver: Receiver) -> None:
    receiver.answers = [b"HTTP/1.1 200 X\r\nContent-Length: 1000000000000\r\n\r\n" + b"x" * 100_000]
    assert (await outbound().post(post(receiver.url))).verdict is Verdict.SENT
    receiver.answers = [b"HTTP/1.1 200 X\r\n" + b"A: " + b"x" * 1_000_000]
    assert (await outbound().post(post(receiver.url))).verdict is Verdict.AGAIN


@pytest.mark.parametrize("garbage", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 999999\r\n\r\n", b"\x00" * 100])
async def test_whoever_does_not_speak_http_is_tried_again(receiver: Receiver, garbage: bytes) -> None:
    receiver.answers = [garbage]
    assert (await outbound().post(post(receiver.url))).verdict is Verdict.AGAIN


async def test_nobody_there_is_tried_again() -> None:
    async with receiving() as gone:
        url = gone.url
    attempt = await outbound().post(post(url))
    assert (attempt.verdict, attempt.fault) == (Verdict.AGAIN, "no connection could be made")


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        ("120", timedelta(minutes=2)),
        ("Fri, 20 Nov 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Fri, 20 Nov 2020 12:05:00 GMT", timedelta()),
        ("999999999", RETRY_AFTER_MAX),
        ("soon", None),
        ("-5", None),
    ],
)
async def test_retry_after_is_heard(receiver: Receiver, said: str, rest: timedelta | None) -> None:
    receiver.answers = [f"HTTP/1.1 429 X\r\nRetry-After: {said}\r\nContent-Length: 0\r\n\r\n".encode()]
    attempt = await outbound().post(post(receiver.url))
    assert (attempt.verdict, attempt.retry_after) == (Verdict.AGAIN, rest)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook.example",
        "ftp://hook.example/",
        "file:///etc/passwd",
        "gopher://hook.example/",
        "https://",
        "https://user:pass@hook.example/",
        "https://hook.example/#x",
        "https://hook.example:99999/",
        "https://hook.example/\r\nX: y",
        "https://hook.example\\@127.0.0.1/",
        "https://ex ample/",
        "https://münchen.example/",
        "https://[::1/",
        "https://hook.example/" + "x" * 2048,
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        target(url)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_other_spellings_of_this_machine_are_refused_by_the_systems_own_resolver(host: str) -> None:
    with pytest.raises(Refused):
        await outbound(allowed=()).check(f"https://{host}/")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of its own for hook.example."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, so there is no certificate to try")
    at = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=hook.example -addext subjectAltName=DNS:hook.example"
    made = ["openssl", *words.split(), "-keyout", str(at / "key.pem"), "-out", str(at / "cert.pem")]
    subprocess.run(made, check=True, capture_output=True)
    return at


@pytest.mark.parametrize(("name", "fault"), [("hook.example", ""), ("other.example", "its certificate is not valid")])
async def test_a_certificate_must_be_for_the_name_though_the_address_is_pinned(
    certificate: Path, name: str, fault: str
) -> None:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    trust = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    async with receiving(server) as receiver:
        sender = Outbound(LOOPBACK, lambda: NOW, Names(["127.0.0.1"]), trust)
        attempt = await sender.post(post(f"https://{name}:{receiver.port}/"))
        assert attempt.fault == fault
        untrusting = Outbound(LOOPBACK, lambda: NOW, Names(["127.0.0.1"]))
        attempt = await untrusting.post(post(f"https://hook.example:{receiver.port}/"))
        assert attempt.fault == "its certificate is not valid"
