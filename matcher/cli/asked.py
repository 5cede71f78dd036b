"""The question of a command, as a Query and as a title for people."""

from matcher.jobs import asking
from matcher.records import Query


def query(kind: str, value: str) -> Query:
    """The query of one option of `match`; identifiers are checked when it is answered."""
    match kind:
        case "project":
            return Query(project_id=value.strip())
        case "partner":
            return Query(partner_id=value.strip())
        case "mission":
            return Query(mission_id=value.strip())
        case "country":
            return Query(countries=(value.strip().upper(),))
        case _:
            return Query(text=asking.free_text(value))
