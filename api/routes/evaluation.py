"""How good the engines are: reports of the evaluation that are kept, and what each engine reached on held-out time."""

from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import feedback_shapes as shapes
from api import schemas
from api.answers import record
from api.guard import GuardedRoute
from api.service import Service
from matcher.errors import SourceError

router = APIRouter(prefix="/v1/evaluation", tags=["evaluation"], route_class=GuardedRoute)

MOST = 100


@router.get("/runs", response_model=shapes.EvaluationRuns)
async def list_runs(request: Request, _: Annotated[schemas.RecordParams, Query()]) -> Response:
    """Reports of `python -m evaluation … --json` that are kept, newest first, and the engines' held-out measures."""
    service = Service.of(request)
    folder: Path | None = request.app.state.evaluation

    def work() -> Response:
        engines = [
            {"engine": e["engine"], "as_of": e["as_of"], "in_use": e["in_use"], "metrics": e.get("metrics", {})}
            for e in service.matchmaker.engines()
        ]
        kept = [] if folder is None else reports(folder)
        return record(request, {"reports": kept, "engines": engines, "next": None})

    return await service.run(work)


def reports(folder: Path) -> list[dict[str, Any]]:
    """The reports in a folder, by day and name, newest first; what is no report is passed over."""
    found = [_report(path) for path in sorted(folder.glob("*.json"))[:MOST]] if folder.is_dir() else []
    told = [r for r in found if r is not None]
    return sorted(told, key=lambda r: (r["made_on"] or "", r["name"]), reverse=True)


def _report(path: Path) -> dict[str, Any] | None:
    from evaluation import kept  # noqa: PLC0415 - only who looks at reports needs it

    try:
        content = orjson.loads(kept.content(path))
    except (OSError, SourceError, orjson.JSONDecodeError):
        return None
    if not isinstance(content, dict) or not isinstance(content.get("datasets"), list):
        return None
    seed, configuration = content.get("seed"), content.get("configuration")
    return {
        "name": path.stem,
        "made_on": _text(content.get("made_on")),
        "title": _text(content.get("title")),
        "datasets": [d for d in content["datasets"] if isinstance(d, dict)],
        "seed": seed if type(seed) is int else None,
        "configuration": configuration if isinstance(configuration, dict) else {},
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
