# MySQL itself, in the Debian sid. Sourced by .ci/services. Its defaults are durable: every commit and the binary log are synced.
MYSQL_HOME=/var/lib/milepost-mysql

start_mysql() {
  local port log=$STATE/mysql.log data; data=$(sid_root)$MYSQL_HOME
  port=$(port_of mysql) || return 1
  if [ ! -e "$data/made" ]; then
    rm -rf "$data" && mkdir -p "$data" && in_sid chown mysql "$MYSQL_HOME" || return 1
    in_sid mysqld --no-defaults --initialize-insecure --user=mysql "--datadir=$MYSQL_HOME/data" </dev/null >"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }
    touch "$data/made"
  fi
  is_up_mysql || make_certificate "$data/tls" "$(in_sid id -u mysql)" || return 1
  is_up_mysql || launch mysql chroot "$(sid_root)" env -i PATH=/usr/sbin:/usr/bin:/bin LC_ALL=C.UTF-8 mysqld --no-defaults --user=mysql "--datadir=$MYSQL_HOME/data" \
    "--socket=$MYSQL_HOME/socket" "--pid-file=$MYSQL_HOME/pid" --bind-address=127.0.0.1 "--port=$port" --mysqlx=OFF --secure-file-priv=NULL --max-connections=400 \
    "--ssl-cert=$MYSQL_HOME/tls/server.pem" "--ssl-key=$MYSQL_HOME/tls/server.key"
  await mysql is_up_mysql && await mysql mysql_client -e 'CREATE DATABASE IF NOT EXISTS milepost'
}

mysql_client() { in_sid mysql --no-defaults --host=127.0.0.1 "--port=$(port_of mysql)" --user=root "$@" </dev/null; }
is_up_mysql() { listens mysql "$(port_of mysql)"; }
stop_mysql() { end mysql TERM; }
kill_mysql() { kill_unit mysql; }
env_mysql() {
  echo "MYSQL_URL=mysql://root@127.0.0.1:$(port_of mysql)/milepost"
  show_ca MYSQL_CA "$(sid_root)$MYSQL_HOME/tls"
}
version_mysql() { mysql_client -N -e 'SELECT CONCAT(@@version_comment, " ", @@version)'; }
