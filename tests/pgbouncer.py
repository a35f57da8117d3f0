"""A real PgBouncer in transaction mode in front of the tests' PostgreSQL, once per test process.

Two server connections per database, shared by all that the clients open: nearly every transaction meets another session
than the one before. Prepared statements are off.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests import postgres

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
MISSING = postgres.MISSING or ("" if PROGRAM else "there is no pgbouncer here (Debian: pgbouncer)")
"""Why nothing can be tested behind a pool here; "": it can."""
KNOWS_PREPARED = (1, 21)
"""The version from which it has statements of clients prepared, unless told not to."""
INI = """
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
reserve_pool_size = 0
server_login_retry = 1
server_reset_query_always = 0
{more}
"""


def through(dsn: str) -> str:
    """The same database through the pool, as the setting `spool` names it."""
    user = urlsplit(dsn).username or "postgres"
    return f"postgresql://{user}@127.0.0.1:{_port()}{urlsplit(dsn).path}?listen=off"


@cache
def _port() -> int:
    """Where it listens; it is started at the first call and ended with this process."""
    assert PROGRAM is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="dispatcher-pgbouncer-"))
    folder.chmod(0o755)
    file = folder / "pgbouncer.ini"
    file.write_text(INI.format(server=_server(), port=port, more=_more()))
    as_user = ("-u", _user()) if os.geteuid() == 0 else ()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, *as_user, str(file)], stdout=log, stderr=log)

    def end() -> None:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    for _ in range(200):
        assert process.poll() is None, (folder / "log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return port
    raise AssertionError((folder / "log").read_text())


def _server() -> str:
    """How the pool reaches the server, in its own words."""
    parts = urlsplit(postgres.admin_dsn())
    query = parse_qs(parts.query)
    words = {
        "host": query["host"][0] if "host" in query else parts.hostname or "127.0.0.1",
        "port": str(parts.port or 5432),
        "user": parts.username or "postgres",
        "password": parts.password or "",
    }
    return " ".join(f"{name}='{value}'" for name, value in words.items() if value)


def _user() -> str:
    """It will not run as root; whoever runs the server may come near its socket."""
    owner = "" if os.environ.get(postgres.VARIABLE) else postgres.carried_server().system_user
    return owner or "nobody"


def _more() -> str:
    assert PROGRAM is not None
    said = subprocess.run([PROGRAM, "--version"], check=True, capture_output=True, text=True).stdout
    version = re.search(r"(\d+)\.(\d+)", said)
    knows = version is not None and (int(version[1]), int(version[2])) >= KNOWS_PREPARED
    return "max_prepared_statements = 0" if knows else ""
