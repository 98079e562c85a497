#!/bin/sh
# Writes into .env what docker-compose.yml needs: a random password for each store, and that `docker compose up` means everything.
# Lines that are there already stay as they are. Keep the file: the stores take their passwords when they are first started.
set -eu
cd "$(dirname "$0")/.."
umask 077
touch .env
[ -z "$(tail -c 1 .env)" ] || echo >>.env

# Hexadecimal: it needs no quotes in a URL.
random() { od -An -v -N 24 -t x1 /dev/urandom | tr -d ' \n'; }
add() { grep -q "^$1=" .env || printf '%s=%s\n' "$1" "$2" >>.env; }

add COMPOSE_PROFILES app
add MILEPOST_SQL_PASSWORD "$(random)"
add MILEPOST_SQL_ROOT_PASSWORD "$(random)"
add MILEPOST_MONGO_PASSWORD "$(random)"
add MILEPOST_MONGO_ROOT_PASSWORD "$(random)"
add MILEPOST_S3_SECRET "$(random)"
