"""A desk at which orders are placed as the catalog is now, and the past is tampered with."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.order.cart import Address, Cart, CartLine, Recording, Terms
from domain.order.lines import PricedOrder
from domain.order.product import Product
from domain.pricing.market import Market, Offers
from domain.pricing.order_price import Limits, price_order
from domain.pricing.promotion import AmountOff, Level, PromotionKind
from domain.records.evidence import Link, Verified, placed
from store.catalog.products import PostgresCatalog
from store.database.log_and_outbox import note
from store.orders.evidence import PostgresEvidence
from store.rows.lines import keep_lines
from store.tables import orders
from tests.support.books import BUYER, NOW, order_number

TEA = Product(sku="TEA", merchant="leaf", price_fen=12_800, title='西湖龙井 "first"', description="Spring.\nGreen.")
CUP = Product(sku="CUP", merchant="kiln", price_fen=4_500, title="Celadon cup", attributes={"glaze": "青"})
FIVE_OFF = AmountOff(
    promotion_id="five-off", level=Level.SHOP, merchant="leaf", kind=PromotionKind.AMOUNT_OFF, off_fen=500
)
PAID_FEN = 2 * 12_800 + 4_500 - 500


@dataclass
class Desk:
    engine: AsyncEngine

    def __post_init__(self) -> None:
        self.catalog = PostgresCatalog(self.engine)
        self.evidence = PostgresEvidence(self.engine)

    async def place(self, recording: Recording = Recording.VERSIONED, order_no: str = "") -> str:
        """Two teas and a cup with 5.00 off, priced from the catalog as it is now."""
        order_no, terms = order_no or order_number(), Terms(recording=recording)
        cart = Cart(
            buyer_id=BUYER,
            lines=[CartLine(line_no=1, sku="TEA", quantity=2), CartLine(line_no=2, sku="CUP", quantity=1)],
            expected_amount_fen=PAID_FEN,
            address=Address(recipient="Lin", phone="13800138000", region="Hangzhou", street="Road 1"),
            device_id="d1",
        )
        market = Market(await self.catalog.on_sale(["TEA", "CUP"]), Offers(promotions=[FIVE_OFF]))
        priced = price_order(order_no, cart, market, terms, Limits(), NOW)
        assert isinstance(priced, PricedOrder), priced
        await self.record(order_no, priced, terms, body=placed(order_no, BUYER, priced, terms))
        return order_no

    async def record(self, order_no: str, priced: PricedOrder, terms: Terms, body: str | None) -> None:
        own = dict.fromkeys(("caller", "device_id", "ip", "address_key", "phone_key"), "")
        said = priced.model_dump(
            include={"goods_fen", "shipping_fen", "amount_due_fen", "currency", "coupons", "rules"}
        )
        state = {"address": {}, "terms": {}, "payment": "UNPAID", "status": "PENDING_PAYMENT"}
        number = int(order_no)
        async with self.engine.begin() as db:
            await db.execute(insert(orders).values(order_no=number, buyer_id=BUYER, **own, **said, **state))
            await keep_lines(db, number, priced.lines)
            await note(db, number, NOW, "BUYER", "PLACE", detail=f"{priced.amount_due_fen} fen", body=body)

    async def note(self, order_no: str | int, action: str = "PAY", **more: str) -> None:
        async with self.engine.begin() as db:
            await note(db, int(order_no), NOW, "BUYER", action, **more)

    async def verify(self, order_no: str, history: dict[int, str] | None = None) -> Verified:
        verified = await self.evidence.verify(order_no, history)
        assert verified is not None
        return verified

    async def tamper(self, statement: str, **values: Any) -> None:
        """As somebody who owns the database, and switches its triggers off."""
        async with self.engine.begin() as db:
            await db.execute(text("SET LOCAL session_replication_role = replica"))
            done = await db.execute(text(statement), values)
            assert done.rowcount > 0, statement

    async def links(self) -> list[Link]:
        async with self.engine.connect() as db:
            rows = (await db.execute(text("SELECT * FROM order_events ORDER BY chain, seq"))).mappings()
            return [Link(**{name: row[name] for name in Link.model_fields}) for row in rows]
