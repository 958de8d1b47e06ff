"""What the rooms above the store share about people: frozen, already parsed, safe to hand around."""

from enum import StrEnum

import msgspec


class Role(StrEnum):
    """What an account may do in the house. What it is in one meeting is a ``MeetingRole``."""

    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"
    CHAIR = "chair"
    ENDPOINT = "endpoint"
    ARCHIVIST = "archivist"
    OBSERVER = "observer"


class RoleGrant(msgspec.Struct, frozen=True):
    """A role, valid in the subtree of ``unit_id``; None: everywhere."""

    role: Role
    unit_id: str | None = None


class Account(msgspec.Struct, frozen=True):
    """A person or an endpoint's sign-in. ``endpoint_id`` is the endpoint it sits at, if any."""

    account_id: str
    username: str
    name: str
    grants: tuple[RoleGrant, ...]
    endpoint_id: str | None = None
    disabled: bool = False

    @property
    def roles(self) -> tuple[Role, ...]:
        """Distinct roles in order of declaration, whatever their scopes."""
        held = {grant.role for grant in self.grants}
        return tuple(role for role in Role if role in held)
