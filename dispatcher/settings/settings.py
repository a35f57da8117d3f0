"""Every setting of the dispatcher, with its default, unit and range, in one frozen record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from dispatcher.errors import ConfigError
from dispatcher.model.secret import Secret
from dispatcher.settings.info import SettingInfo, info_of, plain, says
from dispatcher.settings.value import read_value

if TYPE_CHECKING:
    from engine import EngineSettings

MIB = 1024 * 1024
_YEAR_S = 366 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one account and its process. `load_settings` makes it from file, environment and flags.

    Every field's metadata says what it does; `describe()` gives them as a table. Values may be
    texts too, as they stand in the environment.

    Attributes:
        origins: per name where its value came from; names that are not in it have their default.

    Raises:
        ConfigError: a value cannot be used; the message names setting and origin.
    """

    # the account
    base_url: str = field(
        default="https://api.hellotracks.com",
        metadata=says("Where Hellotracks (or the sandbox) answers; with or without a trailing /api."),
    )
    api_key: Secret = field(
        default=Secret(""),
        metadata=says(
            "The account's API key. The environment or `api_key_file` is the advised way; it is never printed.",
            live=True,
        ),
    )
    api_key_file: str = field(
        default="", metadata=says("File that holds the API key; white space around it is dropped.", live=True)
    )
    account: str = field(
        default="default",
        metadata=says("Name of the account in the spool; jobs of different accounts never mix.", scope="process"),
    )
    timezone: str = field(
        default="UTC", metadata=says("The account's time zone (IANA name), for members that have none.", live=True)
    )

    # delivery
    spool: str = field(
        default="dispatcher.spool.db",
        metadata=says(
            "The durable queue: path of a SQLite file, `memory:` for one that does not outlive the process, or "
            "`postgresql://user@host/database` for one that several daemons share.",
            scope="process",
        ),
    )
    node: str = field(
        default="",
        metadata=says(
            "Name of this daemon among those that share a PostgreSQL spool, the same after every restart and nobody "
            "else's; empty for a new one at every start.",
            scope="process",
        ),
    )
    limits: str = field(
        default="",
        metadata=says(
            "The account's rate limits, such as `10/s, 300/min`; empty for none but the server's own.", live=True
        ),
    )
    max_batch_jobs: int = field(
        default=200, metadata=says("Jobs in one request at most.", low=1, high=10_000, live=True)
    )
    max_concurrency: int = field(
        default=8,
        metadata=says("Requests in flight at most; the adaptive limit stays below it.", low=1, high=1_000, live=True),
    )
    request_timeout_s: float = field(
        default=10.0, metadata=says("How long a request may take.", unit="s", low=0.05, high=3_600, live=True)
    )
    connect_timeout_s: float = field(
        default=5.0, metadata=says("How long connecting may take.", unit="s", low=0.05, high=3_600, live=True)
    )
    max_attempts: int = field(
        default=12, metadata=says("Requests that may carry a job before it is `dead`.", low=1, high=1_000, live=True)
    )
    unknown_grace_s: float = field(
        default=5.0,
        metadata=says(
            "How long after a time-out the server may still carry a request out; "
            "a look-up that finds nothing is final only then.",
            unit="s",
            low=0,
            high=3_600,
            live=True,
        ),
    )
    give_up_after_s: float = field(
        default=120.0,
        metadata=says(
            "`submit` ends when the server could not be reached for this long; the jobs stay in the spool.",
            unit="s",
            low=0,
            high=_YEAR_S,
            live=True,
        ),
    )
    send_route_change: bool | None = field(
        default=None,
        metadata=says(
            "`sendRouteChange` for jobs whose caller does not say: members are told at once; empty leaves it out.",
            live=True,
        ),
    )
    spool_max_rows: int = field(
        default=5_000_000,
        metadata=says(
            "Unsettled jobs of an account in the spool before its new ones are refused.",
            unit="jobs",
            low=1,
            high=1_000_000_000,
            live=True,
        ),
    )
    spool_min_free_bytes: int = field(
        default=64 * MIB,
        metadata=says(
            "Free space on the spool's disk below which new jobs are refused.",
            unit="bytes",
            low=0,
            high=2**50,
            scope="process",
        ),
    )
    retain_days: float = field(
        default=30.0,
        metadata=says(
            "How long a settled job stays in the spool, where its outcome can be asked for and its key is known; "
            "0 for ever.",
            unit="days",
            low=0,
            high=36_500,
            live=True,
        ),
    )

    # assignment
    policy: str = field(
        default="nearest",
        metadata=says(
            "Who gets a job: the nearest member, the one with the least added travel, "
            "or `none` to leave it to the caller's switches.",
            choices=("nearest", "least_detour", "none"),
            live=True,
        ),
    )
    fallback: str = field(
        default="autoassign",
        metadata=says(
            "For a job that no member can take: the server assigns, it is sent unassigned, "
            "or it is held until a member is free.",
            choices=("autoassign", "unassigned", "hold"),
            live=True,
        ),
    )
    max_fleet_age_s: float = field(
        default=900.0,
        metadata=says(
            "A fleet snapshot older than this is unusable: the fallback decides.",
            unit="s",
            low=1,
            high=_YEAR_S,
            live=True,
        ),
    )
    fleet_sync_s: float = field(
        default=60.0,
        metadata=says(
            "How often `dispatcher run` reads members and their locations; small limits stretch it.",
            unit="s",
            low=1,
            high=_YEAR_S,
            live=True,
        ),
    )
    routes_sync_s: float = field(
        default=120.0,
        metadata=says(
            "How often `dispatcher run` reads the day routes of the days in play; webhooks tell of changes between "
            "two reads.",
            unit="s",
            low=1,
            high=_YEAR_S,
            live=True,
        ),
    )
    hook_key: Secret = field(
        default=Secret(""),
        metadata=says(
            "What Hellotracks' webhooks must show in `hook_header`, alone or behind `Bearer`; "
            "empty: no webhooks are taken. It is never printed.",
            live=True,
        ),
    )
    hook_key_file: str = field(default="", metadata=says("File that holds the webhooks' key.", live=True))
    hook_header: str = field(
        default="Authorization",
        metadata=says("The header in which webhooks carry `hook_key`, as set up for them.", live=True),
    )
    hold_until_s: float = field(
        default=0.0,
        metadata=says(
            "With `fallback = hold`: how long after its acceptance a job is held at most; 0 for as long as its own "
            "window and day allow.",
            unit="s",
            low=0,
            high=_YEAR_S,
            live=True,
        ),
    )
    hold_then: str = field(
        default="autoassign",
        metadata=says(
            "What becomes of a job that was held in vain: the server assigns, or it is sent unassigned.",
            choices=("autoassign", "unassigned"),
            live=True,
        ),
    )
    reassign: bool | None = field(
        default=None,
        metadata=says(
            "Whether `dispatcher run` offers a job to the next best member when its member rejects it, or goes off "
            "duty before starting it; empty: it does not.",
            live=True,
        ),
    )
    reassign_max: int = field(
        default=2,
        metadata=says("How many times a job is offered to another member at most.", low=1, high=100, live=True),
    )
    default_shift: str = field(
        default="00:00-24:00",
        metadata=says("Working hours of members who have none, and whose team has none: HH:MM-HH:MM.", live=True),
    )
    working_hours_unit: str = field(
        default="hhmm",
        metadata=says(
            "How to read working hours that could be both (such as 600 to 1200).",
            choices=("hhmm", "minutes"),
            live=True,
        ),
    )
    circuity: float = field(
        default=1.3, metadata=says("Road length as a multiple of the great circle.", low=0.1, high=100, live=True)
    )
    max_location_age_s: float = field(
        default=900.0,
        metadata=says("A live location older than this is stale.", unit="s", low=0, high=_YEAR_S, live=True),
    )
    stale_location: str = field(
        default="use",
        metadata=says(
            "Whether a stale location may stand in for a missing route start.", choices=("use", "ignore"), live=True
        ),
    )
    assignable_roles: tuple[str, ...] = field(default=("worker",), metadata=says("Roles that may get jobs.", live=True))
    unavailable_labels: tuple[str, ...] = field(
        default=(), metadata=says("Status labels whose members get no jobs, such as `On break, Vacation`.", live=True)
    )
    member_skills: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict,
        metadata=says(
            "Skills by username, for members whose own data has no list: a TOML table of arrays, else a JSON object.",
            live=True,
        ),
    )
    max_jobs_per_day: int = field(
        default=0, metadata=says("Open stops of a member's day at most; 0 for any.", low=0, high=1_000_000, live=True)
    )
    max_distance_km: float = field(
        default=0.0,
        metadata=says(
            "Great circle from the member's reference position to a job at most; 0 for any.",
            unit="km",
            low=0,
            high=40_000,
            live=True,
        ),
    )

    order: str = field(
        default="priority",
        metadata=says(
            "How the jobs of a batch are taken: by priority and input order, or within a priority by what would lose "
            "most by waiting.",
            choices=("priority", "regret"),
            live=True,
        ),
    )
    regret_s: float = field(
        default=10.0,
        metadata=says(
            "Time that the order `regret` may take of a batch; what is left then goes by priority.",
            unit="s",
            low=0,
            high=3600,
            live=True,
        ),
    )
    improve_s: float = field(
        default=0.0,
        metadata=says(
            "Time to improve the routes after each batch, moving only jobs of that batch; 0 leaves them as decided.",
            unit="s",
            low=0,
            high=3600,
            live=True,
        ),
    )
    seed: int = field(
        default=0,
        metadata=says("Seed of the random choices in that improvement.", low=0, high=2_147_483_647, live=True),
    )

    # the daemon
    listen: str = field(
        default="127.0.0.1:8080", metadata=says("Address of `dispatcher run`: HOST:PORT.", scope="process")
    )
    accept_key: Secret = field(
        default=Secret(""),
        metadata=says(
            "The key that clients of `dispatcher run` must send as `API-Key`; empty takes any, which is only allowed "
            "on a loopback address. It is never printed.",
            live=True,
        ),
    )
    accept_key_file: str = field(default="", metadata=says("File that holds the accept key.", live=True))
    clients: Mapping[str, Secret] = field(
        default_factory=dict,
        metadata=says(
            'Keys of `dispatcher run` by client: a TOML table `[clients]` of `NAME = "KEY"` or '
            '`NAME = {file = "PATH"}`, else a JSON object. They are never printed.',
            live=True,
        ),
    )
    accept_timeout_s: float = field(
        default=30.0,
        metadata=says(
            "How long a request to `dispatcher run` waits for its jobs' outcomes before it is answered with receipts.",
            unit="s",
            low=0,
            high=3_600,
            live=True,
        ),
    )
    body_timeout_s: float = field(
        default=10.0,
        metadata=says(
            "How long a client of `dispatcher run` may take to send a request; "
            "large bodies get a second more for each 16 KiB.",
            unit="s",
            low=0.05,
            high=3_600,
            scope="process",
        ),
    )
    max_body_bytes: int = field(
        default=16 * MIB,
        metadata=says(
            "Largest request body, taken and sent.", unit="bytes", low=1_024, high=2**31 - 1, scope="process"
        ),
    )
    shutdown_grace_s: float = field(
        default=10.0,
        metadata=says(
            "How long requests in flight may take to end on shutdown.", unit="s", low=0.01, high=3_600, scope="process"
        ),
    )

    # the page
    read_token: Secret = field(
        default=Secret(""),
        metadata=says(
            "What the page at `/` asks for before it shows anything; empty: on a loopback address whoever opens it may "
            "read, elsewhere the page is off. It is never printed.",
            scope="process",
        ),
    )
    read_token_file: str = field(default="", metadata=says("File that holds the read token.", scope="process"))
    act_token: Secret = field(
        default=Secret(""),
        metadata=says(
            "What the page asks for before it replays or withdraws jobs; empty: whoever may open it on a loopback "
            "address without a token may act, elsewhere nobody. It is never printed.",
            scope="process",
        ),
    )
    act_token_file: str = field(default="", metadata=says("File that holds the act token.", scope="process"))
    tile_url: str = field(
        default="",
        metadata=says(
            "Map images below the members, such as `https://tiles.example/{z}/{x}/{y}.png`; empty: none, and the page "
            "asks no other host for anything.",
            scope="process",
        ),
    )

    origins: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False, metadata={"setting": False})

    def __post_init__(self) -> None:
        for info in describe():
            try:
                value = read_value(info, getattr(self, info.name))
            except ValueError as error:
                raise ConfigError(f"{self.origin(info.name)}: {info.name} {error}") from error
            object.__setattr__(self, info.name, value)

    def origin(self, name: str) -> str:
        """Where a setting's value came from, such as "variable DISPATCHER_SPOOL"; "default" when nothing set it."""
        return self.origins.get(name, "default")

    def rows(self) -> list[tuple[str, str, str]]:
        """(name, value as text, origin) of every setting, in the order of the table; secrets read `***`."""
        return [(info.name, plain(getattr(self, info.name)), self.origin(info.name)) for info in describe()]

    def for_engine(self) -> dict[str, Any]:
        """The engine's part of the settings by name."""
        values = {name: getattr(self, name) for name in _ENGINE}
        return values | {"policy": "nearest"} if self.policy == "none" else values

    def engine(self) -> EngineSettings:
        """The engine's part of the settings; `nearest` under the policy `none`, when nobody asks the engine.

        Raises:
            ConfigError: the engine refuses a value.
        """
        from engine import EngineError, EngineSettings  # noqa: PLC0415 - settings must load fast, without the engine

        try:
            return EngineSettings(**self.for_engine())
        except EngineError as error:
            raise ConfigError(str(error)) from error


def describe() -> list[SettingInfo]:
    """Every setting, in the order in which the documentation lists them."""
    return list(_TABLE)


_ENGINE = (
    "policy",
    "timezone",
    "default_shift",
    "working_hours_unit",
    "circuity",
    "max_location_age_s",
    "stale_location",
    "assignable_roles",
    "unavailable_labels",
    "member_skills",
    "max_jobs_per_day",
    "max_distance_km",
    "order",
    "regret_s",
    "improve_s",
    "seed",
)
_TABLE = tuple(info_of(entry) for entry in fields(Settings) if entry.metadata.get("setting", True))
