"""The view of an after-sale case that people look at, read from the tables."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.refunds import RefundQuote
from domain.after_sale.case import CaseKind, CaseStatus, Inspect
from domain.order.pieces import by_line
from domain.records.views import CaseGiftView, CaseLineView, CaseView
from store.after_sale.case_rows import CaseRow, case_lines, case_row
from store.database.engine import looking
from store.rows.lines import read_lines

_PLAIN = (
    *("case_no", "sub_order_no", "buyer_id", "merchant", "reason", "amount_fen", "said", "carrier", "tracking_no"),
    *("requested_at", "due_at", "sent_back_at", "ended_at"),
)


class PostgresCaseViews:
    def __init__(self, engine: AsyncEngine) -> None:
        self._looking = looking(engine)

    async def case(self, case_no: str) -> CaseView | None:
        async with self._looking.connect() as db:
            row = await case_row(db, case_no)
            return await _view(db, row) if row is not None else None


async def _view(db: AsyncConnection, row: CaseRow) -> CaseView:
    quote = RefundQuote.model_validate_json(row.quote)
    return CaseView(
        **{name: getattr(row, name) for name in _PLAIN},
        order_no=str(row.order_no),
        kind=CaseKind(row.kind),
        status=CaseStatus(row.status),
        lines=await _lines(db, row, quote),
        gifts_to_return=[CaseGiftView(**gift.model_dump()) for gift in quote.gifts_to_return],
        withheld_fen=quote.withheld_fen,
        quoted_fen=quote.amount_fen,
    )


async def _lines(db: AsyncConnection, row: CaseRow, quote: RefundQuote) -> list[CaseLineView]:
    named = {line.line_no: line for line in await read_lines(db, row.order_no)}
    quoted = {line.line_no: line.pay_fen for line in quote.lines if line.sub_order_no == row.sub_order_no}
    inspected = Inspect.model_validate_json(row.inspected) if row.inspected else None
    accepted = by_line(inspected.accepted) if inspected else None
    return [
        CaseLineView(
            line_no=one.line_no,
            sku=named[one.line_no].sku,
            title=named[one.line_no].title,
            quantity=one.quantity,
            amount_fen=quoted.get(one.line_no, 0),
            accepted=accepted.get(one.line_no, 0) if accepted is not None else None,
        )
        for one in await case_lines(db, row.case_no)
    ]
