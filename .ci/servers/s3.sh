# An S3 server: versitygw over a folder. Sourced by .ci/services.
S3_KEY=milepost S3_SECRET=milepost-secret

start_s3() {
  local port; port=$(port_of s3) || return 1
  mkdir -p "$STATE/s3/data" "$STATE/s3/iam" || return 1
  is_up_s3 || launch s3 env "ROOT_ACCESS_KEY=$S3_KEY" "ROOT_SECRET_KEY=$S3_SECRET" "$VERSITYGW" --port "127.0.0.1:$port" --quiet --health /health \
    --iam-dir "$STATE/s3/iam" posix "$STATE/s3/data"
  await s3 is_up_s3 && await s3 answers "$port" /health
}

answers() { # answers PORT PATH: 200 over HTTP, without a tool that a machine may lack
  local status
  exec 7<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$2" >&7
  read -r -t 5 _ status _ <&7
  exec 7<&-
  [ "$status" = 200 ]
}

is_up_s3() { listens s3 "$(port_of s3)"; }
stop_s3() { end s3 TERM; }
kill_s3() { kill_unit s3; }
env_s3() {
  echo "S3_ENDPOINT=http://127.0.0.1:$(port_of s3)"
  printf '%s\n' S3_REGION=us-east-1 S3_BUCKET=milepost "S3_ACCESS_KEY_ID=$S3_KEY" "S3_SECRET_ACCESS_KEY=$S3_SECRET" S3_FORCE_PATH_STYLE=true
}
version_s3() { echo "versitygw $VERSITYGW_VERSION"; }
