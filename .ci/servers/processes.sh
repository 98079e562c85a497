# Processes, ports and folders of servers. Sourced by .ci/services; STATE is the folder of what it made.
# A unit is one process: UNIT.pid, UNIT.port and UNIT.log lie in STATE. Most servers are one unit of their own name.
FIRST_PORT=20000 PORTS=10000 # below those that the system gives to clients: a stopped server's port stays its own
START_LIMIT_S=90 STOP_LIMIT_S=45

# Commands for one DIR go one after the other; a server must not inherit the lock (9), or it would hold it for ever.
lock_state() {
  while :; do
    mkdir -p "$STATE" && chmod 755 "$STATE" && exec 9>"$STATE/lock" && flock 9 || return 1
    [ "$STATE/lock" -ef /proc/self/fd/9 ] && return 0 # else a `down` removed it while we waited
  done
}

birth_of() { # birth_of PID: when it began, in ticks; nothing for a process that is gone or a zombie
  local stat fields
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  read -ra fields <<<"${stat##*) }"
  case ${fields[0]} in Z | X) return 1 ;; esac
  echo "${fields[19]}"
}

# A number alone may be another process by now.
pid_of() { # pid_of UNIT: its process id, if it is still that process
  local pid born boot
  { read -r pid born boot <"$STATE/$1.pid"; } 2>/dev/null || return 1
  [ "$boot" = "$(</proc/sys/kernel/random/boot_id)" ] && [ "$(birth_of "$pid")" = "$born" ] && echo "$pid"
}

is_running() { pid_of "$1" >/dev/null; }

launch() { # launch UNIT COMMAND…: outlives the caller and its terminal
  local unit=$1; shift
  setsid "$@" </dev/null >>"$STATE/$unit.log" 2>&1 8>&- 9>&- &
  local pid=$!
  disown "$pid"
  echo "$pid $(birth_of "$pid") $(</proc/sys/kernel/random/boot_id)" >"$STATE/$unit.pid.part" && mv "$STATE/$unit.pid.part" "$STATE/$unit.pid"
}

inode_of_listener() { # inode_of_listener PORT: of the socket that listens there
  awk -v port="$(printf ':%04X' "$1")" '$4 == "0A" && substr($2, length($2) - 4) == port { print $10; exit }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# Somebody answers on the port, and it is this process: a server that found its port taken may live on for a moment.
listens() { # listens UNIT PORT
  local pid inode
  pid=$(pid_of "$1") && inode=$(inode_of_listener "$2") && [ -n "$inode" ] || return 1
  find "/proc/$pid/fd" -lname "socket:\[$inode\]" 2>/dev/null | grep -q .
}

port_of() { # port_of UNIT: its own for good
  local file=$STATE/$1.port port
  if [ ! -e "$file" ]; then
    while :; do
      port=$((FIRST_PORT + (RANDOM * 32768 + RANDOM) % PORTS))
      grep -qsx "$port" "$STATE"/*.port && continue
      [ -n "$(inode_of_listener "$port")" ] || break
    done
    echo "$port" >"$file"
  fi
  cat "$file"
}

await() { # await UNIT COMMAND…: until the command succeeds, the process ends or time is over
  local unit=$1 until=$((SECONDS + START_LIMIT_S)); shift
  while [ "$SECONDS" -lt "$until" ]; do
    "$@" >/dev/null 2>&1 && return 0
    is_running "$unit" || break
    sleep 0.1
  done
  is_running "$unit" && say "$unit is not ready after $START_LIMIT_S s; the end of its log:" || say "$unit ended; the end of its log:"
  tail -n 30 "$STATE/$unit.log" >&2
  return 1
}

end() { # end UNIT SIGNAL: asks it to end, and makes it
  local unit=$1 pid until=$((SECONDS + STOP_LIMIT_S))
  while pid=$(pid_of "$unit"); do
    if [ "$SECONDS" -ge "$until" ]; then say "$unit did not end in $STOP_LIMIT_S s and is killed"; kill_unit "$unit"; break; fi
    [ -n "${asked:-}" ] || kill "-$2" "$pid" 2>/dev/null
    local asked=yes
    sleep 0.05
  done
  rm -f "$STATE/$unit.pid"
}

kill_unit() { # kill_unit UNIT: SIGKILL for it and its children, and waits until they are gone
  local pid child children=()
  pid=$(pid_of "$1") || { rm -f "$STATE/$1.pid"; return 0; }
  mapfile -t children < <(cat /proc/"$pid"/task/*/children 2>/dev/null | tr ' ' '\n' | grep .)
  kill -KILL "$pid" "${children[@]}" 2>/dev/null
  for child in "$pid" "${children[@]}"; do while birth_of "$child" >/dev/null; do sleep 0.05; done; done
  rm -f "$STATE/$1.pid"
}

# A server that runs as another user must reach its folder, also when DIR lies below a folder that only its owner may enter.
home_of() { # home_of UNIT USER: makes the folder of its data at the first time; its path
  local unit=$1 user=$2 home
  if [ ! -L "$STATE/$unit.home" ]; then
    home=$STATE/$unit
    mkdir -p "$home"
    if [ "$(id -u)" -eq 0 ] && ! setpriv "--reuid=$user" --clear-groups test -x "$home"; then rmdir "$home"; home=$(mktemp -d /var/tmp/milepost-services-XXXXXX); fi
    [ "$(id -u)" -ne 0 ] || chown "$user" "$home"
    ln -s "$home" "$STATE/$unit.home"
  fi
  readlink "$STATE/$unit.home"
}

remove_homes() {
  local link
  for link in "$STATE"/*.home; do [ ! -L "$link" ] || rm -rf --one-file-system "$(readlink "$link")" || return 1; done
}
