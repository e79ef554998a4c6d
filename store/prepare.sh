#!/usr/bin/env bash
# Renews .sqlx, the descriptions of all queries that the build checks against (see migrations/README.md).
# Usage: store/prepare.sh [--check]     with VOXPLANE_TEST_DATABASE_URL = superuser of a Postgres used for tests only
set -euo pipefail

cd "$(dirname "$0")/.."
check=${1:-}
if [[ -n $check && $check != --check ]]; then
    echo "unknown argument $check: use --check or nothing" >&2
    exit 2
fi
: "${VOXPLANE_TEST_DATABASE_URL:?must be the URL of a superuser, like postgres://postgres:secret@127.0.0.1/postgres}"

server=${VOXPLANE_TEST_DATABASE_URL%/*}
database=voxplane_prepare_$$
fresh=$(mktemp -d)
admin() { psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 "$@"; }
cleanup() {
    rm -rf "$fresh"
    admin "$VOXPLANE_TEST_DATABASE_URL" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" >/dev/null
}
trap cleanup EXIT

for role in voxplane_owner voxplane_app voxplane_jobs; do
    admin "$VOXPLANE_TEST_DATABASE_URL" -c \
        "DO \$\$ BEGIN CREATE ROLE $role; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$"
done
admin "$VOXPLANE_TEST_DATABASE_URL" -c "CREATE DATABASE $database OWNER voxplane_owner"
{
    echo 'CREATE EXTENSION vector;'
    echo 'SET ROLE voxplane_owner;'
    # The table sqlx keeps; migrations grant on it and queries read it.
    echo 'CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL,
              installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL,
              execution_time bigint NOT NULL);'
    cat migrations/*.sql
} | admin "$server/$database" >/dev/null

# The macros describe queries again only when the crate is compiled again.
touch store/src/lib.rs
SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$fresh DATABASE_URL=$server/$database \
    cargo check --quiet --package voxplane-store --all-targets --all-features

if [[ $check == --check ]]; then
    if ! diff --recursive --brief "$fresh" .sqlx; then
        echo ".sqlx is stale: run store/prepare.sh and commit it" >&2
        exit 1
    fi
    echo ".sqlx is up to date"
else
    mkdir -p .sqlx
    rm -f .sqlx/query-*.json
    cp "$fresh"/query-*.json .sqlx/
    touch store/src/lib.rs
    echo ".sqlx has $(find .sqlx -name 'query-*.json' | wc -l) queries"
fi
