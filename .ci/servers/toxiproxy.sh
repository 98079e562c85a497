# A proxy that slows and cuts connections as it is told over HTTP. Sourced by .ci/services. It forgets its proxies when it stops.

start_toxiproxy() {
  local port; port=$(port_of toxiproxy) || return 1
  is_up_toxiproxy || launch toxiproxy "$TOXIPROXY" -host 127.0.0.1 -port "$port"
  await toxiproxy is_up_toxiproxy && await toxiproxy answers "$port" /version
}

is_up_toxiproxy() { listens toxiproxy "$(port_of toxiproxy)"; }
stop_toxiproxy() { end toxiproxy TERM; }
kill_toxiproxy() { kill_unit toxiproxy; }
env_toxiproxy() { echo "TOXIPROXY_URL=http://127.0.0.1:$(port_of toxiproxy)"; }
version_toxiproxy() { echo "toxiproxy $TOXIPROXY_VERSION"; }
