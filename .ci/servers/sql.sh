# MariaDB. Sourced by .ci/services. Its defaults are durable: every commit is synced.

install_sql() {
  command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null && command -v mariadb >/dev/null && return 0
  apt_install mariadb-server-core mariadb-client-core # the programs alone: no service of the system is started
}

sql_user() { if [ "$(id -u)" -ne 0 ]; then id -un; elif id mysql >/dev/null 2>&1; then echo mysql; else echo nobody; fi; }

start_sql() {
  local user home port log=$STATE/sql.log
  user=$(sql_user) && home=$(home_of sql "$user") && port=$(port_of sql) || return 1
  if [ ! -e "$home/data.made" ]; then
    rm -rf "$home/data"
    mariadb-install-db --no-defaults "--user=$user" "--datadir=$home/data" --auth-root-authentication-method=normal --skip-test-db </dev/null >"$log" 2>&1 ||
      { tail -n 20 "$log" >&2; return 1; }
    touch "$home/data.made"
  fi
  # A server that is up has none, or the one that it began with.
  is_up_sql || make_certificate "$home/tls" "$user" || return 1
  # The socket's path is relative to the data: an absolute one may be longer than the 107 bytes that sockets allow.
  is_up_sql || launch sql mariadbd --no-defaults "--user=$user" "--datadir=$home/data" --socket=socket --pid-file=pid --bind-address=127.0.0.1 "--port=$port" \
    --character-set-server=utf8mb4 --collation-server=utf8mb4_bin --max-connections=400 "--ssl-cert=$home/tls/server.pem" "--ssl-key=$home/tls/server.key"
  await sql is_up_sql && await sql sql_client -e 'CREATE DATABASE IF NOT EXISTS milepost'
}

sql_client() { mariadb --no-defaults --host=127.0.0.1 "--port=$(port_of sql)" --user=root "$@" </dev/null; }
is_up_sql() { listens sql "$(port_of sql)"; }
stop_sql() { end sql TERM; }
kill_sql() { kill_unit sql; }
env_sql() {
  echo "SQL_URL=mysql://root@127.0.0.1:$(port_of sql)/milepost"
  show_ca SQL_CA "$(readlink "$STATE/sql.home")/tls"
}
version_sql() { sql_client -N -e 'SELECT CONCAT(@@version_comment, " ", @@version)'; }
