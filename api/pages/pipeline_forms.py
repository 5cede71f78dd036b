"""Records of the pipeline one by one: forms to write them, their history, undo."""

from fastapi import APIRouter

from api.guard import GuardedRoute

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)
