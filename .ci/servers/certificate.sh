# Certificates of servers, by an authority that each has of its own. Sourced by .ci/services.

# For the name localhost alone: the address that it stands for is then one that the certificate is not for. The authority's key is not kept.
make_certificate() { # make_certificate FOLDER USER: ca.pem, and server.pem with the server.key that only the user may read; at the first time
  local folder=$1 user=$2 log=$1/log
  [ ! -e "$folder/made" ] || return 0
  rm -rf "$folder" && mkdir -p "$folder" && cat >"$folder/options" <<'OPTIONS' || return 1
[req]
distinguished_name = none
[none]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost
OPTIONS
  (
    cd "$folder" && umask 077 && new=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config options) &&
      openssl req -x509 "${new[@]}" -subj '/CN=Milepost test authority' -extensions authority -days 3650 -keyout ca.key -out ca.pem &&
      openssl req "${new[@]}" -subj '/CN=localhost' -keyout server.key -out server.csr &&
      openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile options -extensions server -days 3650 -out server.pem
  ) </dev/null >"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }
  rm "$folder"/{ca.key,ca.srl,server.csr,options,log} && chmod 755 "$folder" && chmod 644 "$folder"/*.pem || return 1
  [ "$(id -u)" -ne 0 ] || chown "$user" "$folder/server.key" || return 1
  touch "$folder/made"
}

show_ca() { [ ! -e "$2/made" ] || printf '%s=%q\n' "$1" "$2/ca.pem"; } # show_ca VARIABLE FOLDER: no line for a server that has no certificate
