"""A bad value is one clear line, and a process that can't find its servers says what to do."""

import fcntl
from pathlib import Path

import pytest

from domain.order.cart import Terms
from runtime.settings import Running, Settings, load, load_without_servers


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("ORDERS_GATEWAY_PORT", "abc", "ORDERS_GATEWAY_PORT: should be a whole number"),
        ("ORDERS_GATEWAY_PORT", "70000", "ORDERS_GATEWAY_PORT: should be 65535 or less"),
        ("ORDERS_PAYMENT_WINDOW_S", "0", "ORDERS_PAYMENT_WINDOW_S: should be 1 or more"),
        ("ORDERS_UNDECIDED_PASSES", "maybe", "ORDERS_UNDECIDED_PASSES: should be true or false"),
        ("ORDERS_JWT_KEY", "short", "ORDERS_JWT_KEY: should have 32 characters or more"),
        ("ORDERS_TASK_QUEUE", "", "ORDERS_TASK_QUEUE: should not be empty"),
        ("ORDERS_NOTIFY_URL", "here", "ORDERS_NOTIFY_URL: should be an address that begins with http"),
        ("ORDERS_GATEWAY_PROT", "80", "ORDERS_GATEWAY_PROT is not a setting; did you mean ORDERS_GATEWAY_PORT?"),
        ("ORDERS_BUILD_ID", "7", "ORDERS_DEPLOYMENT_NAME and ORDERS_BUILD_ID: set both, or none"),
        ("TEMPORAL_ADDRESS", "nowhere", "TEMPORAL_ADDRESS: should be a host and a port"),
        ("DATABASE_URL", "mysql://h/d", "DATABASE_URL: should be an address like postgresql://"),
        ("DATABASE_URL", "postgresql://h/d", "ORDERS_JWT_KEY: with a DATABASE_URL, set a secret of your own"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(
    name: str, value: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load()
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.startswith(f"settings: {line}")
    assert said.count("\n") == 1


def test_a_refused_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ORDERS_JWT_KEY", "hunter2")
    with pytest.raises(SystemExit):
        load()
    assert "hunter2" not in capsys.readouterr().err


def test_secrets_and_the_databases_password_are_not_in_the_text_of_the_settings() -> None:
    settings = Settings(database_url="postgresql://u:hunter2@h/d", embedded="postgres")
    assert "hunter2" not in repr(settings)
    assert "development-only" not in repr(settings)


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORDERS_DATA_DIR", str(tmp_path))
    return tmp_path


def test_nothing_running_says_how_to_start_it(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load()
    expected = "settings: nothing is running: start it with `make up`, or set TEMPORAL_ADDRESS and DATABASE_URL\n"
    assert capsys.readouterr().err == expected


def test_the_addresses_of_the_running_stack_are_used(data_dir: Path) -> None:
    found = Running(pid=1, temporal_address="127.0.0.1:7", database_url="postgresql+asyncpg://postgres@/postgres")
    (data_dir / "up.json").write_text(found.model_dump_json())
    with (data_dir / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        settings = load()
    assert (settings.temporal_address, settings.database_url) == (found.temporal_address, found.database_url)
    assert settings.embedded_temporal
    assert settings.embedded_postgres


def test_the_note_of_a_stack_that_died_is_not_believed(data_dir: Path) -> None:
    (data_dir / "up.json").write_text(
        Running(pid=1, temporal_address="127.0.0.1:7", database_url="x").model_dump_json()
    )
    (data_dir / "up.lock").write_text("1")
    with pytest.raises(SystemExit):
        load()


def test_a_child_process_sees_exactly_these_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(gateway_port=1234, payment_window_s=5, undecided_passes=True, temporal_address="a:1")
    monkeypatch.setenv("ORDERS_SANDBOX_PORT", "1")
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert load_without_servers() == settings


def test_every_term_of_an_order_is_a_setting() -> None:
    assert set(Terms.model_fields) <= set(Settings.model_fields)
    assert Settings().terms() == Terms()
