"""The formulas of docs/scale.md: what a load needs, from what a job, an account and a member cost."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

DAY_S = 86_400
BUSY = 0.6
"""Share of a core, of a disk's stream and of a limit that a plan uses at the peak; the rest is for bad minutes."""
CONNECTIONS = 5
"""Of a daemon, the one that listens included."""
IDLE_SHARE = 0.5
"""Of what a daemon may use: idle accounts take no more."""
SPARE_LIMIT = 0.75
"""What sending uses of a limit; members, day routes and look-ups pass it too."""
MEASURED_MEMBERS = 100_000
"""Fleets up to this size were measured; a decision costs more in a larger one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What was measured. A request is one to a daemon with the one to Hellotracks that follows from it.

    Attributes:
        request_transactions, request_db_cpu_ms, request_daemon_cpu_ms: of a request, whatever is in it.
        job_wal_bytes, job_db_cpu_ms: of a job at the database, over its whole life.
        job_daemon_cpu_ms: of a job in the daemons that accept, send and settle it.
        decide_cpu_ms: what deciding a job adds, in the one daemon that assigns for its account.
        stored_bytes: of a settled job, indexes included.
        prune_wal_bytes, prune_db_cpu_ms: for deleting it after its retention.
        idle_transactions, idle_db_cpu_ms, idle_daemon_cpu_ms: of an account without work, per second and daemon.
        account_bytes: memory of a daemon for one more account.
        daemon_bytes: memory of a daemon with one account, the engine loaded.
        member_day_bytes, stop_bytes: memory of the engine.
        slots_per_s: requests a second that one account's row of limits can let through.
    """

    request_transactions: float
    request_db_cpu_ms: float
    request_daemon_cpu_ms: float
    job_wal_bytes: float
    job_db_cpu_ms: float
    job_daemon_cpu_ms: float
    decide_cpu_ms: float
    stored_bytes: float
    prune_wal_bytes: float
    prune_db_cpu_ms: float
    idle_transactions: float
    idle_db_cpu_ms: float
    idle_daemon_cpu_ms: float
    account_bytes: float
    daemon_bytes: float
    member_day_bytes: float
    stop_bytes: float
    slots_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked for.

    Attributes:
        jobs_per_day: over all accounts, which share it evenly.
        peak: the busiest minutes as a multiple of the mean.
        batch_jobs: most jobs of a request.
        gather_s: a request takes what has come within this time.
        jobs_per_member: of a member on a day; so an account has its jobs divided by this.
        days: in play at a time.
        retain_days: how long settled jobs are kept.
        db_cores: of the largest database server that one would run.
        log_mb_s: what its log, its disk and its replicas carry.
    """

    jobs_per_day: float
    accounts: int
    peak: float = 5.0
    batch_jobs: float = 200.0
    gather_s: float = 0.1
    jobs_per_member: float = 20.0
    days: int = 7
    retain_days: float = 3.0
    db_cores: int = 16
    log_mb_s: float = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What it takes.

    Attributes:
        mean_per_s, peak_per_s: jobs a second.
        account_per_s: jobs a second of one account at the peak.
        members: of each account.
        request_jobs: jobs of a request at the peak.
        limit_per_s: requests a second that Hellotracks must allow an account.
        leader_share: of one core that deciding takes in the daemon that assigns for an account; above 1 it cannot.
        daemons: processes, one core each, and one to spare.
        daemon_gb: memory of each, its share of the fleets included.
        databases: servers of that size, the accounts spread over them.
        connections: at each database.
        db_cores_busy, transactions_per_s, wal_mb_s: at the peak, of all databases together.
        stored_gb: of settled jobs.
        wal_gb_per_day: to be shipped and archived.
        narrow: what is used up first, as a share of what one of it can give at the peak: one database, one daemon's
            idling, one leader, one row of limits.
        short: what does not fit even so, "" when all does.
    """

    mean_per_s: float
    peak_per_s: float
    account_per_s: float
    members: int
    request_jobs: float
    limit_per_s: float
    leader_share: float
    daemons: int
    daemon_gb: float
    databases: int
    connections: int
    db_cores_busy: float
    transactions_per_s: float
    wal_mb_s: float
    stored_gb: float
    wal_gb_per_day: float
    narrow: str
    short: str


def plan(costs: Costs, load: Load) -> Plan:
    """The formulas of docs/scale.md, with as few databases as carry the peak."""
    mean = load.jobs_per_day / DAY_S
    peak = mean * load.peak
    each = peak / load.accounts
    size = min(load.batch_jobs, max(1.0, each * load.gather_s))
    requests = peak / size
    limit = each / size / SPARE_LIMIT
    leader = each * costs.decide_cpu_ms / 1000
    busy = (peak * costs.job_db_cpu_ms + requests * costs.request_db_cpu_ms + mean * costs.prune_db_cpu_ms) / 1000
    wal = (peak * costs.job_wal_bytes + mean * costs.prune_wal_bytes) / 1e6
    work = (peak * (costs.job_daemon_cpu_ms + costs.decide_cpu_ms) + requests * costs.request_daemon_cpu_ms) / 1000

    def share(databases: int) -> tuple[float, int, float]:
        """Of each database: accounts, daemons, busy cores."""
        accounts = ceil(load.accounts / databases)
        room = max(BUSY - accounts * costs.idle_daemon_cpu_ms / 1000, 0.01)
        daemons = ceil(work / databases / room) + 1
        return accounts, daemons, busy / databases + accounts * daemons * costs.idle_db_cpu_ms / 1000

    def fits(databases: int) -> bool:
        accounts, _, cores = share(databases)
        return (
            cores <= load.db_cores * BUSY
            and wal / databases <= load.log_mb_s * BUSY
            and accounts * costs.idle_daemon_cpu_ms / 1000 <= BUSY * IDLE_SHARE
        )

    databases = next((number for number in range(1, load.accounts + 1) if fits(number)), load.accounts)
    accounts, group, cores = share(databases)
    daemons = group * databases
    shares = {
        "the database's CPU": busy / load.db_cores / BUSY,
        "the database's log": wal / load.log_mb_s / BUSY,
        "the leader of an account": leader / BUSY,
        "idle accounts in a daemon": load.accounts * costs.idle_daemon_cpu_ms / 1000 / BUSY / IDLE_SHARE,
        "an account's row of limits": limit / costs.slots_per_s,
    }
    narrow = max(shares, key=lambda name: shares[name])
    short = [name for name in ("the leader of an account", "an account's row of limits") if shares[name] > 1]
    if not fits(databases):
        short.insert(0, "the database of an account")
    jobs = load.jobs_per_day / load.accounts
    members = ceil(jobs / load.jobs_per_member)
    if members > MEASURED_MEMBERS:
        short.append(f"the engine, measured up to {MEASURED_MEMBERS:,} members")
    fleet = members * load.days * costs.member_day_bytes + jobs * costs.stop_bytes
    memory = costs.daemon_bytes + accounts * costs.account_bytes + ceil(accounts / group) * fleet
    return Plan(
        mean_per_s=mean,
        peak_per_s=peak,
        account_per_s=each,
        members=members,
        request_jobs=size,
        limit_per_s=limit,
        leader_share=leader,
        daemons=daemons,
        daemon_gb=memory / 1e9,
        databases=databases,
        connections=group * CONNECTIONS,
        db_cores_busy=cores * databases,
        transactions_per_s=requests * costs.request_transactions + load.accounts * group * costs.idle_transactions,
        wal_mb_s=wal,
        stored_gb=load.jobs_per_day * load.retain_days * costs.stored_bytes / 1e9,
        wal_gb_per_day=load.jobs_per_day * (costs.job_wal_bytes + costs.prune_wal_bytes) / 1e9,
        narrow=f"{narrow}: {shares[narrow]:.2g}",
        short=", ".join(short),
    )


def capacities(costs: Costs, load: Load) -> list[tuple[str, str, float]]:
    """What one of each carries at full requests: its name, what a job takes of it, jobs a second."""
    send_ms = costs.job_daemon_cpu_ms + costs.request_daemon_cpu_ms / load.batch_jobs
    db_ms = costs.job_db_cpu_ms + costs.request_db_cpu_ms / load.batch_jobs + costs.prune_db_cpu_ms
    single_ms = costs.job_daemon_cpu_ms + costs.request_daemon_cpu_ms
    wal = costs.job_wal_bytes + costs.prune_wal_bytes
    return [
        (
            "daemon that does it all",
            f"{send_ms + costs.decide_cpu_ms:.2g} ms",
            BUSY * 1000 / (send_ms + costs.decide_cpu_ms),
        ),
        ("daemon that accepts and sends", f"{send_ms:.2g} ms", BUSY * 1000 / send_ms),
        ("daemon, requests of one job", f"{single_ms:.2g} ms", BUSY * 1000 / single_ms),
        ("leader of an account, deciding", f"{costs.decide_cpu_ms:.2g} ms", BUSY * 1000 / costs.decide_cpu_ms),
        (f"database of {load.db_cores} cores", f"{db_ms:.2g} ms", BUSY * load.db_cores * 1000 / db_ms),
        (f"log of {load.log_mb_s:g} MB/s", f"{wal:,.0f} bytes", BUSY * load.log_mb_s * 1e6 / wal),
        *(
            (f"limit of {limit}/s", f"1/{load.batch_jobs:g} request", limit * SPARE_LIMIT * load.batch_jobs)
            for limit in (1, 10, 100)
        ),
        ("row of an account's limits", f"1/{load.batch_jobs:g} slot", BUSY * costs.slots_per_s * load.batch_jobs),
    ]
