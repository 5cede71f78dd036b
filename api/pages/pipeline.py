"""The pipeline of an office: its work, contacts, shortlists, outcomes and what is due."""

from fastapi import APIRouter

from api.guard import GuardedRoute

router = APIRouter(include_in_schema=False, route_class=GuardedRoute)
