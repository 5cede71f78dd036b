"""How good the matches are: engines, reports, drift, what was shown and what people think of it."""

from fastapi import APIRouter

from api.guard import GuardedRoute

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)
