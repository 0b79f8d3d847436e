"""Every setting. This is the only place that reads the environment.

Variables with standard names (`DATABASE_URL`, `TEMPORAL_…`) are taken as they are; all others begin with `ORDERS_`.
"""

import difflib
import fcntl
import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.order.cart import PricingMode, Recording, SplitTiming, Terms

DEVELOPMENT_JWT_KEY = "development-only-key-of-the-callers-tokens"
DEVELOPMENT_WEBHOOK_SECRET = "whsec_ZGV2ZWxvcG1lbnQtb25seS13ZWJob29rLXNlY3JldCE="
DEVELOPMENT_ORDER_NUMBER_KEY = "development-only-key-of-the-order-numbers"

Port = Annotated[int, Field(ge=1, le=65_535)]
PortOrOff = Annotated[int, Field(ge=0, le=65_535)]
Count = Annotated[int, Field(ge=1)]
Limit = Annotated[int, Field(ge=0, le=10**12)]  # 0 means no limit
Seconds = Annotated[int, Field(ge=1, le=10 * 366 * 86_400)]
Key = Annotated[SecretStr, Field(min_length=32)]


def standard(name: str) -> Any:
    """A field that is read from a variable which other programs know too."""
    return Field("", validation_alias=AliasChoices(name, name.lower()))


class Settings(BaseSettings):
    """All settings. They are frozen, so that two parts of a process never see two values."""

    model_config = SettingsConfigDict(
        env_prefix="ORDERS_", frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True
    )

    # The servers. Where these are empty, the ones that `make up` starts are used.
    database_url: str = Field("", validation_alias=AliasChoices("DATABASE_URL", "database_url"), repr=False)
    temporal_address: str = standard("TEMPORAL_ADDRESS")
    temporal_namespace: str = standard("TEMPORAL_NAMESPACE")
    temporal_profile: str = standard("TEMPORAL_PROFILE")
    temporal_config_file: str = standard("TEMPORAL_CONFIG_FILE")
    embedded: str = ""  # set by `make up` for its own processes: which of the two servers are the embedded ones

    # Where things are: data, ports and the outside parties.
    data_dir: Path = Path(".data")
    temporal_port: Port = 7233
    temporal_ui_port: Port = 8233
    gateway_port: Port = 8080
    sandbox_port: Port = 8090
    metrics_port: PortOrOff = 9464
    parties: str = ""  # module:name of a runtime.parties.Parties; empty: those that come with it
    payment_url: str = ""  # the payment provider; empty: the sandbox
    merchant_url: str = ""  # the merchants' system; empty: the sandbox
    notify_url: str = ""  # where notices and alarms are posted; empty: they are logged only

    # Secrets.
    jwt_key: Key = SecretStr(DEVELOPMENT_JWT_KEY)
    webhook_secret: Annotated[SecretStr, Field(min_length=24)] = SecretStr(DEVELOPMENT_WEBHOOK_SECRET)
    order_number_key: Key = SecretStr(DEVELOPMENT_ORDER_NUMBER_KEY)

    # Limits.
    lines_per_order: Count = 200
    coupons_per_order: Count = 20
    pieces_per_line: Count = 999
    amount_per_order_fen: Count = 100_000_000
    body_bytes: Count = 256 * 1024
    requests_per_minute: Count = 600

    # The worker.
    task_queue: Annotated[str, Field(min_length=1)] = "orders"
    deployment_name: str = ""  # set with `build_id` or not at all: with both, worker versioning is on
    build_id: str = ""
    graceful_shutdown_s: Seconds = 10
    workflow_task_timeout_s: Annotated[int, Field(ge=1, le=120)] = 10
    sticky_timeout_s: Seconds = 5
    max_cached_workflows: Annotated[int, Field(ge=0)] = 1_000
    audit_interval_s: Annotated[int, Field(ge=0, le=30 * 86_400)] = 3_600  # 0: no schedule

    # The terms that new orders are sold under.
    payment_window_s: Seconds = Terms().payment_window_s
    dispatch_window_s: Seconds = Terms().dispatch_window_s
    transit_window_s: Seconds = Terms().transit_window_s
    receipt_window_s: Seconds = Terms().receipt_window_s
    review_window_s: Seconds = Terms().review_window_s
    escalation_window_s: Seconds = Terms().escalation_window_s
    undecided_passes: bool = Terms().undecided_passes
    pricing_mode: PricingMode = Terms().pricing_mode
    split_timing: SplitTiming = Terms().split_timing
    recording: Recording = Terms().recording
    parcel_weight_g: Limit = Terms().parcel_weight_g
    parcel_volume_cm3: Limit = Terms().parcel_volume_cm3
    parcel_value_fen: Limit = Terms().parcel_value_fen
    handling_groups: Annotated[str, Field(pattern=r"^$|^[^\s+]+(\+[^\s+]+)*( +[^\s+]+(\+[^\s+]+)*)*$")] = ""
    shortage_closes_order: bool = Terms().shortage_closes_order
    backorder_window_s: Seconds = Terms().backorder_window_s
    after_sale_window_s: Seconds = Terms().after_sale_window_s
    after_sale_answer_window_s: Seconds = Terms().after_sale_answer_window_s
    after_sale_overrule_window_s: Seconds = Terms().after_sale_overrule_window_s
    after_sale_undecided_overrules: bool = Terms().after_sale_undecided_overrules
    after_sale_return_window_s: Seconds = Terms().after_sale_return_window_s
    after_sale_inspection_window_s: Seconds = Terms().after_sale_inspection_window_s
    fee_bps: Annotated[int, Field(ge=0, le=10_000)] = Terms().fee_bps
    points_per_yuan: Annotated[int, Field(ge=0, le=1_000)] = Terms().points_per_yuan
    unpaid_orders_per_buyer: Count = Terms().unpaid_orders_per_buyer

    @field_validator("database_url")
    @classmethod
    def _for_asyncpg(cls, url: str) -> str:
        if not url:
            return url
        rest = re.sub(r"^postgres(ql)?(\+asyncpg)?://", "", url)
        if rest == url:
            raise ValueError("should be an address like postgresql://user:password@host:5432/database")
        return "postgresql+asyncpg://" + rest.replace("sslmode=", "ssl=")

    @field_validator("temporal_address")
    @classmethod
    def _host_and_port(cls, address: str) -> str:
        if address and not re.fullmatch(r"\S+:\d{1,5}", address):
            raise ValueError("should be a host and a port, like 127.0.0.1:7233")
        return address

    @field_validator("parties")
    @classmethod
    def _module_and_name(cls, parties: str) -> str:
        if parties and not re.fullmatch(r"[\w.]+:\w+", parties):
            raise ValueError("should be a module and a name in it, like your_package.parties:PARTIES")
        return parties

    @field_validator("payment_url", "merchant_url", "notify_url")
    @classmethod
    def _http(cls, url: str) -> str:
        if url and not re.fullmatch(r"https?://\S+", url):
            raise ValueError("should be an address that begins with http:// or https://")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if bool(self.deployment_name) != bool(self.build_id):
            raise ValueError("ORDERS_DEPLOYMENT_NAME and ORDERS_BUILD_ID: set both, or none")
        if not self.embedded_postgres and self.database_url:
            for name, default in DEVELOPMENT_KEYS.items():
                if getattr(self, name).get_secret_value() == default:
                    raise ValueError(f"ORDERS_{name.upper()}: with a DATABASE_URL, set a secret of your own")
        return self

    @property
    def embedded_temporal(self) -> bool:
        """Whether the Temporal server is the one that `make up` starts.

        A `temporal.toml` counts only when a variable asks for it: one that happens to be on somebody's machine must not
        send a demo's orders to its cluster."""
        named = self.temporal_address or self.temporal_profile or self.temporal_config_file
        return "temporal" in self.embedded or not named

    @property
    def embedded_postgres(self) -> bool:
        """Whether the PostgreSQL server is the one that `make up` starts."""
        return "postgres" in self.embedded or not self.database_url

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def provider_url(self) -> str:
        """The payment provider to call: the one that is set, or the sandbox."""
        return self.payment_url or self.sandbox_url

    def terms(self) -> Terms:
        """The terms that a new order is sold under."""
        return Terms(**{name: getattr(self, name) for name in Terms.model_fields})

    def environment(self) -> dict[str, str]:
        """The environment for a process that is to see exactly these settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
        for name in type(self).model_fields:
            value = getattr(self, name)
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            kept[variable(name)] = text
        return {name: value for name, value in kept.items() if value}


DEVELOPMENT_KEYS = {
    "jwt_key": DEVELOPMENT_JWT_KEY,
    "webhook_secret": DEVELOPMENT_WEBHOOK_SECRET,
    "order_number_key": DEVELOPMENT_ORDER_NUMBER_KEY,
}
STANDARD = {
    "database_url",
    "temporal_address",
    "temporal_namespace",
    "temporal_profile",
    "temporal_config_file",
}


class Running(BaseModel):
    """The content of `up.json`: what `make up` has running, for the commands that are used meanwhile."""

    pid: int
    temporal_address: str = ""
    temporal_ui: str = ""
    database_url: str = ""
    gateway_url: str = ""
    sandbox_url: str = ""


def variable(field: str) -> str:
    """The environment variable of a field."""
    return field.upper() if field in STANDARD else f"ORDERS_{field.upper()}"


def running(data_dir: Path) -> Running | None:
    """What is running, by `up.json`; None when nothing is, even if a dead owner has left the file behind."""
    try:
        with (data_dir / "up.lock").open() as lock:
            # The owner holds the lock as long as it lives; a process id alone may belong to another program by now.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except BlockingIOError:
        pass
    except OSError:
        return None
    try:
        return Running.model_validate_json((data_dir / "up.json").read_bytes())
    except (OSError, ValueError):
        return None  # it is still starting


def load_without_servers() -> Settings:
    """The settings as they are set, for whoever starts the servers. Ends the process with status 2 and a line for each
    value that can't be used."""
    known = [variable(name) for name in Settings.model_fields]
    for name in os.environ:
        if name.startswith("ORDERS_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            _refuse([f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")])
    try:
        return Settings()
    except ValidationError as error:
        _refuse([_line(dict(e)) for e in error.errors()])


def load() -> Settings:
    """The settings with the addresses of the servers: those that are set, or those that `make up` has started.

    Ends the process with status 2 and a line for each value that can't be used, or when no server is known."""
    settings = load_without_servers()
    needed = {"temporal_address": settings.embedded_temporal, "database_url": settings.embedded_postgres}
    missing = [name for name, embedded in needed.items() if embedded and not getattr(settings, name)]
    if not missing:
        return settings
    found = running(settings.data_dir)
    if found is None or not all(getattr(found, name) for name in missing):
        variables = " and ".join(variable(name) for name in missing)
        _refuse([f"nothing is running: start it with `make up`, or set {variables}"])
    names = {"temporal_address": "temporal", "database_url": "postgres"}
    addresses = {name: getattr(found, name) for name in missing}
    return settings.model_copy(update=addresses | {"embedded": ",".join(names[name] for name in missing)})


def _line(error: dict[str, Any]) -> str:
    """One line that names the variable and says what would be right. The value is never shown: it may be a secret."""
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = str(error["loc"][0])
    limit = next(iter(error.get("ctx", {}).values()), "")
    wanted = {
        "int_parsing": "should be a whole number",
        "bool_parsing": "should be true or false",
        "greater_than_equal": f"should be {limit} or more",
        "less_than_equal": f"should be {limit} or less",
        "too_short": f"should have {error.get('ctx', {}).get('min_length')} characters or more",
        "string_too_short": "should not be empty",
    }.get(error["type"], message)
    return f"{name if name.isupper() else variable(name)}: {wanted}"


def _refuse(lines: list[str]) -> NoReturn:
    sys.stderr.write("".join(f"settings: {line}\n" for line in lines))
    raise SystemExit(2)
