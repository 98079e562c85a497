# A Debian sid in a folder, with what Debian stable lacks: PostgreSQL 18 with DocumentDB, and MySQL. Sourced by .ci/services.
# sid cannot be pinned: the archive in the cache is the pin; versions are printed when a server starts.
SID_ARCHIVE=$CACHE/sid-mysql-postgresql18.tar.gz
SID_PACKAGES=(postgresql-18 postgresql-18-documentdb mysql-server-core mysql-client-core)

sid_root() { echo "$STATE/sid"; }

in_sid() { # in_sid COMMAND…: as root of the folder
  chroot "$(sid_root)" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"
}

install_sid_root() {
  local root; root=$(sid_root)
  [ -d "$root" ] && return 0
  [ "$(id -u)" -eq 0 ] || { REASON='it lives in a Debian sid of its own, and only root can change to one'; return 1; }
  [ -s "$SID_ARCHIVE" ] || build_sid_archive || return 1
  rm -rf --one-file-system "$root.part" && mkdir -p "$root.part" && tar -C "$root.part" -xzf "$SID_ARCHIVE" && mv "$root.part" "$root" ||
    { REASON="could not unpack $SID_ARCHIVE"; return 1; }
  in_sid sh -c ': >/dev/null' 2>/dev/null || { REASON="$DIR is on a file system without programs or devices (noexec, nodev): take another folder"; return 1; }
}

# Everything is installed right after debootstrap: a later update is refused where the release file is out of date.
build_sid_archive() {
  local root=$CACHE/sid-build.$$ log=$STATE/sid.log
  command -v debootstrap >/dev/null || apt_install debootstrap || return 1
  say 'making a Debian sid with PostgreSQL, DocumentDB and MySQL …'
  REASON='Debian sid with its packages could not be had'
  debootstrap --variant=minbase --include=ca-certificates sid "$root" </dev/null 8>&- 9>&- >"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod 755 "$root/usr/sbin/policy-rc.d" # starts no service
  mkdir -p "$root/etc/postgresql-common" && echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
  mount -t proc proc "$root/proc" || return 1 # a script of postgresql-common reads it
  chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -y -qq -o Dpkg::Options::=--force-confold install \
    --no-install-recommends "${SID_PACKAGES[@]}" </dev/null 8>&- 9>&- >>"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }
  umount "$root/proc" || return 1
  chroot "$root" useradd --system mysql 2>/dev/null
  grep -qs localhost "$root/etc/hosts" || echo '127.0.0.1 localhost' >"$root/etc/hosts"
  chroot "$root" apt-get clean
  rm -rf "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}
  tar -C "$root" --exclude='./proc/*' --exclude='./dev/shm/*' -cf - . | gzip -1 >"$SID_ARCHIVE.part" && mv "$SID_ARCHIVE.part" "$SID_ARCHIVE" || return 1
  remove_sid_builds
}

remove_sid_builds() { # also what a killed installation left; called under the lock of the cache
  local root
  for root in "$CACHE"/sid-build.*; do
    [ ! -d "$root" ] || { unmount_below "$root" && rm -rf --one-file-system "$root"; }
  done
}

remove_sid_root() {
  local root
  for root in "$(sid_root)" "$(sid_root).part"; do
    [ ! -d "$root" ] || { unmount_below "$root" && rm -rf --one-file-system "$root"; } || return 1
  done
}

unmount_below() { # unmount_below FOLDER
  local point
  while read -r _ point _; do
    case $point in "$1"/*) umount "$point" || return 1 ;; esac
  done < <(tac /proc/mounts)
}
