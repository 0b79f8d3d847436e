"""A house that has no warehouses: whatever is sold lies at its merchant's."""

from collections.abc import Callable, Mapping, Sequence

from activities.stock import Allocation, Answer, GoodsOf, GoodsTaken, Moved, ReshelvePieces, StockOf, TakeGoods
from domain.splitting.model import Warehouse


class NoWarehouses:
    """Implements `activities.stock.PhysicalLedger`. Nothing is set aside, so nothing has to be kept either: a plan
    without warehouses comes out the same when it is made again."""

    async def allocate(
        self,
        order_no: str,
        skus: Mapping[str, str],
        plan: Callable[[list[Warehouse]], tuple[Answer, Sequence[Allocation]]],
        answer: type[Answer],
    ) -> Answer:
        given, _ = plan([])
        return given

    async def release(self, request: StockOf) -> Moved:
        return Moved(pieces=0)

    async def take_goods(self, request: TakeGoods) -> GoodsTaken:
        return GoodsTaken(taken=False)

    async def ship_goods(self, request: GoodsOf) -> Moved:
        return Moved(pieces=0)

    async def reshelve(self, request: GoodsOf) -> Moved:
        return Moved(pieces=0)

    async def reshelve_pieces(self, request: ReshelvePieces) -> Moved:
        return Moved(pieces=0)
