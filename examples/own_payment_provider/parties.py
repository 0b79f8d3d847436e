"""The choice: Acme takes the payments. `ORDERS_PARTIES=examples.own_payment_provider.parties:PARTIES` names it."""

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.ext.asyncio import AsyncEngine

from examples.own_payment_provider.acme import AcmePayments
from examples.own_payment_provider.webhooks import AcmeWebhooks
from runtime.parties import Parties
from runtime.settings import Settings


class AcmeSettings(BaseSettings):
    """What Acme gave us: `ACME_KEY` for our calls, `ACME_WEBHOOK_SECRET` for its own."""

    model_config = SettingsConfigDict(env_prefix="ACME_", frozen=True, hide_input_in_errors=True)

    key: SecretStr
    webhook_secret: SecretStr


def acme_payments(settings: Settings, _: AsyncEngine) -> AcmePayments:
    return AcmePayments(settings.payment_url, AcmeSettings().key.get_secret_value())


def acme_webhooks(_: Settings) -> AcmeWebhooks:
    return AcmeWebhooks(AcmeSettings().webhook_secret.get_secret_value())


PARTIES = Parties(payments=acme_payments, notifications=acme_webhooks)
