"""What a process is made of: every activity that is written is registered, and parties may be replaced."""

from dataclasses import replace
from typing import cast

import pytest
from pydantic import ValidationError
from temporalio.client import Client

from runtime import parties
from runtime.parties import Parties, chosen
from runtime.settings import Settings
from runtime.wiring import ACTIVITY, methods_of, open_activities
from store.database.engine import engine_for
from tests.support.activity_names import activity_names

NOWHERE = Settings(database_url="postgresql://nobody@127.0.0.1:1/none", embedded="temporal,postgres")


async def test_every_activity_that_is_written_is_registered_once() -> None:
    engine = engine_for(NOWHERE.database_url)
    async with open_activities(NOWHERE, engine, cast(Client, None)) as performed:
        registered = [getattr(method, ACTIVITY).name for method in performed.activities]
    assert len(registered) > 40
    assert sorted(registered) == sorted(activity_names())


async def test_the_audit_of_the_inbox_is_the_one_that_is_registered() -> None:
    async with open_activities(NOWHERE, engine_for(NOWHERE.database_url), cast(Client, None)) as performed:
        assert set(methods_of(performed.audit)) <= set(performed.activities)


def test_without_a_choice_the_parties_are_those_that_come_with_it() -> None:
    assert chosen(NOWHERE) == Parties()


OTHERS = replace(Parties(), merchants=parties.http_merchants)
NO_PARTIES = "these are none"


def test_the_parties_are_those_that_the_settings_name() -> None:
    assert chosen(NOWHERE.model_copy(update={"parties": f"{__name__}:OTHERS"})) is OTHERS


def test_what_is_named_and_is_no_choice_of_parties_is_refused() -> None:
    with pytest.raises(TypeError, match="ORDERS_PARTIES"):
        chosen(NOWHERE.model_copy(update={"parties": f"{__name__}:NO_PARTIES"}))


@pytest.mark.parametrize("name", ["examples/parties.py", "examples.parties", ":PARTIES", "a b:PARTIES"])
def test_parties_are_named_by_module_and_name(name: str) -> None:
    with pytest.raises(ValidationError, match="should be a module and a name"):
        Settings(parties=name)
