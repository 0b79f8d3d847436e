"""A quote as a merchandiser reads it: what each line costs, what takes how much off, who pays for that, and what will
be sent."""

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from domain.pricing.competition import WhyNotApplied
from domain.pricing.promotion import Promotion
from domain.quote.answer import AnswerLine, AnswerSubOrder, QuoteAnswer
from domain.quote.document import QuoteDocument

_WHY = {
    WhyNotApplied.ISSUED_UNDER_OTHER_MODE: "was issued under the other pricing mode",
    WhyNotApplied.NOT_STARTED: "has not started yet",
    WhyNotApplied.EXPIRED: "has expired",
    WhyNotApplied.COUPON_NOT_NAMED: "is a coupon the buyer did not name",
    WhyNotApplied.OTHER_TIER: "is for another member tier",
    WhyNotApplied.THRESHOLD_NOT_REACHED: "its threshold is not reached",
    WhyNotApplied.ANOTHER_SAVES_MORE: "another of its level saves more, or as much and comes first",
    WhyNotApplied.SAVES_NOTHING: "would save nothing",
}


def show(document: QuoteDocument, answer: QuoteAnswer, console: Console | None = None) -> None:
    """Print a quote."""
    out = console or Console(highlight=False)
    out.print(_lines(document, answer))
    _say(out, "Why 优惠说明", (str(win) for win in answer.wins))
    out.print(_sums(answer))
    _say(
        out,
        "Gifts 赠品",
        (f"{g.quantity} × {g.sku} as line {g.line_no}, by {g.promotion_id}" for g in answer.gifts),
    )
    _say(
        out,
        "Not applied 未生效",
        (f"{n.promotion_id}: {_WHY[n.reason]} ({n.reason})" for n in answer.not_applied),
    )
    out.print(_sub_orders(answer))
    _say(out, "Refunds 退款", _refunds(answer))


_NUMBERS = {"Qty", "Goods", "To pay", "Fen", "Paid", "Shipping"}


def _yuan(fen: int) -> str:
    """An amount of fen in yuan, like 123.45 for 12345, computed with whole numbers only."""
    return f"{fen // 100:,}.{fen % 100:02}"


def _say(out: Console, title: str, lines: Iterable[str]) -> None:
    said = list(lines)
    if said:
        out.print(f"[bold]{title}[/bold]")
        for line in said:
            out.print(f"  {escape(line)}")
        out.print()


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        numeric = column in _NUMBERS
        table.add_column(column, justify="right" if numeric else "left", no_wrap=numeric)
    return table


def _lines(document: QuoteDocument, answer: QuoteAnswer) -> Table:
    promotions = {promotion.promotion_id: promotion for promotion in document.promotions}
    title = f"Lines 订单行, {answer.mode}, amounts in fen 分"
    table = _table(title, "Line", "SKU", "Qty", "Goods", "Off by 优惠, paid by 承担方", "To pay")
    for line in answer.lines:
        off = "\n".join(_discounts(line, promotions)) or "nothing"
        goods, pay = f"{line.goods_fen:,}", f"{line.pay_fen:,}"
        table.add_row(str(line.line_no), escape(line.sku), str(line.quantity), goods, escape(off), pay)
    return table


def _discounts(line: AnswerLine, promotions: dict[str, Promotion]) -> Iterable[str]:
    for share in line.discounts:
        promotion = promotions[share.promotion_id]
        parts = {funder: part for funder, part in promotion.funding.items() if part}
        payers = " + ".join(funder if part == 100 else f"{funder} {part}%" for funder, part in parts.items())
        yield f"{share.amount_fen:,} {share.promotion_id} {promotion.level}, {payers}"


def _sums(answer: QuoteAnswer) -> Table:
    table = _table("Sums 合计", "What", "Fen")
    payers = ", ".join(f"{funder} {fen:,}" for funder, fen in answer.funding_fen.items())
    table.add_row("Goods 商品金额", f"{answer.goods_fen:,}")
    table.add_row(f"Discounts 优惠, paid by {payers}", f"{-answer.discount_fen:,}")
    table.add_row("Shipping 运费", f"{answer.shipping_fen:,}")
    due = f"Amount due 应付 ({_yuan(answer.amount_due_fen)} yuan 元)"
    table.add_row(f"[bold]{due}[/bold]", f"[bold]{answer.amount_due_fen:,}[/bold]")
    return table


def _sub_orders(answer: QuoteAnswer) -> Table:
    table = _table("Sub-orders to come 子订单", "No", "From", "Kind", "Line × pieces", "Paid", "Shipping", "Flags")
    for no, sub_order in enumerate(answer.sub_orders, 1):
        pieces = ", ".join(f"{line.line_no} × {line.quantity}" for line in sub_order.lines)
        table.add_row(
            str(no),
            escape(f"{sub_order.merchant}\n{sub_order.warehouse or 'no warehouse'}"),
            escape(_kind(sub_order)),
            pieces,
            f"{sub_order.pay_fen:,}",
            f"{sub_order.shipping_fen:,}",
            "\n".join(sub_order.flags),
        )
    return table


def _kind(sub_order: AnswerSubOrder) -> str:
    timing = "in stock" if sub_order.ships_from is None else f"from {sub_order.ships_from}"
    return f"{sub_order.delivery_mode} {sub_order.handling}\n{timing}, {sub_order.weight_g} g"


def _refunds(answer: QuoteAnswer) -> Iterable[str]:
    for no, refund in enumerate(answer.refunds, 1):
        yield f"{no}: pays back {refund.amount_fen}, {refund.left_fen} stays paid"
