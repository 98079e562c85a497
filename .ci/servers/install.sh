# Gets the programs of servers by the ordinary clients: apt, debootstrap, go, mvn. Sourced by .ci/services.
# What takes long is kept in CACHE, under names that carry the version, and appears there only whole.
FERRETDB_VERSION=2.7.0 VERSITYGW_VERSION=1.8.0 TOXIPROXY_VERSION=2.5.0
FERRETDB=$CACHE/ferretdb-$FERRETDB_VERSION VERSITYGW=$CACHE/versitygw-$VERSITYGW_VERSION TOXIPROXY=$CACHE/toxiproxy-$TOXIPROXY_VERSION

# install_servers NAME…: whatever is missing. A server that cannot be had leaves the reason in NAME.unavailable, the others go on.
install_servers() {
  local name
  for name in "$@"; do rm -f "$STATE/$name.unavailable"; done
  mkdir -p "$CACHE" && exec 8>"$CACHE/.lock" && { flock -n 8 || { say 'waiting for another installation …'; flock 8; }; } || { for name in "$@"; do echo "cannot write $CACHE" >"$STATE/$name.unavailable"; done; return; }
  rm -rf "$CACHE"/*.part "$CACHE"/go.[0-9]* # of an installation that was killed
  remove_sid_builds
  BUILDER=
  trap 'abandon_installation; exit 143' INT TERM
  # Compilers in the background, one after the other; meanwhile packages, likewise: there is one lock for all of apt.
  build_with_go "$@" 8>&- 9>&- &
  BUILDER=$!
  for name in "$@"; do
    REASON=
    case $name in
    sql) { install_sql && install_openssl; } || unavailable sql ;;
    mongo | mysql) { install_sid_root && install_openssl; } || unavailable "$name" ;;
    mongo-java) install_mongo_java || unavailable mongo-java ;;
    esac
  done
  wait "$BUILDER"
  trap - INT TERM
  exec 8>&-
}

abandon_installation() {
  [ -z "$BUILDER" ] || { kill "$BUILDER"; wait "$BUILDER"; } 2>/dev/null
  rm -rf "$CACHE/go.$$"
  remove_sid_builds
}

unavailable() { echo "${REASON:-see above}" >>"$STATE/$1.unavailable"; } # a server of two parts may have two reasons

build_with_go() { # build_with_go NAME…
  local name work=$CACHE/go.$$
  for name in "$@"; do
    case $name in
    mongo) go_install "$FERRETDB" "github.com/FerretDB/FerretDB/v2/cmd/ferretdb@v$FERRETDB_VERSION" || unavailable mongo ;;
    s3) go_install "$VERSITYGW" "github.com/versity/versitygw/cmd/versitygw@v$VERSITYGW_VERSION" || unavailable s3 ;;
    toxiproxy) go_install "$TOXIPROXY" "github.com/Shopify/toxiproxy/v2/cmd/server@v$TOXIPROXY_VERSION" || unavailable toxiproxy ;;
    esac
  done
  rm -rf "$work"
}

go_install() { # go_install PROGRAM PACKAGE: with a module cache of its own, removed afterwards; nothing of the caller's Go is touched
  local program=$1 log=$STATE/go.log
  [ -x "$program" ] && return 0
  command -v go >/dev/null || { REASON='there is no go, which builds it'; return 1; }
  say "building $(basename "$program") …"
  mkdir -p "$work/bin"
  env GOBIN="$work/bin" GOPATH="$work/path" GOCACHE="$work/cache" GOFLAGS=-modcacherw go install -trimpath "$2" </dev/null >"$log" 2>&1 ||
    { REASON="go could not build it"; tail -n 20 "$log" >&2; return 1; }
  mv "$work/bin/"* "$program.part" && mv "$program.part" "$program"
}

install_openssl() { command -v openssl >/dev/null || apt_install openssl; }

apt_install() { # apt_install PACKAGE…
  local log=$STATE/apt.log
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then REASON="only root can install packages: $*"; return 1; fi
  for _ in $(seq 60); do # the lists have a lock that apt does not wait for
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 update </dev/null >"$log" 2>&1 && break
    grep -q 'Could not get lock' "$log" || break
    sleep 5
  done
  DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o DPkg::Lock::Timeout=600 install --no-install-recommends "$@" </dev/null 8>&- 9>&- >>"$log" 2>&1 ||
    { REASON="apt-get could not install $*"; tail -n 20 "$log" >&2; return 1; }
}
