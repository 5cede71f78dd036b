"""A project is added or changed, with what is wrong told at its field."""

from fastapi import APIRouter

from api.guard import GuardedRoute

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)
