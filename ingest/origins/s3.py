"""S3 and what speaks it, through s3fs: pages of keys, and bytes that are those of the listed etag."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

from ingest.origins.store import Thing, plain, shown, unavailable
from ragapp.errors import PassingFault, SourceUnavailable

_PIECE = 1 << 20
_CONNECT_S = 5
_READ_S = 60
_CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials"
_REFUSED = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "AuthorizationHeaderMalformed",
}


class S3:
    """The keys of a bucket below a prefix. `s3://bucket/folder?endpoint_url=https://…`; without it,
    AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, ~/.aws/config, or Amazon's own."""

    here = False

    def __init__(self, url: str) -> None:
        rest, _, query = url.partition("://")[2].partition("?")
        self._bucket, _, prefix = rest.partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.url = f"s3://{self._bucket}/{self._prefix}".rstrip("/")
        if not self._bucket:
            raise SourceUnavailable("The address names no bucket; write it as s3://bucket/folder.")
        options = parse_qs(query)
        if unknown := set(options) - {"endpoint_url"}:
            raise SourceUnavailable(
                f"{self.url} is followed by ?{', '.join(sorted(unknown))}, which means nothing here; "
                "only endpoint_url does."
            )
        self._fs = _connected((options.get("endpoint_url") or [""])[0] or None, self.url)
        self._page(MaxKeys=1)

    def walk(self) -> Iterator[Thing]:
        token: dict[str, str] = {}
        while True:
            page = self._page(**token)
            for found in page.get("Contents", []):
                yield self._thing(found)
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def read(self, locator: bytes, offset: int, fingerprint: str) -> Iterator[bytes]:
        from fsspec.asyn import sync

        etag = fingerprint.partition(":")[0]
        asked: dict[str, Any] = {"IfMatch": f'"{etag}"'}
        if offset:
            asked["Range"] = f"bytes={offset}-"
        try:
            answer = self._fs.call_s3("get_object", Bucket=self._bucket, Key=locator.decode("utf-8"), **asked)
            if answer.get("ETag", "").strip('"') != etag:
                raise _changed()
            body = answer["Body"]
            try:
                while piece := sync(self._fs.loop, body.read, _PIECE, timeout=2 * _READ_S):
                    yield piece
            finally:
                body.close()
        except (PassingFault, GeneratorExit):
            raise
        except Exception as error:
            code = _code(error)
            if code in ("PreconditionFailed", "412"):
                raise _changed() from None
            if isinstance(error, OSError):
                raise
            raise OSError(plain(error)) from None

    def close(self) -> None:
        """Connections belong to the event loop of fsspec and end with their client."""
        client, self._fs._s3 = self._fs._s3, None
        if client is not None:
            self._fs.close_session(self._fs.loop, client)

    def _page(self, **asked: Any) -> dict[str, Any]:
        try:
            page: dict[str, Any] = self._fs.call_s3(
                "list_objects_v2", Bucket=self._bucket, Prefix=self._prefix, **asked
            )
        except Exception as error:  # noqa: BLE001 - drivers raise what they like; said in one sentence
            raise _reason(error, self.url, self._bucket) from None
        return page

    def _thing(self, found: dict[str, Any]) -> Thing:
        key: str = found["Key"]
        path, locator = os.fsencode(key[len(self._prefix) :]), key.encode("utf-8", "surrogateescape")
        if key.endswith("/"):
            return Thing(path, locator, left_out="the mark of a folder")
        if found.get("StorageClass") in ("GLACIER", "DEEP_ARCHIVE"):
            return Thing(path, locator, left_out="it lies in an archive tier; restore it first", failed=True)
        size = int(found["Size"])
        return Thing(path, locator, size, found.get("LastModified"), f"{found.get('ETag', '').strip(chr(34))}:{size}")


def _connected(endpoint: str | None, url: str) -> Any:
    try:
        import s3fs
    except ImportError:
        raise SourceUnavailable("s3:// needs a package that is not installed: pip install 'ragapp[s3]'") from None
    timing = {"connect_timeout": _CONNECT_S, "read_timeout": _READ_S, "retries": {"max_attempts": 1}}
    try:
        fs = s3fs.S3FileSystem(
            endpoint_url=endpoint, config_kwargs=timing, skip_instance_cache=True, use_listings_cache=False
        )
        fs.retries = 2
        fs.connect()
    except Exception as error:  # noqa: BLE001 - drivers raise what they like; said in one sentence
        raise _reason(error, url, "") from None
    return fs


def _changed() -> PassingFault:
    return PassingFault("The file changed while it was read; the next run takes it as it is then.")


def _code(error: BaseException) -> str:
    """What the server called the fault; s3fs turns it into an OSError and keeps the answer as its cause."""
    for one in (error, error.__cause__, error.__context__):
        answer = getattr(one, "response", None)
        if isinstance(answer, dict):
            return str(answer.get("Error", {}).get("Code", ""))
    return ""


def _reason(error: Exception, url: str, bucket: str) -> SourceUnavailable:
    code, kind = _code(error), type(error).__name__
    if kind in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound"):
        return unavailable(url, f"no credentials were found; set {_CREDENTIALS}")
    if code in _REFUSED:
        return unavailable(url, f"the server refuses the credentials ({code}); check {_CREDENTIALS}")
    if code in ("NoSuchBucket", "404"):
        return unavailable(
            url, f"there is no bucket {shown(bucket)} at this endpoint; check its name and AWS_ENDPOINT_URL_S3"
        )
    if isinstance(error, PermissionError):
        return unavailable(
            url, f"these credentials may not list it ({code or 'AccessDenied'}); give them s3:ListBucket"
        )
    if kind in (
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ConnectionError",
        "FSTimeoutError",
        "ReadTimeoutError",
    ):
        return unavailable(url, "its server can't be reached; check the network and AWS_ENDPOINT_URL_S3")
    if kind == "ParamValidationError":
        return unavailable(url, f"{shown(bucket)} is no name a bucket can have")
    return unavailable(url, f"{code} {plain(error)}".strip().rstrip("."))
