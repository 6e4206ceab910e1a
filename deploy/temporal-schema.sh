#!/bin/sh
# Brings Temporal's two databases to the schema of this version of its tools; run before each start of the server.
set -eu
umask 077
passwords=$(mktemp)
trap 'rm -f "$passwords"' EXIT
# printf is part of the shell: the password is on no command line and in no environment.
printf '*:*:*:temporal:%s\n' "$(cat /run/secrets/temporal-password)" >"$passwords"
export PGPASSFILE="$passwords"

update() {
    tool="temporal-sql-tool --plugin postgres12_pgx --endpoint postgres --port 5432 --user temporal --database $1"
    # Leaves a schema that is there alone.
    $tool setup-schema --version 0.0
    $tool update-schema --schema-name "postgresql/v12/$2"
}

update temporal temporal
update temporal_visibility visibility
