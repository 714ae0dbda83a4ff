#!/bin/sh
# Starts PostgreSQL. On an empty volume it makes the cluster first, from the variables of the official image:
# POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB.
set -eu
[ "${1:-postgres}" = postgres ] || exec "$@"

user="${POSTGRES_USER:-postgres}"
database="${POSTGRES_DB:-$user}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo "POSTGRES_PASSWORD is not set, and the data folder is empty: set it to a non-empty value" >&2
        exit 1
    fi
    umask 077
    printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password
    initdb --username="$user" --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust \
        --encoding=UTF8 --locale=C.UTF-8
    rm /tmp/password
    echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    if [ "$database" != postgres ]; then
        # Single-user mode reads one statement a line.
        printf 'CREATE DATABASE "%s"\n' "$(printf %s "$database" | sed 's/"/""/g')" | postgres --single -D "$PGDATA" postgres
    fi
fi
exec "$@"
