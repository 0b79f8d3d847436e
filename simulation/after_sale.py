"""The demo's stories about after-sale."""

from domain.order.ownership import Role
from simulation.parties import Buyer, View
from simulation.stories import Ending, Scene, Story, check, done, paid, received


async def _case(scene: Scene, kind: str, pieces: int) -> tuple[str, View, View, Buyer]:
    """An order that its buyer has received, and a case about pieces of the first line of its first sub-order."""
    buyer = scene.buyer()
    order_no, subs = await paid(scene, "two-merchants", buyer)
    await received(scene, subs, buyer)
    await scene.parties.status(order_no, "COMPLETED")
    sub = subs[0]
    lines = [{"line_no": sub["lines"][0]["line_no"], "quantity": pieces}]
    asked = await scene.parties.ask_after_sale(sub, buyer, kind, lines)
    done(asked)
    scene.say("received, after-sale asked for")
    return order_no, sub, dict(asked.json()), buyer


async def returned_and_refunded(scene: Scene) -> Ending:
    order_no, sub, case, buyer = await _case(scene, "RETURN_AND_REFUND", 1)
    done(await scene.parties.on_case(Role.MERCHANT, sub["merchant"], case, "agree", {}))
    parcel = {"carrier": "SF", "tracking_no": "SF-BACK"}
    done(await scene.parties.on_case(Role.BUYER, str(buyer.buyer_id), case, "send-back", parcel))
    scene.say("sent back, being inspected")
    pieces = [{"line_no": case["lines"][0]["line_no"], "quantity": 1}]
    found = {"accepted": pieces, "sellable": pieces}
    done(await scene.parties.on_case(Role.MERCHANT, sub["merchant"], case, "inspect", found))
    ended = await scene.parties.case(case, "REFUNDED")
    check(ended["amount_fen"] == case["quoted_fen"], f"refunded {ended['amount_fen']}, quoted {case['quoted_fen']}")
    return Ending(order_no, f"one piece returned, {ended['amount_fen'] / 100:.2f} refunded as quoted")


async def refused_and_overruled(scene: Scene) -> Ending:
    order_no, sub, case, _ = await _case(scene, "REFUND_ONLY", 1)
    done(await scene.parties.on_case(Role.MERCHANT, sub["merchant"], case, "refuse", {"reason": "it was whole"}))
    view = await scene.parties.until(order_no, lambda view: bool(view["attention"]), "needing a person")
    check(view["attention"][0]["topic"] == "dispute", f"attention: {view['attention']}")
    done(await scene.parties.on_case(Role.OPERATOR, "ann", case, "overrule", {"note": "the pictures show it"}))
    ended = await scene.parties.case(case, "REFUNDED")
    return Ending(order_no, f"refused, overruled, {ended['amount_fen'] / 100:.2f} refunded")


STORIES: dict[str, Story] = {
    "10a returned and refunded": returned_and_refunded,
    "10b refused, overruled, refunded": refused_and_overruled,
}
