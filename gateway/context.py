"""What every route needs: the front, the settings, the reader of notifications, the rates."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from pydantic import SecretStr

from activities.notifications import NotificationReader
from acts.front import Front
from domain.base import Message
from gateway.limits import Rate


class GatewaySettings(Message):
    """`jwt_key` is shared with whoever logs callers in."""

    jwt_key: SecretStr
    body_bytes: int = 256 * 1024
    requests_per_minute: int = 600


@dataclass(frozen=True)
class Gateway:
    front: Front
    settings: GatewaySettings
    notifications: NotificationReader
    rate: Rate


async def _of(request: Request) -> Gateway:  # a plain function would be sent to a thread
    gateway: Gateway = request.app.state.gateway
    return gateway


TheGateway = Annotated[Gateway, Depends(_of)]
