"""Files that every page loads: the sheet, the script, outlines of maps. Their addresses change with their content."""

import hashlib
from collections.abc import MutableMapping
from functools import cache
from pathlib import Path
from typing import Any

from starlette.responses import Response
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "web" / "static"
_FOREVER = "public, max-age=31536000, immutable"


@cache
def address(name: str) -> str:
    """Where a file is loaded from: `/static/style.css?v=` and a digest of its content."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]
    return f"/static/{name}?v={digest}"


class Static(StaticFiles):
    """Files of the folder; what is asked for by its digest never has to be asked for again."""

    async def get_response(self, path: str, scope: MutableMapping[str, Any]) -> Response:
        """The file."""
        answer = await super().get_response(path, scope)
        asked_for = scope["query_string"].decode("latin-1")
        if answer.status_code in (200, 304) and asked_for and address(path).endswith(f"?{asked_for}"):
            answer.headers["cache-control"] = _FOREVER
        return answer
