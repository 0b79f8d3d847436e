"""The risk desk on PostgreSQL: block lists, settings, verdicts and decisions. Verdicts are kept for good."""

from datetime import datetime

from sqlalchemy import bindparam, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from domain.order.cart import Cart
from domain.order.status import Actor
from domain.risk import (
    Assessment,
    Block,
    BlockKind,
    ChangedVerdict,
    Decision,
    Identity,
    RiskDecided,
    RiskReason,
    RiskSettings,
    RiskVerdict,
    Screened,
    TryReport,
    assess,
    block_value,
    screen,
)
from store.database.engine import looking
from store.database.log_and_outbox import ALARM, note, tell
from store.risk.facts import assess_facts, block_of, screen_facts
from store.tables import block_entries, orders, risk_decisions, risk_settings, risk_verdicts

MOST_TRIED = 1_000

_NEWEST_SETTINGS = select(risk_settings).order_by(risk_settings.c.version.desc()).limit(1)
_VERDICT = select(risk_verdicts).where(risk_verdicts.c.order_no == bindparam("of_order"))
_DECISION = select(risk_decisions).where(risk_decisions.c.order_no == bindparam("of_order"))
_KEEP = insert(risk_verdicts).on_conflict_do_nothing().returning(risk_verdicts.c.order_no)


class PostgresRisk:
    """Implements `activities.risk.RiskDesk`, and keeps the block list and the settings that it works by."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._looking = looking(engine)

    # --- what an order's run asks

    async def screen(self, order_no: str, cart: Cart, now: datetime) -> Screened:
        async with self._looking.connect() as db:
            _, settings = await _settings(db)
            return screen(await screen_facts(db, order_no, Identity.of(cart), now, settings), settings)

    async def assess(self, order_no: str) -> Assessment:
        """The first verdict counts: of two that come at once the row's key lets one in, and both return that one."""
        async with self._engine.begin() as db:
            version, settings = await _settings(db)
            given = assess(await assess_facts(db, order_no, settings), settings)
            if not await _keep(db, order_no, given, version):
                stored = await _stored(db, order_no)
                assert stored is not None  # a verdict is never deleted
                return stored
            if given.verdict is RiskVerdict.REVIEW:
                await _raise_alarm(db, order_no, given)
            return given

    async def decide(self, order_no: str, decision: Decision, now: datetime) -> RiskDecided:
        values = {
            "order_no": int(order_no),
            "decision": "APPROVE" if decision.approved else "REJECT",
            "author": decision.author,
            "note": decision.note,
            "at": now,
        }
        async with self._engine.begin() as db:
            taken = insert(risk_decisions).values(values).on_conflict_do_nothing().returning(risk_decisions.c.order_no)
            if (await db.execute(taken)).first() is not None:
                detail = f"{values['decision']} by {decision.author}: {decision.note}"
                await note(db, int(order_no), now, Actor.PLATFORM, "DECIDE_RISK", detail=detail)
            kept = await _decided(db, order_no)
        assert kept is not None  # a decision is never deleted
        return kept.model_copy(update={"yours": kept.decision == decision})

    # --- what operators ask and change

    async def decision(self, order_no: str) -> RiskDecided | None:
        """The decision on an order, if a person has taken one."""
        async with self._looking.connect() as db:
            return await _decided(db, order_no)

    async def verdict(self, order_no: str) -> Assessment | None:
        """The verdict on an order, if it has been assessed."""
        async with self._looking.connect() as db:
            return await _stored(db, order_no)

    async def block(
        self, kind: BlockKind, value: str, *, reason: str, author: str, expires_at: datetime | None = None
    ) -> Block:
        """Block a buyer, device, address, phone or IP range; blocking it again replaces reason and expiry."""
        if not (reason.strip() and author.strip()):
            raise ValueError("a block needs a reason and an author, for whoever has to lift it")
        made = Block(kind=kind, value=block_value(kind, value), reason=reason, author=author, expires_at=expires_at)
        row = made.model_dump()
        changed = {name: row[name] for name in ("reason", "author", "expires_at")} | {"at": func.now()}
        async with self._engine.begin() as db:
            await db.execute(
                insert(block_entries).values(row).on_conflict_do_update(index_elements=["kind", "value"], set_=changed)
            )
        return made

    async def unblock(self, kind: BlockKind, value: str) -> bool:
        """Lift a block; False when there was none."""
        its_row = (block_entries.c.kind == kind, block_entries.c.value == block_value(kind, value))
        async with self._engine.begin() as db:
            return (await db.execute(delete(block_entries).where(*its_row))).rowcount > 0

    async def blocks(self) -> list[Block]:
        """Every block, including those that have expired."""
        async with self._looking.connect() as db:
            found = await db.execute(select(block_entries).order_by(block_entries.c.kind, block_entries.c.value))
            return [block_of(row) for row in found.mappings()]

    async def settings(self) -> RiskSettings:
        async with self._looking.connect() as db:
            return (await _settings(db))[1]

    async def change_settings(self, changes: dict[str, object], author: str) -> RiskSettings:
        """Change some settings, all or none. Raises BadSetting."""
        async with self._engine.begin() as db:
            # Two changes at once would each write the other's old value back.
            await db.execute(text("LOCK TABLE risk_settings IN SHARE ROW EXCLUSIVE MODE"))
            changed = (await _settings(db))[1].changed(changes)
            await db.execute(insert(risk_settings).values(settings=changed.model_dump(), author=author))
        return changed

    async def try_rules(
        self, settings: RiskSettings, since: datetime | None = None, most: int = MOST_TRIED
    ) -> TryReport:
        """What these settings would have said of the newest `most` orders since `since`. It changes nothing."""
        async with self._looking.connect() as db:
            newest = select(orders.c.order_no).order_by(orders.c.placed_at.desc(), orders.c.order_no.desc())
            if since is not None:
                newest = newest.where(orders.c.placed_at >= since)
            numbers = [str(number) for number in (await db.execute(newest.limit(most + 1))).scalars()]
            counts = dict.fromkeys(RiskVerdict, 0)
            changed = []
            for order_no in numbers[:most]:
                tried = assess(await assess_facts(db, order_no, settings), settings)
                counts[tried.verdict] += 1
                stored = await _stored(db, order_no)
                was = stored.verdict if stored else None
                if was is not tried.verdict:
                    changed.append(
                        ChangedVerdict(order_no=order_no, was=was, would_be=tried.verdict, score=tried.score)
                    )
        more = len(numbers) > most
        return TryReport(orders=sum(counts.values()), verdicts=counts, changed=changed, more=more)


async def _settings(db: AsyncConnection) -> tuple[int | None, RiskSettings]:
    """The newest settings and their version; the defaults, with None for the version, when nobody has changed any."""
    row = (await db.execute(_NEWEST_SETTINGS)).mappings().first()
    if row is None:
        return None, RiskSettings()
    known = {name: value for name, value in row["settings"].items() if name in RiskSettings.model_fields}
    return row["version"], RiskSettings.model_validate(known)


async def _stored(db: AsyncConnection, order_no: str) -> Assessment | None:
    found = await db.execute(_VERDICT, {"of_order": int(order_no)})
    row = found.mappings().first()
    if row is None:
        return None
    reasons = [RiskReason.model_validate(reason, strict=False) for reason in row["reasons"]]
    decided = await _decided(db, order_no)
    return Assessment(
        verdict=RiskVerdict(row["verdict"]),
        score=row["score"],
        reasons=reasons,
        decision=decided.decision if decided is not None else None,
    )


async def _keep(db: AsyncConnection, order_no: str, given: Assessment, version: int | None) -> bool:
    row = given.model_dump(mode="json", exclude={"decision"}) | {"order_no": int(order_no), "settings_version": version}
    return (await db.execute(_KEEP, row)).first() is not None


async def _raise_alarm(db: AsyncConnection, order_no: str, given: Assessment) -> None:
    body = {
        "order_no": order_no,
        "text": f"order {order_no} waits for a person: risk score {given.score}",
        "reasons": [f"{reason.kind}: {reason.text}" for reason in given.reasons],
        "decide": f"starter.py decide-risk {order_no}, or the update decide_risk on the workflow order/{order_no}",
    }
    await tell(db, ALARM, f"risk-review/{order_no}", body)


async def _decided(db: AsyncConnection, order_no: str) -> RiskDecided | None:
    found = await db.execute(_DECISION, {"of_order": int(order_no)})
    row = found.mappings().first()
    if row is None:
        return None
    decision = Decision(approved=row["decision"] == "APPROVE", author=row["author"], note=row["note"])
    return RiskDecided(order_no=order_no, decision=decision, decided_at=row["at"], yours=True)
