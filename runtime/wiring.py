"""Which implementation stands behind which activity. To put your own service in, change it here, in one place."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

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
from runtime.settings import Settings, load
from runtime.temporal import connect
from store.accounts.coupons import PostgresCoupons
from store.after_sale.cases import PostgresAfterSales
from store.after_sale.refunds import PostgresRefunds
from store.after_sale.views import PostgresCaseViews
from store.catalog.products import PostgresCatalog
from store.catalog.promotions import PostgresPromotions
from store.database.engine import engine_for
from store.money.inbox import PostgresInbox
from store.money.payments import PostgresCashbox
from store.orders.attention import PostgresAttention
from store.orders.audit import PostgresAudit
from store.orders.checkout_keys import PostgresCheckoutKeys
from store.orders.order_book import PostgresOrderBook
from store.orders.ownership import PostgresOwnership
from store.orders.sub_order_book import PostgresSubOrderBook
from store.orders.views import PostgresViews
from store.risk.desk import PostgresRisk
from store.stock.ledger import PostgresStock
from store.stock.physical import PostgresPhysical
from store.stock.shelves import PostgresShelves
from store.stock.sold_out import PostgresStockGate

# One digit of every order number: what kind of business, through which family of channels.
CHANNEL = 1


def limits(settings: Settings) -> Limits:
    return Limits(
        lines=settings.lines_per_order,
        pieces_per_line=settings.pieces_per_line,
        amount_fen=settings.amount_per_order_fen,
        coupons=settings.coupons_per_order,
    )


def audit(settings: Settings, engine: AsyncEngine, client: Client) -> AuditActivities:
    runs = TemporalOrderRuns(client, settings.task_queue, settings.workflow_task_timeout_s)
    return AuditActivities(PostgresAudit(engine), runs)


@asynccontextmanager
async def activities(
    settings: Settings, engine: AsyncEngine, client: Client
) -> AsyncIterator[Sequence[Callable[..., Any]]]:
    """Every activity, each with the party behind it."""
    # Here, not above: the command line calls no party, and HTTP takes a fifth of its time to import.
    from providers.merchant import HttpMerchantSystem
    from providers.payment import HttpPaymentProvider

    async with AsyncExitStack() as parties:
        provider = await parties.enter_async_context(HttpPaymentProvider(settings.provider_url))
        merchants = await parties.enter_async_context(HttpMerchantSystem(settings.merchant_url or settings.sandbox_url))
        book = PostgresOrderBook(engine)
        sub_book = PostgresSubOrderBook(engine)
        risk = RiskActivities(PostgresRisk(engine))
        shelves = PostgresShelves(engine)
        pricing = PricingActivities(PostgresCatalog(engine), PostgresPromotions(engine), shelves, limits(settings))
        stock = StockActivities(PostgresStock(engine))
        physical = PostgresPhysical(engine)
        goods = GoodsActivities(physical)
        splitting = SplitActivities(book, physical)
        coupons = CouponActivities(PostgresCoupons(engine))
        orders = OrderActivities(book)
        sub_orders = SubOrderActivities(sub_book)
        attention = AttentionActivities(PostgresAttention(engine))
        payment = PaymentActivities(provider, PostgresCashbox(engine))
        merchant = MerchantActivities(merchants, sub_book)
        refunds = RefundActivities(PostgresRefunds(engine))
        cases = AfterSaleActivities(PostgresAfterSales(engine))
        auditing = audit(settings, engine, client)
        yield [
            *(risk.screen_buyer, risk.assess_risk, risk.record_risk_decision),
            pricing.price_cart,
            *(stock.reserve_stock, stock.release_stock, stock.deduct_stock, stock.restock),
            *(
                orders.look_up_order,
                orders.record_order,
                orders.record_refusal,
                orders.accept_payment,
                orders.file_captures,
            ),
            *(coupons.take_coupons, coupons.redeem_coupons, coupons.give_back_coupons),
            *(goods.release_goods, goods.take_goods, goods.ship_goods),
            *(goods.reshelve_goods, goods.reshelve_pieces),
            splitting.split_order,
            *(orders.close_lines, orders.close_order),
            *(sub_orders.sub_order_facts, sub_orders.close_sub_orders, sub_orders.close_pieces),
            *(refunds.quote_refund, refunds.decide_piece_refund),
            *(cases.look_up_case, cases.open_case, cases.record_case_act, cases.end_refund),
            *(sub_orders.record_rescheduled, sub_orders.record_shipped),
            *(sub_orders.record_delivered, sub_orders.record_received),
            attention.record_attention,
            *(payment.create_payment, payment.close_payment, payment.refund, payment.take_stray_payment),
            *(merchant.hand_over, merchant.grant_goods),
            *(auditing.find_held, auditing.see_runs, auditing.start_order_again, auditing.nudge_order),
            *(auditing.compare_books, auditing.mark_findings),
        ]


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
    async with open_engine(settings) as engine:
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
            PostgresStockGate(engine),
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
