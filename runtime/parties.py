"""Which service is behind each Protocol. To put your own in, write a module that makes a `Parties`:

    PARTIES = Parties(payments=lambda settings, engine: YourPayments(settings.provider_url))

`ORDERS_PARTIES=your_package.parties:PARTIES` names it, for the worker, the gateway and the command line alike. No line
of the product changes. Two examples are in `examples/`.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import TypeAlias, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from activities.catalog import Catalog, Promotions
from activities.coupons import CouponLedger
from activities.merchant import MerchantSystem
from activities.notifications import NotificationReader
from activities.payment import PaymentProvider
from activities.risk import RiskDesk
from activities.stock_party import StockParty
from runtime.settings import Settings
from store.accounts.coupons import PostgresCoupons
from store.catalog.products import PostgresCatalog
from store.catalog.promotions import PostgresPromotions
from store.risk.desk import PostgresRisk
from store.stock.holdings import PostgresHoldings
from store.stock.ledger import PostgresStock
from store.stock.physical import PostgresPhysical
from store.stock.shelves import PostgresShelves
from store.stock.sold_out import PostgresStockGate

Party = TypeVar("Party")
Opens: TypeAlias = Callable[[Settings, AsyncEngine], AbstractAsyncContextManager[Party]]
"""Opens a party when a process begins, and closes it when the process ends."""


def http_payments(settings: Settings, _: AsyncEngine) -> AbstractAsyncContextManager[PaymentProvider]:
    # Here, not above, as below: the command line calls no party, and HTTP takes a fifth of its time to import.
    from providers.payment import HttpPaymentProvider

    return HttpPaymentProvider(settings.provider_url)


def http_merchants(settings: Settings, _: AsyncEngine) -> AbstractAsyncContextManager[MerchantSystem]:
    from providers.merchant import HttpMerchantSystem

    return HttpMerchantSystem(settings.merchant_url or settings.sandbox_url)


def standard_webhooks(settings: Settings) -> NotificationReader:
    from providers.notifications import StandardWebhooks

    return StandardWebhooks(settings.webhook_secret.get_secret_value())


def postgres_stock(engine: AsyncEngine) -> StockParty:
    return StockParty(
        ledger=PostgresStock(engine),
        physical=PostgresPhysical(engine),
        gate=PostgresStockGate(engine),
        shelves=PostgresShelves(engine),
        holdings=PostgresHoldings(engine),
    )


@dataclass(frozen=True)
class Parties:
    """One field for each party that may be replaced; what it must promise is said by its Protocol."""

    payments: Opens[PaymentProvider] = http_payments
    notifications: Callable[[Settings], NotificationReader] = standard_webhooks
    merchants: Opens[MerchantSystem] = http_merchants
    stock: Opens[StockParty] = lambda _, engine: nullcontext(postgres_stock(engine))
    catalog: Opens[Catalog] = lambda _, engine: nullcontext(PostgresCatalog(engine))
    promotions: Opens[Promotions] = lambda _, engine: nullcontext(PostgresPromotions(engine))
    coupons: Opens[CouponLedger] = lambda _, engine: nullcontext(PostgresCoupons(engine))
    risk: Opens[RiskDesk] = lambda _, engine: nullcontext(PostgresRisk(engine))


class BadParties(Exception):
    """Raised when ORDERS_PARTIES names nothing that can be used; the message says why, and what would be right. Worker
    and gateway print it and end with 1, the command line with 2."""


def chosen(settings: Settings) -> Parties:
    """The parties that the settings name. Raises BadParties when there are none under that name. What the module
    itself raises while it is imported keeps its traceback: it is for whoever wrote the module."""
    if not settings.parties:
        return Parties()
    module, _, name = settings.parties.partition(":")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError as error:
        hint = "install its package, or put its folder on PYTHONPATH"
        raise BadParties(f"ORDERS_PARTIES: {module} can't be imported ({error}): {hint}") from None
    if not isinstance(found, Parties):
        raise BadParties(f"ORDERS_PARTIES: {name} in {module} should be a runtime.parties.Parties, like Parties()")
    return found
