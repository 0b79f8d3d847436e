"""`starter.py token`: a bearer token for the gateway, for trying it out. Accounts and log-in are not part of this."""

from datetime import timedelta
from typing import Annotated

import typer

from cli import base


def token(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="checkout, buyer, merchant, carrier or operator.")],
    party: Annotated[
        str, typer.Argument(metavar="ID", help="Its id there: a buyer's or merchant's id, a carrier's name on parcels.")
    ],
    hours: Annotated[int, typer.Option(min=1, max=24 * 366, help="How long it holds.")] = 24,
    as_json: base.AsJson = False,
) -> None:
    """Print a bearer token for calls to the gateway."""
    from domain.order.ownership import Role
    from gateway.auth import BadToken, mint
    from runtime.settings import load_without_servers

    roles = [one.value for one in Role]
    if role not in roles:
        raise base.Fault(f"ROLE: there is no {role!r}; there are {', '.join(roles)}", base.BAD_INPUT)
    key = load_without_servers().jwt_key.get_secret_value()
    try:
        minted = mint(key, Role(role), party, timedelta(hours=hours))
    except BadToken as wrong:
        raise base.Fault(f"ID: {wrong}", base.BAD_INPUT) from None
    if as_json:
        base.say_json({"token": minted, "role": role, "id": party, "hours": hours})
        return
    typer.echo(minted)
