"""What writes have in common: they fit the version that was read, and one that is sent twice happens once."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import orjson
from fastapi import Header
from psycopg.types.json import Jsonb
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.answers import etag, to_json
from api.shapes import Problem
from matcher.errors import ConflictError, InputError, MatcherError
from matcher.store.desk import Acting
from matcher.store.locks import hold

KEY_HEADER, REPLAYED = "idempotency-key", "idempotency-replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_KEPT_HEADERS = ("etag", "location", "content-type")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", examples=["6a1f0c9e-2b7d"],
        description="1 to 200 visible ASCII characters: the same request under the same key is done once",
    ),
]  # fmt: skip
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", description="ETag of the record as it was read; 428 without, 412 when it changed"),
]


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The refusals that only writes have."""
    told = {
        409: "It collides with the present state, or the Idempotency-Key was used for another request",
        412: "The record is no longer what If-Match names",
        428: "If-Match is missing",
    }
    return {code: {"model": Problem, "description": told[code]} for code in codes}


async def keyed(_: IdempotencyKey = None) -> None:
    """The address takes an Idempotency-Key, which `once` reads."""


async def matched(_: IfMatch = None) -> None:
    """The address needs If-Match, which `require_match` reads."""


class MissingMatchError(MatcherError):
    """A change does not say which version of the record it is made to."""


class StaleMatchError(MatcherError):
    """The record is no longer what the caller read."""


def tag_of(content: Mapping[str, Any]) -> str:
    """The entity tag that `answers.record` gives the same content."""
    return etag(b"json", to_json(content))


def require_match(request: Request) -> str:
    """The If-Match header.

    Raises:
        MissingMatchError: there is none.
    """
    held = request.headers.get("if-match")
    if held is None:
        raise MissingMatchError("A change needs If-Match with the ETag of the record as you read it; GET it first.")
    return held


def check_match(held: str, content: Mapping[str, Any]) -> None:
    """The caller's If-Match fits the record as it stands (compared strongly, as RFC 9110 asks).

    Raises:
        StaleMatchError: it does not.
    """
    if held.strip() != "*" and tag_of(content) not in {h.strip() for h in held.split(",")}:
        raise StaleMatchError("The record has changed since you read it; nothing was written. GET it again.")


def created(content: Mapping[str, Any], location: str) -> Response:
    """201 with the new record, its address and its ETag."""
    headers = {"etag": tag_of(content), "location": location, "cache-control": "no-cache"}
    return Response(to_json(content), status_code=201, media_type="application/json", headers=headers)


def changed(content: Mapping[str, Any]) -> Response:
    """200 with the record as it is now, and its ETag."""
    headers = {"etag": tag_of(content), "cache-control": "no-cache"}
    return Response(to_json(content), media_type="application/json", headers=headers)


def content_of(body: BaseModel | None) -> bytes:
    """What makes two requests the same: what was sent in the body, however it was spaced."""
    sent = {} if body is None else body.model_dump(mode="json", exclude_unset=True)
    return orjson.dumps(sent, option=orjson.OPT_SORT_KEYS)


def once(
    request: Request, acting: Acting, content: bytes, work: Callable[[], Response], *, key: str | None = None
) -> Response:
    """The answer of `work`, which is done once for each Idempotency-Key of the caller.

    The answer is kept in the transaction of the write itself: after a crash either both are there or neither is. Of
    two requests at the same time the second waits and gets the answer of the first. A refusal is not kept.

    Args:
        acting: the open transaction in which `work` writes.
        content: what distinguishes this request from others to the same address, see `content_of`.
        work: writes and answers, without a body that is streamed.
        key: where a form sent one; default: that of the header.

    Raises:
        InputError: the key is empty, too long, or holds what is no visible ASCII character.
        ConflictError: the key was used for another request, or the first one takes too long.
    """
    key = request.headers.get(KEY_HEADER) if key is None else key
    if key is None:
        return work()
    if not _KEY.fullmatch(key):
        expected = "1 to 200 visible ASCII characters"
        seen = f"{len(key)} characters"
        raise InputError(
            f"Idempotency-Key has {seen}; expected {expected}.",
            [{"pointer": "/Idempotency-Key", "seen": seen, "expected": expected}],
        )
    query = "&".join(sorted(f"{k}={v}" for k, v in request.query_params.multi_items()))
    parts = (request.method.encode(), request.url.path.encode(), query.encode(), content)
    digest = hashlib.sha256(b"".join(len(p).to_bytes(8) + p for p in parts)).hexdigest()
    cursor = acting.cursor
    hold(cursor, "idempotency", f"{acting.account_id} {key}")
    cursor.execute(
        "SELECT request_hash, status, body, headers FROM idempotency WHERE account_id = %s AND key = %s",
        [acting.account_id, key],
    )
    known = cursor.fetchone()
    if known is not None:
        before, status, body, headers = known
        if before != digest:
            raise ConflictError(
                "This Idempotency-Key was used for another request; use a new one. Nothing was written."
            )
        return Response(
            body.encode(), status_code=status, headers={**headers, REPLAYED: "true", "cache-control": "no-cache"}
        )
    answer = work()
    kept = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
    cursor.execute(
        "INSERT INTO idempotency (account_id, key, request_hash, status, body, headers)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [acting.account_id, key, digest, answer.status_code, bytes(answer.body).decode(), Jsonb(kept)],
    )
    return answer
