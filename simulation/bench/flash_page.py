"""The page of part 4."""

from collections import Counter

from simulation.bench.charts import Chart, Panel
from simulation.bench.figures import percentile
from simulation.bench.flash import Sale, Sizes, hold, orders_of
from simulation.bench.progress import Show
from simulation.bench.report import Page, Table, Target, number


async def run(sizes: Sizes, show: Show) -> tuple[Page, Chart]:
    sale = await hold(sizes, show)
    return _page(sale, sizes), _chart(sale)


def _page(sale: Sale, sizes: Sizes) -> Page:
    return Page(
        name="flash",
        title="A flash sale",
        notes=[
            f"{sizes.buyers:,} buyers, each with a token and a key of its own, ask the gateway over HTTP for one of "
            f"{sizes.pieces} pieces of one SKU, over {sizes.connections} connections that are never idle. One gateway "
            "process, one worker process; they, the servers and the load share the cores.",
            f"{sizes.payers} of those who get a piece pay at once; the others' payment window ({sizes.window_s} s) runs"
            f" out. Then {4 * sizes.pieces} of the refused ask again, and pay: under the same key who was refused by "
            "the gate, under a new one who was refused by a run.",
            "A run is started only for who passes the gate, which looks before anything is started; no more pass at "
            "once than there are pieces for, the others wait and look again. The ledger decides.",
        ],
        targets=[Target("pieces oversold", 0, _oversold(sale, sizes), at_most=True)],
        tables=[_rush(sale), _after(sale, sizes)],
        wrong=sale.wrong,
    )


def _oversold(sale: Sale, sizes: Sizes) -> float:
    held = [level["reserved"] + level["deducted"] for level in (sale.level_after_rush, sale.level)]
    return float(max(0, max(held) - sizes.pieces))


def _rush(sale: Sale) -> Table:
    answers = Counter(told.status for told in sale.rush)
    alone = percentile((told.seconds for told in sale.alone), 0.5) * 1_000
    rows = [
        ("time to the last answer", f"{sale.seconds:.1f} s"),
        ("answers/s", number(len(sale.rush) / sale.seconds)),
        ("p50 / p99 of a refusal", f"{number(sale.times_ms(409, 0.5))} / {number(sale.times_ms(409, 0.99))} ms"),
        ("p50 / p99 of an order placed", f"{number(sale.times_ms(201, 0.5))} / {number(sale.times_ms(201, 0.99))} ms"),
        ("p99 of all answers", f"{number(percentile((told.seconds for told in sale.rush), 0.99) * 1_000)} ms"),
        ("orders placed", f"{answers[201]:,}"),
        ("refused as sold out", f"{answers[409]:,}"),
        ("asked again (202, 429, 503)", f"{sum(told.asked_again for told in sale.rush):,}"),
        ("runs started", f"{sale.runs_in_rush:,}"),
        ("p50 of a refusal to one who comes alone, after it", f"{number(alone)} ms"),
    ]
    return Table(["the rush", ""], [list(row) for row in rows], title="The rush")


def _after(sale: Sale, sizes: Sizes) -> Table:
    rows = [
        ("paid at once", str(sizes.payers)),
        ("pieces back after the unpaid orders' deadline", str(sale.level_before_resale["available"])),
        ("asked again", str(len(sale.again))),
        ("got a piece then", str(len(orders_of(sale.again)))),
        ("sold and paid in the end", f"{sale.level['deducted']} of {sizes.pieces}"),
        ("oversold", number(_oversold(sale, sizes)).removesuffix(".00")),
        ("runs started in all", str(sale.runs)),
    ]
    return Table(["after it", ""], [list(row) for row in rows], title="Those who did not pay")


def _chart(sale: Sale) -> Chart:
    parts = 12
    ends = [sale.seconds * (n + 1) / parts for n in range(parts)]

    def until(end: float, status: int) -> float:
        return float(sum(told.status == status and told.told_at - sale.begun <= end for told in sale.rush))

    answered = {
        "refused as sold out": [until(end, 409) for end in ends],
        "orders placed": [until(end, 201) for end in ends],
    }
    shares = (0.5, 0.9, 0.99, 1.0)
    waits = {
        "refused as sold out": [sale.times_ms(409, share) for share in shares],
        "orders placed": [sale.times_ms(201, share) for share in shares],
    }
    return Chart(
        [
            Panel("Answers so far", "s since it began", "answers", [round(end, 1) for end in ends], answered),
            Panel("Waiting for an answer", "share of the buyers", "ms", ["p50", "p90", "p99", "all"], waits),
        ]
    )
