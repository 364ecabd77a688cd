"""Objects of a bucket, listed and read over the host's guarded HTTP client.

That client, unlike those of S3 libraries, calls the very address it checked while TLS and signature name the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from typing import cast
from urllib.parse import quote, unquote_plus
from xml.etree import ElementTree as ET

import httpx
from pydantic import Field

from quanyu.plugins.connectors.s3.signing import Signature
from quanyu.sdk import Config, Label, Problem, Secret
from quanyu.sdk.outbound import AddressRefused
from quanyu.sdk.place import FileFailed, FilePlace, PlacedFile, PlaceFailed

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNRESERVED = "-_.~"
_MOST_LISTED = 1_000_000
_PAGE_BYTES = 16_000_000  # of one answer with 1,000 objects
_OBJECT_BYTES = 1 << 30
_OF_THE_OBJECT = (403, 404)  # archived, of another owner, or gone: its bucket was just listed


class S3Config(Config):
    """Where the objects lie and with which key."""

    endpoint: str = Field("", title="服务地址，AWS 可不填 · Endpoint, empty for AWS")
    # Both may become part of the host's name, which they must not lead elsewhere.
    region: str = Field("us-east-1", pattern=r"^[A-Za-z0-9-]{1,50}$", title="地域 · Region")
    bucket: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", title="存储桶 · Bucket")
    prefix: str = Field("", title="前缀 · Prefix")
    pattern: str = Field("*", min_length=1, max_length=100, title="文件名 · File name")
    access_key: str = Field("", title="Access Key")
    secret_key: Secret = Field(title="Secret Key")
    virtual_hosted: bool = Field(False, title="桶名在域名里（OSS、COS） · Bucket in the host name (OSS, COS)")


class S3(FilePlace):
    """A bucket of storage that speaks S3."""

    def files(self) -> Iterator[PlacedFile]:
        """Objects below the prefix by name."""
        config = self._config
        below = f"{config.prefix.strip('/')}/" if config.prefix.strip("/") else ""
        found: list[PlacedFile] = []
        more: str | None = ""
        with self._client() as http:
            while more is not None:
                asked = {"list-type": "2", "prefix": below, "encoding-type": "url"}
                page = self._page(http, asked | ({"continuation-token": more} if more else {}))
                found += self._listed(page)
                more = _text(page, "NextContinuationToken") or None
                if len(found) > _MOST_LISTED:
                    raise self._unreachable(f"more than {_MOST_LISTED:,} objects")
        if below and not found:
            raise self._unreachable(f"nothing lies below {below}")
        for item in sorted(found, key=lambda one: one.path):
            name = item.path.rsplit("/", 1)[-1]
            if name and fnmatch(name, config.pattern):
                yield item

    def read(self, path: str) -> bytes:
        """The bytes of an object."""
        key = path.removeprefix(f"{self._config.bucket}/")
        with self._client() as http:
            return self._get(http, key, "", _OBJECT_BYTES)

    @property
    def _config(self) -> S3Config:
        return cast(S3Config, self.config)

    def _client(self) -> httpx.Client:
        http, config = self.around.client(timeout=60.0), self._config
        if config.access_key:  # without one anonymously, never with the credentials of the machine
            http.auth = Signature(config.access_key, config.secret_key.get_secret_value(), config.region)
        http.headers["Accept-Encoding"] = "identity"  # objects are taken as they lie there
        return http

    def _address(self, key: str, query: str) -> httpx.URL:
        config = self._config
        # AWS by its regional name; a dot in the bucket's name would not fit the certificate's wildcard.
        of_aws = f"https://s3.{config.region}.amazonaws.com{'.cn' if config.region.startswith('cn-') else ''}"
        given = config.endpoint or of_aws
        in_host = config.virtual_hosted or (not config.endpoint and "." not in config.bucket)
        path = quote(f"/{key}" if in_host else f"/{config.bucket}/{key}", safe=f"/{_UNRESERVED}")
        # A part of a key that is only dots is no way up or down: an URL would lose it.
        path = "/".join(part.replace(".", "%2E") if part in (".", "..") else part for part in path.split("/"))
        try:
            base = httpx.URL(given if "://" in given else f"https://{given}")
            return httpx.URL(
                scheme=base.scheme,
                host=f"{config.bucket}.{base.host}" if in_host else base.host,
                port=base.port,
                raw_path=f"{path}{'?' if query else ''}{query}".encode(),
            )
        except httpx.InvalidURL as error:
            raise self._unreachable(f"{given}: {error}") from error

    def _get(self, http: httpx.Client, key: str, query: str, most: int) -> bytes:
        body = bytearray()
        try:
            with http.stream("GET", self._address(key, query)) as answer:
                for chunk in answer.iter_raw():
                    body += chunk
                    if len(body) > most:
                        raise self._unreachable(f"an answer of more than {most:,} bytes")
        except AddressRefused as refused:
            raise PlaceFailed(refused.problem) from refused
        except httpx.HTTPError as error:
            raise self._unreachable(f"{type(error).__name__} {error}") from error
        if answer.status_code != httpx.codes.OK:
            try:
                said = _parsed(body)
                why = f"{_text(said, 'Code')}: {_text(said, 'Message')}"
            except ValueError:
                why = ""
            failed = self._unreachable(f"HTTP {answer.status_code} {why}")
            if key and answer.status_code in _OF_THE_OBJECT:
                raise FileFailed(failed.problem)
            raise failed
        return bytes(body)

    def _page(self, http: httpx.Client, asked: dict[str, str]) -> ET.Element:
        query = "&".join(f"{name}={quote(value, safe=_UNRESERVED)}" for name, value in sorted(asked.items()))
        body = self._get(http, "", query, _PAGE_BYTES)
        try:
            page = _parsed(body)
        except ValueError:
            raise self._unreachable("the answer is no XML") from None
        if not page.tag.endswith("ListBucketResult"):
            raise self._unreachable("the answer is no list of objects")
        return page

    def _listed(self, page: ET.Element) -> Iterator[PlacedFile]:
        encoded = _text(page, "EncodingType") == "url"
        for item in page.iterfind("{*}Contents"):
            key = _text(item, "Key")
            try:
                size = int(_text(item, "Size"))
                changed = datetime.fromisoformat(_text(item, "LastModified")) - _EPOCH
            except (ValueError, TypeError):
                raise self._unreachable("the answer is no list of objects") from None
            stamp = f"{size}:{changed // timedelta(microseconds=1) * 1000}"
            yield PlacedFile(f"{self._config.bucket}/{unquote_plus(key) if encoded else key}", size, stamp)

    def _unreachable(self, why: str) -> PlaceFailed:
        bucket, short = self._config.bucket, " ".join(why.split())[:200]
        return PlaceFailed(
            Problem(
                "storage_unreachable",
                Label(f"读不到存储桶 {bucket}：{short}", f"The bucket {bucket} cannot be read: {short}"),
                Label(
                    "请检查服务地址、地域、桶名、前缀与密钥权限",
                    "Check endpoint, region, bucket, prefix and the key's rights",
                ),
            )
        )


def _parsed(body: bytes | bytearray) -> ET.Element:
    """The XML of an answer. Raises ValueError for what is none, and for a declaration of entities that could grow."""
    if b"<!DOCTYPE" in body or b"\0" in body:
        raise ValueError("declarations")
    try:
        return ET.fromstring(bytes(body))  # noqa: S314 - nothing can be declared
    except ET.ParseError as error:
        raise ValueError(str(error)) from error


def _text(element: ET.Element, name: str) -> str:
    return element.findtext(f"{{*}}{name}") or ""
