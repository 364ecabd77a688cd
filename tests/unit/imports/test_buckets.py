"""Object storage: objects as another client lists and reads them, signed as AWS asks, called where it was checked."""

from __future__ import annotations

import hashlib
import random
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import httpx
import pyarrow.fs
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from quanyu.plugins.connectors.s3.place import S3, S3Config
from quanyu.plugins.connectors.s3.signing import Signature, _canonical
from quanyu.sdk.place import FileFailed, PlaceFailed, Surroundings
from tests.unit.imports.conftest import bucket

NAME = "storage.invalid"  # no resolver knows it: whoever looks it up again gets nowhere
PUBLIC, PRIVATE = "127.0.0.2", "127.0.0.1"


def s3(endpoint: str, around: Surroundings, **more: object) -> S3:
    given = {"endpoint": endpoint, "bucket": "orders", "access_key": "key", "secret_key": "secret"}
    return S3(S3Config.model_validate(given | more), around)


# ------------------------------------------------------------------------------------------------------- a real server
def filled(server: str, name: str, objects: dict[str, bytes]) -> pyarrow.fs.S3FileSystem:
    """Another client, and a bucket with objects."""
    other = bucket(server, name)
    for key, data in objects.items():
        with other.open_output_stream(f"{name}/{key}") as out:
            out.write(data)
    return other


def test_objects_are_listed_and_read_as_another_client_does(storage_server: str) -> None:
    keys = ["daily/1.csv", "daily/中文 名+1%20&=?#.csv", "daily/deep/2.csv", "daily.csv", "other/3.csv"]
    data = {key: f"{key}\n".encode() * 10 for key in keys}
    other = filled(storage_server, "named", data)
    other.create_dir("named/daily/empty")
    place = s3(storage_server, Surroundings(allow_private=True), bucket="named", prefix="daily")
    wanted = [
        (item.path, item.size, f"{item.size}:{item.mtime_ns}")
        for item in other.get_file_info(pyarrow.fs.FileSelector("named/daily", recursive=True))
        if item.type == pyarrow.fs.FileType.File
    ]
    found = list(place.files())
    assert [(item.path, item.size, item.stamp) for item in found] == sorted(wanted)
    assert [item.path for item in found] == sorted(f"named/{key}" for key in keys[:3])
    assert {item.path: place.read(item.path) for item in found} == {f"named/{key}": data[key] for key in keys[:3]}


def test_a_key_with_parts_of_dots_is_read_as_it_is_called(storage_server: str) -> None:
    filled(storage_server, "dotted", {"here/1.csv": b"another"})
    assert httpx.put(f"{storage_server}/dotted/here/%2E%2E/here/%2E/1.csv", content=b"this").status_code == 200
    place = s3(storage_server, Surroundings(allow_private=True), bucket="dotted")
    assert {item.path: place.read(item.path) for item in place.files()} == {
        "dotted/here/1.csv": b"another",
        "dotted/here/../here/./1.csv": b"this",
    }
    request = signed(str(place._address("here/./1.csv", "")))
    assert request.url.raw_path == b"/dotted/here/%2E/1.csv"
    assert _canonical(request).split("\n")[1] == "/dotted/here/./1.csv"


def test_a_list_of_many_pages_is_read_to_its_end(storage_server: str) -> None:
    filled(storage_server, "many", {f"{number:04}.csv": b"x" for number in range(1, 1003)})
    found = list(s3(storage_server, Surroundings(allow_private=True), bucket="many", pattern="*2.csv").files())
    assert [item.path for item in found] == [f"many/{number:04}.csv" for number in range(2, 1003, 10)]


def test_what_is_not_there_is_said_in_words(storage_server: str) -> None:
    around = Surroundings(allow_private=True)
    filled(storage_server, "sparse", {"here/1.csv": b"x"})
    for place, why in (
        (s3(storage_server, around, bucket="absent"), "HTTP 404 NoSuchBucket"),
        (s3(storage_server, around, bucket="sparse", prefix="there"), "nothing lies below there/"),
        (s3("http://here:there", around), "http://here:there"),
        (s3("http://127.0.0.1:1", around), "ConnectError"),
    ):
        with pytest.raises(PlaceFailed, match=f"storage_unreachable: .*{why}"):
            list(place.files())
    with pytest.raises(FileFailed, match="HTTP 404 NoSuchKey"):  # of this one: those behind it go on
        s3(storage_server, around, bucket="sparse").read("sparse/here/2.csv")


# ------------------------------------------------------------------------------------------------------------ signing
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AT = datetime(2013, 5, 24, tzinfo=UTC)


def signed(url: str, at: datetime = AT, region: str = "us-east-1") -> httpx.Request:
    return next(Signature(KEY, SECRET, region, lambda: at).auth_flow(httpx.Request("GET", url)))


@pytest.mark.parametrize(
    ("query", "signature"),
    [
        ("lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
)
def test_the_examples_of_the_protocols_document_are_signed_as_printed_there(query: str, signature: str) -> None:
    request = signed(f"https://examplebucket.s3.amazonaws.com/?{query}")
    assert request.headers["authorization"].endswith(f"Signature={signature}")


def test_requests_are_signed_as_awss_own_library_does(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(3)
    letters = "aZ09-_.~ /+&=%?#中é'()*!"
    for _ in range(200):
        key = "k" + "".join(chance.choices(letters, k=12)).replace("/.", "/k.").replace("//", "/x")
        asked = sorted({chance.choice("pqr"): "".join(chance.choices(letters, k=6)) for _ in range(3)}.items())
        query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in asked)
        url = f"https://b.example.com:8443/{quote(key, safe='/-_.~')}?{query}"
        at = AT + timedelta(seconds=chance.randrange(10**9))
        mine = signed(url, at, "cn-north-1")
        theirs = AWSRequest("GET", url, headers={"x-amz-content-sha256": hashlib.sha256(b"").hexdigest()})
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda at=at, **_: at.replace(tzinfo=None))
        S3SigV4Auth(Credentials(KEY, SECRET), "s3", "cn-north-1").add_auth(theirs)
        assert mine.headers["authorization"].replace(",", ", ") == theirs.headers["Authorization"], url


# ------------------------------------------------------------------------------------------------------------ the pin
class Bucket(BaseHTTPRequestHandler):
    """A bucket with nothing in it, and who asked for it."""

    def do_GET(self) -> None:
        self.server.asked.append((self.headers["Host"], self.path))  # type: ignore[attr-defined]
        body = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listening(address: str, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[ThreadingHTTPServer]:
    served = ThreadingHTTPServer((address, port), Bucket)
    served.asked = []  # type: ignore[attr-defined]
    if tls:
        served.socket = tls.wrap_socket(served.socket, server_side=True)
    thread = threading.Thread(target=served.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield served
    finally:
        served.shutdown()
        thread.join()
        served.server_close()


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    """One address of this machine counts as one of the open internet, the other stays private."""
    monkeypatch.setattr("quanyu.sdk.outbound.is_public", lambda address: address == PUBLIC)


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize("private", [PRIVATE, "169.254.169.254"])
def test_a_name_that_turns_private_after_it_was_checked_never_leads_there(private: str) -> None:
    answers = [PUBLIC, private]
    looked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        looked.append(host)
        return [answers[min(len(looked), len(answers)) - 1]]

    with listening(PUBLIC) as there, listening(PRIVATE, there.server_port) as inside:
        place = s3(f"http://{NAME}:{there.server_port}", Surroundings(resolver=resolver))
        assert list(place.files()) == []
        assert looked == [NAME], "resolved once for one call"
        with pytest.raises(PlaceFailed, match="address_refused"):
            list(place.files())
        with pytest.raises(PlaceFailed, match="address_refused"):
            place.read("orders/1.csv")
        assert [host for host, _ in there.asked] == [f"{NAME}:{there.server_port}"]  # type: ignore[attr-defined]
        assert inside.asked == []  # type: ignore[attr-defined]


@pytest.mark.usefixtures("public")
def test_a_name_with_one_private_address_among_others_is_refused() -> None:
    with listening(PUBLIC) as there:
        around = Surroundings(resolver=lambda *_: [PUBLIC, PRIVATE])
        with pytest.raises(PlaceFailed, match="address_refused"):
            list(s3(f"http://{NAME}:{there.server_port}", around).files())
        assert there.asked == []  # type: ignore[attr-defined]


def certified(folder: Path, name: str) -> ssl.SSLContext:
    """TLS with a certificate for the name, by an authority that `folder/ca.pem` names."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


@pytest.mark.usefixtures("public")
@pytest.mark.parametrize(("certificate", "fits"), [(f"orders.{NAME}", True), (NAME, False), ("other.invalid", False)])
def test_tls_verifies_the_name_of_the_host_and_not_the_address(
    certificate: str, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = certified(tmp_path, certificate)
    monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "ca.pem"))
    with listening(PUBLIC, tls=tls) as there:
        place = s3(f"{NAME}:{there.server_port}", Surroundings(resolver=lambda *_: [PUBLIC]), virtual_hosted=True)
        if fits:
            assert list(place.files()) == []
            host, path = there.asked[0]  # type: ignore[attr-defined]
            assert (host, path.partition("?")[0]) == (f"orders.{NAME}:{there.server_port}", "/")
        else:
            with pytest.raises(PlaceFailed, match=r"storage_unreachable: .*certificate"):
                list(place.files())
            assert there.asked == []  # type: ignore[attr-defined]


def test_without_an_endpoint_it_is_awss_for_the_region() -> None:
    def url(**more: object) -> str:
        place = s3("", Surroundings(), **more)
        return str(place._address("a/b c.csv", ""))

    assert url(region="eu-west-1") == "https://orders.s3.eu-west-1.amazonaws.com/a/b%20c.csv"
    assert url(region="cn-north-1") == "https://orders.s3.cn-north-1.amazonaws.com.cn/a/b%20c.csv"
    assert url(bucket="or.ders") == "https://s3.us-east-1.amazonaws.com/or.ders/a/b%20c.csv"


@pytest.mark.parametrize(
    "more", [{"region": "x.evil.example/"}, {"region": ""}, {"bucket": "10.0.0.1/b"}, {"bucket": "b@10.0.0.1"}]
)
def test_region_and_bucket_cannot_name_another_host(more: dict[str, str]) -> None:
    given = {"bucket": "orders", "secret_key": "x"}
    assert S3Config.model_validate(given).region == "us-east-1"
    with pytest.raises(ValidationError, match=next(iter(more))):
        S3Config.model_validate(given | more)
