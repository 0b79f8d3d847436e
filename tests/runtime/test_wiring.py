"""What a process is made of: every activity that is written is registered, and parties may be replaced."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import cast

import pytest
from pydantic import ValidationError
from temporalio.client import Client

from runtime import parties
from runtime.embedded import free_port
from runtime.parties import BadParties, Parties, chosen
from runtime.settings import DEVELOPMENT_KEYS, Settings, variable
from runtime.wiring import ACTIVITY, methods_of, open_activities
from store.database.engine import engine_for
from tests.support.activity_names import activity_names
from tests.support.servers import ROOT

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


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (f"{__name__}:NO_PARTIES", "NO_PARTIES in .* should be a runtime.parties.Parties"),
        (f"{__name__}:NOT_THERE", "NOT_THERE in .* should be a runtime.parties.Parties"),
        ("no_such_package.parties:PARTIES", ".* can't be imported .*no_such_package.*PYTHONPATH"),
    ],
    ids=["no-parties", "not-there", "no-module"],
)
def test_what_is_named_and_is_no_choice_of_parties_is_told_in_one_line(named: str, said: str) -> None:
    with pytest.raises(BadParties, match=f"^ORDERS_PARTIES: {said}"):
        chosen(NOWHERE.model_copy(update={"parties": named}))


def test_a_gateway_whose_parties_are_not_there_ends_with_1_and_no_traceback() -> None:
    nowhere = {
        "DATABASE_URL": NOWHERE.database_url,
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "ORDERS_GATEWAY_PORT": str(free_port()),
        "ORDERS_PARTIES": "no_such_package.parties:PARTIES",
        **{variable(name): "of the tests " * 3 for name in DEVELOPMENT_KEYS},
    }
    command = [sys.executable, "-m", "runtime.serve"]
    ran = subprocess.run(command, cwd=ROOT, env={**os.environ, **nowhere}, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "ORDERS_PARTIES: no_such_package.parties can't be imported" in ran.stderr + ran.stdout
    assert "Traceback" not in ran.stderr + ran.stdout


@pytest.mark.parametrize("name", ["examples/parties.py", "examples.parties", ":PARTIES", "a b:PARTIES"])
def test_parties_are_named_by_module_and_name(name: str) -> None:
    with pytest.raises(ValidationError, match="should be a module and a name"):
        Settings(parties=name)
