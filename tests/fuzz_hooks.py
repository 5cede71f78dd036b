"""Identifiers that exist, given to every other generated request, so that a fuzz run gets past "no such record"."""

import json
import os
from itertools import count
from typing import Any

import schemathesis

KNOWN: dict[str, list[Any]] = json.loads(os.environ.get("MATCHER_TEST_KNOWN", "{}"))
"""Name of a field or path parameter -> values that exist."""

_turn = count()


def _seed(values: Any) -> Any:
    if not isinstance(values, dict) or not KNOWN:
        return values
    for name, known in KNOWN.items():
        # Two of three: the rest stays as it was made. What is wrong on purpose (no text, another type) stays wrong.
        right = isinstance(values.get(name), type(known[0])) and values[name] not in ("", True, False)
        if right and next(_turn) % 3:
            values[name] = known[next(_turn) % len(known)]
    return values


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: Any) -> Any:
    """Path parameters that exist."""
    return _seed(path_parameters)


@schemathesis.hook
def map_body(_context: Any, body: Any) -> Any:
    """Identifiers in a body that exist."""
    return _seed(body)
