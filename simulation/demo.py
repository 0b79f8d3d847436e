"""`make demo`: starts everything, plays every story over HTTP, and checks that the books balance."""

import asyncio
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from cli.base import yuan
from cli.catalog_file import read_catalog
from cli.load_catalog import load_catalog
from cli.promotions_file import read_promotions
from runtime.embedded import ServerFailed
from runtime.settings import Settings, load_without_servers
from runtime.temporal import connect
from runtime.up import SetupError, Stack
from runtime.wiring import open_engine
from simulation.after_sale import STORIES as AFTER_SALE_STORIES
from simulation.books import imbalances, unaccounted
from simulation.parties import EXAMPLES, Parties
from simulation.stories import STORIES as ORDER_STORIES
from simulation.stories import Scene, Story
from store.accounts.coupons import PostgresCoupons
from store.catalog.promotions import PostgresPromotions
from store.risk.desk import PostgresRisk

# The windows are short, so that what takes a week in a shop takes seconds here.
WINDOWS = {
    "payment_window_s": 8,
    "receipt_window_s": 2,
    "review_window_s": 6,
    "escalation_window_s": 4,
    "after_sale_answer_window_s": 30,
    "after_sale_overrule_window_s": 30,
    "after_sale_return_window_s": 30,
    "after_sale_inspection_window_s": 4,
    "requests_per_minute": 100_000,
}
STORIES = ORDER_STORIES | AFTER_SALE_STORIES
DRAIN_S = 30
LONGEST_STORY_S = 90


@dataclass
class Act:
    """One story's line in the table."""

    title: str
    said: str = "waits"
    order_no: str = ""
    seconds: float = 0
    failed: bool = False
    ended: bool = False
    started: float = field(default_factory=time.monotonic)

    def say(self, what: str) -> None:
        self.said = what
        self.seconds = time.monotonic() - self.started


async def _play(act: Act, story: Story, scene: Scene) -> None:
    try:
        ending = await asyncio.wait_for(story(scene), LONGEST_STORY_S)
    except Exception as error:
        # Whatever it was, the other stories go on, and this one is reported as failed.
        act.say(f"{type(error).__name__}: {error}")
        act.failed = True
    else:
        act.order_no = ending.order_no
        act.say(ending.ended)
    act.ended = True


def _table(acts: list[Act], ui: str) -> Table:
    table = Table(title="The stories", title_justify="left", expand=False)
    table.add_column("story", overflow="fold", ratio=4)
    table.add_column("what happened", overflow="fold", ratio=4)
    table.add_column("s", justify="right", min_width=4)
    table.add_column("order", no_wrap=True, min_width=19)
    for act in acts:
        colour = "red" if act.failed else "green" if act.ended else "yellow"
        order = f"[link={_link(ui, act)}]{act.order_no}[/link]" if act.order_no else ""
        table.add_row(act.title, f"[{colour}]{escape(act.said)}[/]", f"{act.seconds:.1f}", order)
    return table


async def _settled(stack: Stack, console: Console) -> list[str]:
    """Settle as if every window for after-sale had ended, and print who is owed what; returns what does not add up."""
    async with open_engine(stack.settings) as engine:
        statements, wrong = await unaccounted(engine, datetime.now(UTC) + timedelta(days=366))
    owed = ", ".join(f"{one.merchant} {yuan(one.total_fen, one.currency)}" for one in statements)
    console.print(f"Settled, less the platform's fee: {owed or 'nobody is owed anything new'}.", soft_wrap=True)
    return wrong


async def _drained(stack: Stack, parties: Parties) -> list[str]:
    """Wait until the books balance, and return what does not. Some orders only play a part in a story (an accomplice's
    expires), and end after it."""
    client = await connect(stack.settings)
    async with open_engine(stack.settings) as engine:
        for _ in range(DRAIN_S * 2):
            wrong = await imbalances(engine, client, await parties.statement())
            if not wrong:
                return []
            await asyncio.sleep(0.5)
    return wrong


async def _perform(stack: Stack, console: Console) -> bool:
    parties = Parties(stack.settings)
    seed_of_run = int(time.time()) % 1_000_000 * 100_000
    async with open_engine(stack.settings) as engine:
        await load_catalog(engine, read_catalog((EXAMPLES / "catalog.json").read_bytes()), "demo")
        await PostgresPromotions(engine).load(read_promotions((EXAMPLES / "promotions.json").read_bytes()))
        await parties.bad_days()
        acts = [Act(title) for title in STORIES]
        scenes = [
            Scene(parties, PostgresRisk(engine), PostgresCoupons(engine), seed_of_run + number * 1_000, act.say)
            for number, act in enumerate(acts)
        ]
        playing = asyncio.gather(
            *(_play(act, story, scene) for act, story, scene in zip(acts, STORIES.values(), scenes, strict=True))
        )
        with Live(_table(acts, stack.temporal_ui), console=console, refresh_per_second=4) as live:
            while not playing.done():
                live.update(_table(acts, stack.temporal_ui))
                await asyncio.sleep(0.25)
            live.update(_table(acts, stack.temporal_ui))
        with console.status("the last orders end, then the books are checked"):
            wrong = await _drained(stack, parties)
    await parties.close()
    _tell_links(console, acts, stack.temporal_ui)
    wrong += await _settled(stack, console)
    for what in wrong:
        console.print(f"[red]the books do not balance: {what}[/]", soft_wrap=True)
    if not wrong:
        console.print("The books balance: stock, journal, provider and runs agree, and nothing is held or owed.")
    return not wrong and not any(act.failed for act in acts)


def _tell_links(console: Console, acts: list[Act], ui: str) -> None:
    console.print("\nEach run in the Temporal UI (the data stays: `make up` shows it again):")
    for act in acts:
        if act.order_no:
            console.print(f"  {act.title.split()[0]:4}{_link(ui, act)}", soft_wrap=True, highlight=False)


def _link(ui: str, act: Act) -> str:
    return f"{ui}/namespaces/default/workflows/{quote('order/' + act.order_no, safe='')}"


def _settings() -> Settings:
    settings = load_without_servers()
    hooks = {"notify_url": settings.notify_url or f"{settings.sandbox_url}/hooks"}
    return settings.model_copy(update={**WINDOWS, **hooks})


async def _demo(console: Console) -> int:
    started = time.monotonic()
    async with Stack(_settings(), console=console) as stack:
        good = await _perform(stack, console)
    verdict = "[green]every story ended as it should" if good else "[red]not every story ended as it should"
    console.print(f"{verdict}[/] ({time.monotonic() - started:.0f} s)")
    return 0 if good else 1


def main() -> int:
    """Play the demo. The exit status is 0 only if every story ended as expected and the books balance."""
    console = Console()
    try:
        return asyncio.run(_demo(console))
    except (SetupError, ServerFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
