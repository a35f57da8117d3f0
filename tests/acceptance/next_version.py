"""The program as its next version might be: one more step of the schema, and another number. Else it is the same.

python -m tests.acceptance.next_version run …
"""

from __future__ import annotations

import dispatcher
from dispatcher.spool.postgres import schema
from dispatcher.spool.postgres.statements import SQL

VERSION = "99.0.0"
STEP = "next_step"


def main() -> None:
    """The command line of that version."""
    dispatcher.__version__ = VERSION
    SQL[STEP] = (
        "ALTER TABLE dispatcher.jobs ADD COLUMN colour text NOT NULL DEFAULT 'red';"
        "CREATE TABLE dispatcher.colours (name text PRIMARY KEY);"
    )
    schema.STEPS = (*schema.STEPS, schema.Step(STEP, works_with=1))
    schema.VERSION = len(schema.STEPS)
    from dispatcher.cli.app import cli  # noqa: PLC0415 - it reads the version when it is loaded

    cli(prog_name="dispatcher")


if __name__ == "__main__":
    main()
