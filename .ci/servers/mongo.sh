# A server of the MongoDB protocol: FerretDB, over PostgreSQL with DocumentDB in the Debian sid. Sourced by .ci/services.
# PostgreSQL's defaults are durable (fsync, synchronous_commit): every acknowledgement follows a sync, whatever w and j say.
PG_HOME=/var/lib/milepost-postgres PG_PROGRAMS=/usr/lib/postgresql/18/bin

AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --clear-groups env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8)
as_postgres() { chroot "$(sid_root)" "${AS_POSTGRES[@]}" "$@"; }
psql_client() { as_postgres psql -qAt -h 127.0.0.1 -p "$(port_of mongo.postgres)" -d postgres "$@" </dev/null; }

start_mongo() {
  local port tls_port tls=$STATE/mongo-tls
  port=$(port_of mongo) && tls_port=$(port_of mongo.tls) || return 1
  start_postgres || return 1
  mkdir -p "$STATE/mongo-state"
  if ! is_up_mongo; then
    make_certificate "$tls" "$(id -u)" || return 1
    end mongo TERM # it may listen on one of its ports only
    launch mongo "$FERRETDB" "--postgresql-url=postgres://postgres@127.0.0.1:$(port_of mongo.postgres)/postgres" "--listen-addr=127.0.0.1:$port" \
      "--listen-tls=127.0.0.1:$tls_port" "--listen-tls-cert-file=$tls/server.pem" "--listen-tls-key-file=$tls/server.key" \
      --debug-addr=- --no-auth --telemetry=disable "--state-dir=$STATE/mongo-state" --log-level=WARN
  fi
  await mongo is_up_mongo
}

start_postgres() {
  local port log=$STATE/mongo.postgres.log home; home=$(sid_root)$PG_HOME
  port=$(port_of mongo.postgres) || return 1
  if [ ! -e "$home/made" ]; then
    rm -rf "$home" && mkdir -p "$home" && in_sid chown postgres: "$PG_HOME" || return 1
    as_postgres "$PG_PROGRAMS/initdb" -D "$PG_HOME/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 </dev/null >"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }
    cat >>"$home/data/postgresql.conf" <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_preload_libraries = 'pg_cron,pg_documentdb_core,pg_documentdb'
cron.database_name = 'postgres'
deadlock_timeout = '50ms'
dynamic_shared_memory_type = 'mmap'
CONF
    touch "$home/made"
  fi
  is_running mongo.postgres || forget_dead_postgres "$home/data"
  listens mongo.postgres "$port" || launch mongo.postgres chroot "$(sid_root)" "${AS_POSTGRES[@]}" "$PG_PROGRAMS/postgres" -D "$PG_HOME/data" -p "$port"
  await mongo.postgres listens mongo.postgres "$port" && await mongo.postgres psql_client -c 'SELECT 1' &&
    await mongo.postgres psql_client -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION IF NOT EXISTS documentdb CASCADE'
}

# PostgreSQL takes a killed one for alive while nobody has reaped it. Its children end by themselves; only then is the folder free.
forget_dead_postgres() { # forget_dead_postgres DATA
  local until=$((SECONDS + STOP_LIMIT_S))
  while postgres_is_left && [ "$SECONDS" -lt "$until" ]; do sleep 0.1; done
  postgres_is_left || rm -f "$1/postmaster.pid"
}

postgres_is_left() {
  local process
  for process in /proc/[0-9]*; do
    [ "$process/root" -ef "$(sid_root)" ] && [ "$(cat "$process/comm" 2>/dev/null)" = postgres ] && return 0
  done
  return 1
}

is_up_mongo() { listens mongo.postgres "$(port_of mongo.postgres)" && listens mongo "$(port_of mongo)" && listens mongo "$(port_of mongo.tls)"; }
stop_mongo() { end mongo TERM; end mongo.postgres INT; }
kill_mongo() { kill_unit mongo; kill_unit mongo.postgres; }
env_mongo() {
  echo "MONGO_URL=mongodb://127.0.0.1:$(port_of mongo)/milepost?directConnection=true"
  show_ca MONGO_CA "$STATE/mongo-tls"
  [ ! -e "$STATE/mongo-tls/made" ] || echo "MONGO_TLS_URL=mongodb://localhost:$(port_of mongo.tls)/milepost?tls=true"
}
version_mongo() {
  echo "FerretDB $FERRETDB_VERSION, PostgreSQL $(psql_client -c 'SHOW server_version'), DocumentDB $(psql_client -c "SELECT extversion FROM pg_extension WHERE extname = 'documentdb'")"
}
