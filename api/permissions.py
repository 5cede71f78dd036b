"""Who may do what: the matrix in permissions.csv, which the door obeys and one test walks whole.

A row is a method and a path. `scope` is what a key needs; `nobody` says whether the address is open without sign-in.
The other columns are a role and whose records it meets: of its own office, or of another one (an officer's office is
the city, whose mission is none). A cell says

- yes: answered, with everything
- bare: answered, without what only the office itself may know: its contact notes, how it stands with a partner
- hidden: as if the other office's records did not exist: left out of lists, 404 by their identifier
- no: refused
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from matcher.errors import ForbiddenError
from matcher.identity import Caller

Cell = Literal["yes", "bare", "hidden", "no"]
CELLS = ("yes", "bare", "hidden", "no")
COLUMNS = ("mission_own", "mission_other", "officer_own", "officer_other", "analyst", "admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What the matrix says of one address."""

    method: str
    path: str
    scope: str
    open: bool
    cells: Mapping[str, str]

    def allows(self, role: str) -> bool:
        """Somebody of this role is answered here, for some record at least."""
        return any(cell != "no" for column, cell in self.cells.items() if column.partition("_")[0] == role)


@cache
def matrix() -> Mapping[tuple[str, str], Permission]:
    """(method, path) -> permission, for every address of the application."""
    with (Path(__file__).parent / "permissions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {
        (row["method"], row["path"]): Permission(
            method=row["method"], path=row["path"], scope=row["scope"], open=row["nobody"] == "yes",
            cells={c: row[c] for c in COLUMNS},
        )
        for row in rows
    }  # fmt: skip
    strange = {cell for p in found.values() for cell in p.cells.values()} - set(CELLS)
    if strange or len(found) != len(rows):
        raise ValueError(f"permissions.csv: unknown cells {sorted(strange)}, or an address that stands twice")
    return found


def check(permission: Permission, caller: Caller) -> None:
    """The caller may use this address.

    Raises:
        ForbiddenError: the role may not, or the key was not given the scope.
    """
    if not permission.allows(caller.role):
        raise ForbiddenError(f"The role {caller.role} may not use {permission.method} {permission.path}.")
    if permission.scope != "none" and permission.scope not in caller.scopes:
        raise ForbiddenError(f"This key was not given the scope {permission.scope}; ask for one that has it.")


def may_hear_changes(caller: Caller, mission_id: str) -> bool:
    """What changed for a mission is told to itself and to those who work for all, not to other missions."""
    return caller.role != "mission" or caller.mission_id == mission_id


def check_export(caller: Caller) -> None:
    """The caller may take lists away as CSV or XLSX.

    Raises:
        ForbiddenError: the account has no right to export, or the key was not given the scope.
    """
    if not caller.may_export or "export" not in caller.scopes:
        raise ForbiddenError(
            "Your account may not export: CSV and XLSX need the right to export, which an administrator gives."
        )
