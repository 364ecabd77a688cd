"""Objects of a bucket, by pyarrow's own S3 client."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any, cast
from urllib.parse import urlsplit

from pyarrow import ArrowException
from pyarrow import fs as arrow_fs
from pydantic import Field

from quanyu.sdk import Config, Label, Problem, Secret
from quanyu.sdk.place import FilePlace, PlacedFile, PlaceFailed


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
        storage, config = self._open(), self._config
        below = f"{config.bucket}/{config.prefix}".rstrip("/")
        try:
            found = storage.get_file_info(arrow_fs.FileSelector(below, recursive=True, allow_not_found=False))
        except (OSError, ArrowException) as error:
            raise _unreachable(config, error) from error
        for item in sorted(found, key=lambda one: one.path):
            if item.type == arrow_fs.FileType.File and fnmatch(item.base_name, config.pattern):
                yield PlacedFile(item.path, item.size or 0, f"{item.size}:{item.mtime_ns}")

    def read(self, path: str) -> bytes:
        """The bytes of an object."""
        try:
            with self._open().open_input_stream(path) as stream:
                return bytes(stream.readall())
        except (OSError, ArrowException) as error:
            raise _unreachable(self._config, error) from error

    @property
    def _config(self) -> S3Config:
        return cast(S3Config, self.config)

    def _open(self) -> Any:
        config = self._config
        options: dict[str, Any] = {"region": config.region, "connect_timeout": 5, "request_timeout": 60}
        if config.endpoint:
            given = config.endpoint if "://" in config.endpoint else f"https://{config.endpoint}"
            address = urlsplit(given)
            # Checked before each use. The client, which takes no address in place of a name, looks it up again.
            port = address.port or (443 if address.scheme == "https" else 80)
            host = address.hostname or ""
            self.around.check_host(f"{config.bucket}.{host}" if config.virtual_hosted else host, port)
            options |= {"endpoint_override": address.netloc, "scheme": address.scheme}
            options["force_virtual_addressing"] = config.virtual_hosted
        if config.access_key:
            options |= {"access_key": config.access_key, "secret_key": config.secret_key.get_secret_value()}
        else:
            options["anonymous"] = True  # never the credentials of the machine that the service runs on
        return arrow_fs.S3FileSystem(**options)


def _unreachable(config: S3Config, error: Exception) -> PlaceFailed:
    why = str(error).splitlines()[0][:200]
    return PlaceFailed(
        Problem(
            "storage_unreachable",
            Label(f"读不到存储桶 {config.bucket}：{why}", f"The bucket {config.bucket} cannot be read: {why}"),
            Label(
                "请检查服务地址、地域、桶名、前缀与密钥权限",
                "Check endpoint, region, bucket, prefix and the key's rights",
            ),
        )
    )
