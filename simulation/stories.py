"""The stories about orders that the demo plays, each with the ending that it must have."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from domain.risk import BlockKind
from simulation.parties import Buyer, Parties, StoryFailed, View
from store.accounts.coupons import PostgresCoupons
from store.risk.desk import PostgresRisk

Say = Callable[[str], None]


@dataclass
class Scene:
    """What a story is played with: fresh buyers, the parties, and a way to report progress."""

    parties: Parties
    risk: PostgresRisk
    coupons: PostgresCoupons
    seed: int
    say: Say

    def buyer(self, like: Buyer | None = None) -> Buyer:
        self.seed += 1
        return Buyer(self.seed, like)


@dataclass(frozen=True)
class Ending:
    """The order that a story is about, and how it ended."""

    order_no: str
    ended: str


Story = Callable[[Scene], Awaitable[Ending]]


def check(good: bool, otherwise: str) -> None:
    if not good:
        raise StoryFailed(otherwise)


def done(response: httpx.Response) -> None:
    check(response.is_success, f"refused: {response.text}")


async def paid(scene: Scene, example: str, buyer: Buyer) -> tuple[str, list[View]]:
    order = await scene.parties.order(buyer.cart(example))
    scene.say("placed, paying")
    await scene.parties.pay(order["order_no"])
    subs = await scene.parties.split(order["order_no"])
    scene.say(f"paid, split into {len(subs)}")
    return order["order_no"], subs


async def received(scene: Scene, subs: list[View], buyer: Buyer) -> None:
    for sub in subs:
        done(await scene.parties.ship(sub))
        done(await scene.parties.confirm(sub, buyer))


async def _closed(scene: Scene, order_no: str, reason: str) -> Ending:
    view = await scene.parties.status(order_no, "CLOSED")
    check(view["close_reason"] == reason, f"closed for {view['close_reason']}, not {reason}")
    if view["paid_at"]:
        scene.say("closed, awaiting the refund")
        paid_back = "all refunded"
        await scene.parties.until(
            order_no, lambda view: {refund["state"] for refund in view["refunds"]} == {"DONE"}, paid_back
        )
        return Ending(order_no, f"closed, {reason.lower()}, refunded")
    return Ending(order_no, f"closed, {reason.lower()}")


async def completed(scene: Scene) -> Ending:
    buyer = scene.buyer()
    order_no, subs = await paid(scene, "two-merchants", buyer)
    for sub in subs:
        done(await scene.parties.ship(sub))
        for kind in ("picked_up", "in_transit", "out_for_delivery"):
            done(await scene.parties.scan(sub, kind, _now()))
    scene.say("shipped, under way")
    done(await scene.parties.scan(subs[0], "delivered", _now()))
    done(await scene.parties.confirm(subs[0], buyer))
    done(await scene.parties.scan(subs[1], "delivered", _now()))
    scene.say("one received, the clock takes the other")
    view = await scene.parties.status(order_no, "COMPLETED")
    actors = {event["actor"] for event in view["events"] if event["action"] == "CONFIRM_RECEIPT"}
    check(actors == {"BUYER", "CLOCK"}, f"received by {actors}")
    for sub in subs:
        done(await scene.parties.review(sub, buyer))
    await scene.parties.status(order_no, "REVIEWED")
    return Ending(order_no, "completed by buyer and clock, then reviewed")


async def never_paid(scene: Scene) -> Ending:
    order = await scene.parties.order(scene.buyer().cart("one-line"))
    scene.say("placed, nobody pays")
    return await _closed(scene, order["order_no"], "UNPAID")


async def cancelled_before_paying(scene: Scene) -> Ending:
    buyer = scene.buyer()
    order = await scene.parties.order(buyer.cart("one-line"))
    done(await scene.parties.cancel(order["order_no"], buyer))
    return await _closed(scene, order["order_no"], "CANCELLED_BY_BUYER")


async def cancelled_after_paying(scene: Scene) -> Ending:
    buyer = scene.buyer()
    order_no, _ = await paid(scene, "two-merchants", buyer)
    done(await scene.parties.cancel(order_no, buyer))
    return await _closed(scene, order_no, "CANCELLED_BY_BUYER")


async def one_piece_cancelled(scene: Scene) -> Ending:
    buyer = scene.buyer()
    order_no, subs = await paid(scene, "two-merchants", buyer)
    quoted = await scene.parties.refund_quote(subs[0], buyer)
    done(await scene.parties.cancel_piece(subs[0], buyer))
    scene.say("one piece cancelled, the rest ships")
    view = await scene.parties.until(
        order_no, lambda view: {refund["state"] for refund in view["refunds"]} == {"DONE"}, "refunded"
    )
    (refund,) = view["refunds"]
    check(refund["amount_fen"] == quoted, f"{refund['amount_fen']} fen paid back, {quoted} were quoted")
    await received(scene, subs, buyer)
    await scene.parties.status(order_no, "COMPLETED")
    return Ending(order_no, f"{quoted} fen for one piece paid back, the others completed")


async def cancelled_after_shipping(scene: Scene) -> Ending:
    buyer = scene.buyer()
    order_no, subs = await paid(scene, "one-line", buyer)
    done(await scene.parties.ship(subs[0]))
    refused = await scene.parties.cancel(order_no, buyer)
    check(refused.status_code == httpx.codes.CONFLICT, f"a shipped order was cancelled: {refused.text}")
    possible = ", ".join(refused.json()["allowed"])
    done(await scene.parties.confirm(subs[0], buyer))
    await scene.parties.status(order_no, "COMPLETED")
    return Ending(order_no, f"cancel refused (possible: {possible}), completed")


async def _refused(scene: Scene, example: str, code: str, buyer: Buyer) -> Ending:
    response = await scene.parties.place(buyer.cart(example))
    check(response.status_code == httpx.codes.CONFLICT, f"not refused: {response.text}")
    body = response.json()
    check(body["code"] == code, f"refused for {body['code']}, not {code}")
    return Ending(body.get("order_no", ""), f"refused, {code.lower()}")  # one refused as sold out may have no number


def blocked(kind: BlockKind) -> Story:
    async def story(scene: Scene) -> Ending:
        buyer = scene.buyer()
        marks = {
            BlockKind.BUYER: str(buyer.buyer_id),
            BlockKind.DEVICE: buyer.device_id,
            BlockKind.ADDRESS: buyer.address["region"] + buyer.address["street"],
        }
        await scene.risk.block(kind, marks[kind], reason="the demo's villain", author="demo")
        return await _refused(scene, "blocked-buyer", "NOT_ACCEPTED", buyer)

    return story


async def out_of_stock(scene: Scene) -> Ending:
    return await _refused(scene, "out-of-stock", "OUT_OF_STOCK", scene.buyer())


async def price_changed(scene: Scene) -> Ending:
    return await _refused(scene, "wrong-price", "PRICE_CHANGED", scene.buyer())


async def _limited_twice(scene: Scene, example: str) -> View:
    """Somebody buys limited goods, then another buyer at the same address wants more, which the risk check judges."""
    first = scene.buyer()
    await scene.parties.order(first.cart("limited-edition"))
    return await scene.parties.order(scene.buyer(like=first).cart(example))


async def risk_rejects(scene: Scene) -> Ending:
    order = await _limited_twice(scene, "limited-edition-hoard")
    return await _closed(scene, order["order_no"], "RISK_REJECTED")


async def person_rejects(scene: Scene) -> Ending:
    order = await _limited_twice(scene, "limited-edition-same-address")
    order_no = order["order_no"]
    await scene.parties.pay(order_no)
    await _wants_a_person(scene, order_no)
    done(await scene.parties.decide_risk(order_no, approved=False))
    return await _closed(scene, order_no, "RISK_REJECTED")


async def person_approves(scene: Scene) -> Ending:
    order = await _limited_twice(scene, "limited-edition-same-address")
    order_no = order["order_no"]
    await scene.parties.pay(order_no)
    view = await _wants_a_person(scene, order_no)
    check(not view["sub_orders"], "it was dispatched before the verdict")
    done(await scene.parties.decide_risk(order_no, approved=True))
    subs = await scene.parties.split(order_no)
    for sub in subs:
        done(await scene.parties.ship(sub))
        done(await scene.parties.scan(sub, "delivered", _now()))
    await scene.parties.status(order_no, "COMPLETED")
    return Ending(order_no, "approved by a person, completed")


async def nobody_decides(scene: Scene) -> Ending:
    order = await _limited_twice(scene, "limited-edition-same-address")
    order_no = order["order_no"]
    await scene.parties.pay(order_no)
    await _wants_a_person(scene, order_no)
    ending = await _closed(scene, order_no, "RISK_REJECTED")
    return Ending(order_no, f"escalated, then {ending.ended}")


async def _wants_a_person(scene: Scene, order_no: str) -> View:
    scene.say("waits for a person")
    return await scene.parties.until(
        order_no, lambda view: bool(view["attention"]) and bool(view["paid_at"]), "paid and waiting for a person"
    )


async def paid_at_the_deadline(scene: Scene) -> Ending:
    order = await scene.parties.order(scene.buyer().cart("one-line"))
    order_no = order["order_no"]
    scene.say("waits for the very second")
    left = datetime.fromisoformat(order["pay_by"]) - datetime.now(UTC)
    await asyncio.sleep(max(left.total_seconds(), 0))
    await scene.parties.pay(order_no, force=True)
    view = await scene.parties.until(
        order_no, lambda view: view["status"] == "CLOSED" or bool(view["sub_orders"]), "decided"
    )
    if view["status"] == "CLOSED":
        await _sent_back(scene, order_no, 1)
        return Ending(order_no, "the deadline won, money sent back")
    await _ship_all(scene, view)
    return Ending(order_no, "the payment won, completed")


async def paid_too_late(scene: Scene) -> Ending:
    order = await scene.parties.order(scene.buyer().cart("one-line"))
    order_no = order["order_no"]
    await scene.parties.status(order_no, "CLOSED")
    await scene.parties.pay(order_no, force=True)
    await _sent_back(scene, order_no, 1)
    return Ending(order_no, "closed, the late money sent back")


async def paid_twice(scene: Scene) -> Ending:
    order = await scene.parties.order(scene.buyer().cart("one-line"))
    order_no = order["order_no"]
    await scene.parties.pay(order_no, times=2)
    await _sent_back(scene, order_no, 1)
    await _ship_all(scene, await scene.parties.until(order_no, lambda view: bool(view["sub_orders"]), "split"))
    return Ending(order_no, "one payment kept, one sent back, completed")


def paid_wrongly(**how: object) -> Story:
    async def story(scene: Scene) -> Ending:
        order = await scene.parties.order(scene.buyer().cart("one-line"))
        order_no = order["order_no"]
        await scene.parties.pay(order_no, **how)
        await _sent_back(scene, order_no, 1)
        ending = await _closed(scene, order_no, "UNPAID")
        return Ending(order_no, f"wrong money sent back, {ending.ended}")

    return story


async def nothing_due(scene: Scene) -> Ending:
    buyer = scene.buyer()
    order = await scene.parties.order(buyer.cart("free-sample"))
    check(order["payment_link"] is None, "it asks for a payment")
    subs = await scene.parties.split(order["order_no"])
    await received(scene, subs, buyer)
    await scene.parties.status(order["order_no"], "COMPLETED")
    return Ending(order["order_no"], "nothing to pay, completed")


async def hand_over_fails(scene: Scene) -> Ending:
    buyer = scene.buyer()
    await scene.parties.bad_days(hand_over_fails_for=["ink-studio"])
    order_no, subs = await paid(scene, "ink-and-book", buyer)
    stuck = next(sub for sub in subs if sub["merchant"] == "ink-studio")
    other = next(sub for sub in subs if sub["merchant"] != "ink-studio")
    scene.say("the merchant's system is down")
    await scene.parties.until(order_no, lambda view: bool(view["attention"]), "needing a person")
    await received(scene, [other], buyer)
    await scene.parties.status(order_no, "PARTIALLY_SHIPPED")
    await scene.parties.bad_days()
    scene.say("the merchant's system is up again")
    await scene.parties.until(order_no, lambda view: not view["attention"], "healed")
    await received(scene, [stuck], buyer)
    await scene.parties.status(order_no, "COMPLETED")
    return Ending(order_no, "one part needed a person, healed, completed")


async def every_kind(scene: Scene) -> Ending:
    buyer = scene.buyer()
    order_no, subs = await paid(scene, "every-kind", buyer)
    kinds = {"presale" if sub["ships_from"] else sub["delivery_mode"].lower() for sub in subs}
    check(kinds == {"presale", "virtual", "physical"}, f"split into {kinds}")
    presale = next(sub for sub in subs if sub["ships_from"])
    early = await scene.parties.ship(presale)
    check(early.status_code == httpx.codes.CONFLICT, f"a presale was shipped before its date: {early.text}")
    scene.say("the code is there, the presale waits")
    await scene.parties.until(order_no, _granted, "granted")
    seen = await scene.parties.show_buyer(order_no, buyer)
    codes = [code for sub in seen["sub_orders"] for code in sub["granted"] or []]
    check(len(codes) == 1, f"the buyer has the codes {codes}")
    for sub in subs:
        if sub["delivery_mode"] == "PHYSICAL" and sub is not presale:
            done(await scene.parties.ship(sub))
    done(await scene.parties.reschedule(presale, _now()[:10]))
    scene.say("the presale's goods came early")
    await scene.parties.until(order_no, lambda view: _sub(view, presale)["handed_over_at"] is not None, "handed over")
    done(await scene.parties.ship(presale))
    for sub in subs:
        done(await scene.parties.confirm(sub, buyer))
    await scene.parties.status(order_no, "COMPLETED")
    return Ending(order_no, f"{len(subs)} parts, a code granted, the presale shipped from its new date, completed")


def _granted(view: View) -> bool:
    virtual = next(sub for sub in view["sub_orders"] if sub["delivery_mode"] == "VIRTUAL")
    return bool(virtual["status"] == "SHIPPED")


def _sub(view: View, sub: View) -> View:
    return next(each for each in view["sub_orders"] if each["sub_order_no"] == sub["sub_order_no"])


async def discounts_and_a_gift(scene: Scene) -> Ending:
    buyer = scene.buyer()
    coupon = await _coupon(scene, buyer)
    cart = buyer.cart("tea-and-gaiwan") | {"coupons": [coupon], "expected_amount_fen": 16_000}
    order = await scene.parties.order(cart)
    order_no = order["order_no"]
    again = await scene.parties.place(cart)
    check(again.json().get("code") == "COUPON_GONE", f"one coupon for two orders: {again.text}")
    await scene.parties.pay(order_no)
    subs = await scene.parties.split(order_no)
    check({line["pay_fen"] for line in subs[0]["lines"] if line["gift_of"]} == {0}, "no gift")
    await received(scene, subs, buyer)
    await scene.parties.status(order_no, "COMPLETED")
    return Ending(order_no, "300 − 50 − 40 − 50 paid as 160, with its gift, completed")


async def coupon_comes_back(scene: Scene) -> Ending:
    buyer = scene.buyer()
    coupon = await _coupon(scene, buyer)
    cart = buyer.cart("tea-and-gaiwan") | {"coupons": [coupon], "expected_amount_fen": 16_000}
    order = await scene.parties.order(cart)
    await scene.parties.pay(order["order_no"])
    await scene.parties.split(order["order_no"])
    done(await scene.parties.cancel(order["order_no"], buyer))
    await _closed(scene, order["order_no"], "CANCELLED_BY_BUYER")
    second = await scene.parties.order(cart)
    done(await scene.parties.cancel(second["order_no"], buyer))
    return await _closed(scene, second["order_no"], "CANCELLED_BY_BUYER")


async def _coupon(scene: Scene, buyer: Buyer) -> str:
    issued = await scene.coupons.issue("house-coupon-280-40", buyer.buyer_id, datetime.now(UTC))
    return issued[0].coupon_id


async def _ship_all(scene: Scene, view: View) -> None:
    for sub in view["sub_orders"]:
        done(await scene.parties.ship(sub))
        done(await scene.parties.scan(sub, "delivered", _now()))
    await scene.parties.status(view["order_no"], "COMPLETED")


async def _sent_back(scene: Scene, order_no: str, captures: int) -> None:
    """Wait until, by the provider's statement, exactly this many of the order's captures have gone back in full."""
    for _ in range(200):
        statement = await scene.parties.statement()
        amounts = {
            capture["capture_id"]: capture["amount_fen"]
            for capture in statement["captures"]
            if capture["payment_id"] == order_no
        }
        back = [refund for refund in statement["refunds"] if refund["moved_fen"] == amounts.get(refund["capture_id"])]
        if len(back) >= captures:
            check(len(back) == captures, f"{len(back)} refunds of {captures} captures")
            return
        await asyncio.sleep(0.2)
    raise StoryFailed("the stray money was not sent back")


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


STORIES: dict[str, Story] = {
    "1  two merchants, three lines, to the end": completed,
    "2  never paid": never_paid,
    "3a the buyer cancels before paying": cancelled_before_paying,
    "3b the buyer cancels after paying": cancelled_after_paying,
    "3c the buyer tries after shipping": cancelled_after_shipping,
    "3d the buyer cancels one piece": one_piece_cancelled,
    "4a a blocked buyer": blocked(BlockKind.BUYER),
    "4b a blocked device": blocked(BlockKind.DEVICE),
    "4c a blocked address": blocked(BlockKind.ADDRESS),
    "4d out of stock": out_of_stock,
    "4e the price has changed": price_changed,
    "5a risk rejects before the payment": risk_rejects,
    "5b a person rejects after the payment": person_rejects,
    "5c a person approves": person_approves,
    "5d nobody decides": nobody_decides,
    "6a paid at the second of the deadline": paid_at_the_deadline,
    "6b paid after the deadline": paid_too_late,
    "6c paid twice": paid_twice,
    "6d paid the wrong amount": paid_wrongly(amount_fen=1),
    "6e paid in the wrong currency": paid_wrongly(currency="USD"),
    "7  nothing to pay": nothing_due,
    "8  a hand-over that keeps failing": hand_over_fails,
    "9a fragile, presale and virtual goods": every_kind,
    "9b discounts, a coupon, a gift": discounts_and_a_gift,
    "9c cancelled, and the coupon used again": coupon_comes_back,
}
