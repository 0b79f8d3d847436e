"""What a process is made of: our own books, and the parties that `runtime.parties` chooses."""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from activities.after_sale import AfterSaleActivities
from activities.attention import AttentionActivities
from activities.audit import AuditActivities
from activities.catalog import PricingActivities
from activities.coupons import CouponActivities
from activities.merchant import MerchantActivities
from activities.orders import OrderActivities
from activities.payment import PaymentActivities
from activities.refunds import RefundActivities
from activities.risk import RiskActivities
from activities.splitting import SplitActivities
from activities.stock import GoodsActivities, StockActivities
from activities.sub_orders import SubOrderActivities
from acts.acts import Acts
from acts.after_sales import AfterSales
from acts.checkout import Checkout, CheckoutSettings
from acts.front import Front
from acts.order_runs import TemporalOrderRuns
from domain.pricing.order_price import Limits
from runtime.parties import Opens, chosen
from runtime.settings import Settings, load
from runtime.temporal import connect
from store.after_sale.cases import PostgresAfterSales
from store.after_sale.refunds import PostgresRefunds
from store.after_sale.views import PostgresCaseViews
from store.database.engine import engine_for
from store.money.inbox import PostgresInbox
from store.money.payments import PostgresPayments
from store.orders.attention import PostgresAttention
from store.orders.audit import PostgresAudit
from store.orders.checkout_keys import PostgresCheckoutKeys
from store.orders.order_book import PostgresOrderBook
from store.orders.ownership import PostgresOwnership
from store.orders.sub_order_book import PostgresSubOrderBook
from store.orders.views import PostgresViews

# One digit of every order number: what kind of business, through which family of channels.
CHANNEL = 1

ACTIVITY = "__temporal_activity_definition"  # where `activity.defn` leaves what it knows

Party = TypeVar("Party")


def limits(settings: Settings) -> Limits:
    return Limits(
        lines=settings.lines_per_order,
        pieces_per_line=settings.pieces_per_line,
        amount_fen=settings.amount_per_order_fen,
        coupons=settings.coupons_per_order,
    )


@dataclass(frozen=True)
class Performed:
    """The activities of a worker. The audit's are named: the relay of the inbox calls them too."""

    activities: list[Callable[..., Any]]
    audit: AuditActivities


def methods_of(*performers: object) -> list[Callable[..., Any]]:
    """Every activity that one of these objects performs: its methods under `@activity.defn`."""
    return [
        method
        for performer in performers
        for _, method in inspect.getmembers(performer, inspect.ismethod)
        if hasattr(method, ACTIVITY)
    ]


@asynccontextmanager
async def open_activities(settings: Settings, engine: AsyncEngine, client: Client) -> AsyncIterator[Performed]:
    """Every activity, each with the party behind it."""
    async with AsyncExitStack() as stack:

        async def opened(party: Opens[Party]) -> Party:
            return await stack.enter_async_context(party(settings, engine))

        parties = chosen(settings)
        stock = await opened(parties.stock)
        book = PostgresOrderBook(engine)
        sub_book = PostgresSubOrderBook(engine)
        runs = TemporalOrderRuns(client, settings.task_queue, settings.workflow_task_timeout_s)
        audit = AuditActivities(PostgresAudit(engine, stock.holdings), stock.holdings, runs)
        catalog, promotions = await opened(parties.catalog), await opened(parties.promotions)
        performed = methods_of(
            audit,
            RiskActivities(await opened(parties.risk)),
            PricingActivities(catalog, promotions, stock.shelves, limits(settings)),
            StockActivities(stock.ledger),
            GoodsActivities(stock.physical),
            SplitActivities(book, stock.physical),
            CouponActivities(await opened(parties.coupons)),
            OrderActivities(book),
            SubOrderActivities(sub_book),
            AttentionActivities(PostgresAttention(engine)),
            PaymentActivities(await opened(parties.payments), PostgresPayments(engine)),
            MerchantActivities(await opened(parties.merchants), sub_book),
            RefundActivities(PostgresRefunds(engine)),
            AfterSaleActivities(PostgresAfterSales(engine)),
        )
        yield Performed(performed, audit)


@asynccontextmanager
async def open_engine(settings: Settings | None = None) -> AsyncIterator[AsyncEngine]:
    engine = engine_for((settings or load()).database_url)
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_front(settings: Settings | None = None) -> AsyncIterator[Front]:
    settings = settings or load()
    async with open_engine(settings) as engine, chosen(settings).stock(settings, engine) as stock:
        client = await connect(settings)
        secret = settings.order_number_key.get_secret_value().encode()
        checkout = Checkout(
            client,
            PostgresCheckoutKeys(engine, secret, CHANNEL),
            CheckoutSettings(
                task_queue=settings.task_queue,
                terms=settings.terms(),
                limits=limits(settings),
                task_timeout_s=settings.workflow_task_timeout_s,
            ),
            stock.gate,
        )
        yield Front(
            client=client,
            checkout=checkout,
            acts=Acts(client, PostgresSubOrderBook(engine)),
            after_sales=AfterSales(
                client, PostgresAfterSales(engine), settings.task_queue, settings.workflow_task_timeout_s
            ),
            cases=PostgresCaseViews(engine),
            views=PostgresViews(engine),
            inbox=PostgresInbox(engine),
            owners=PostgresOwnership(engine),
            refunds=PostgresRefunds(engine),
        )
