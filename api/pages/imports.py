"""Files of records: sent, previewed, committed, undone."""

from fastapi import APIRouter

from api.guard import GuardedRoute

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)
