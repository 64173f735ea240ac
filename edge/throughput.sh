#!/usr/bin/env bash
# Throughput of edge, nginx and HAProxy as reverse proxies before the same server, in one run, in turns.
#
#   apt-get install wrk nginx-light haproxy     # what it needs beside cargo
#   edge/throughput.sh [seconds of each round, default 8] [rounds, default 5]
#
# The load (wrk), the proxy and the server behind it share the processors of one machine, so only ratios mean something, and
# only those of one run. Each line is the median of the rounds. nginx and HAProxy keep their connections to the server, as
# edge does; none of them writes a log of requests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds="${1:-8}"
rounds="${2:-5}"
threads="$(nproc)"
for program in wrk nginx haproxy; do
    command -v "$program" >/dev/null || { echo "$program is missing: apt-get install wrk nginx-light haproxy" >&2; exit 1; }
done
cargo build --release --quiet -p edge
place="$(mktemp -d)"
started=()
end() {
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$place"
}
trap end EXIT
back=18080 by_nginx=18081 by_haproxy=18082 by_edge=18083

# Behind all of them: nginx, with a short answer and a long one.
mkdir -p "$place/www" "$place/edge"
chmod 755 "$place"        # the workers of nginx are nobody
head -c 1048576 /dev/zero >"$place/www/long"
printf 'hello from the server behind\n' >"$place/www/short"
common="daemon off; pid $place/%s.pid; error_log $place/%s.log crit; events { worker_connections 4096; }"
# shellcheck disable=SC2059
{
    printf "worker_processes 1; $common\n" back back
    echo "http { access_log off; sendfile on; keepalive_requests 1000000000; client_body_temp_path $place/b1;
      proxy_temp_path $place/b2; fastcgi_temp_path $place/b3; uwsgi_temp_path $place/b4; scgi_temp_path $place/b5;
      open_file_cache max=10; server { listen 127.0.0.1:$back; root $place/www; } }"
} >"$place/back.conf"
# shellcheck disable=SC2059
{
    printf "worker_processes $threads; $common\n" nginx nginx
    echo "http { access_log off; keepalive_requests 1000000000; client_body_temp_path $place/n1; proxy_temp_path $place/n2;
      fastcgi_temp_path $place/n3; uwsgi_temp_path $place/n4; scgi_temp_path $place/n5;
      upstream back { server 127.0.0.1:$back; keepalive 128; keepalive_requests 1000000000; }
      server { listen 127.0.0.1:$by_nginx; location /s/ { proxy_pass http://back/; proxy_http_version 1.1;
        proxy_set_header Connection ''; proxy_set_header X-Forwarded-For \$remote_addr; } } }"
} >"$place/nginx.conf"
cat >"$place/haproxy.cfg" <<CONFIG
global
    nbthread $threads
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    option http-keep-alive
    option forwardfor
    http-reuse always
frontend front
    bind 127.0.0.1:$by_haproxy
    http-request replace-path /s/(.*) /\1
    default_backend back
backend back
    server back 127.0.0.1:$back
CONFIG
cat >"$place/edge/http.yaml" <<CONFIG
listen: 127.0.0.1:$by_edge
upstreams:
  back:
    servers: ['127.0.0.1:$back']
    check: { path: /short }
routes:
  /s/: upstream back
CONFIG
nginx -c "$place/back.conf" -p "$place" 2>/dev/null & started+=($!)
nginx -c "$place/nginx.conf" -p "$place" 2>/dev/null & started+=($!)
haproxy -f "$place/haproxy.cfg" >/dev/null 2>&1 & started+=($!)
target/release/edge --config-dir "$place/edge" --log error >/dev/null & started+=($!)
for port in $back $by_nginx $by_haproxy $by_edge; do
    for _ in $(seq 100); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
        sleep 0.1
    done
done

# One round: requests each second, the 99th percentile in ms, and failures.
round() {
    wrk -t1 -c64 -d"${seconds}s" --latency "$1" | awk '
        /99%/ { p = $2; v = p + 0; if (p ~ /us$/) v /= 1000; else if (p !~ /ms$/) v *= 1000 }
        /Requests\/sec/ { r = $2 }
        /Socket errors/ { gsub(",", ""); e += $4 + $6 + $8 + $10 }
        /Non-2xx/ { e += $NF }
        END { print r, v, e + 0 }'
}
median() { sort -g | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

echo "$threads processors, ${seconds} s each, median of $rounds; $(nginx -v 2>&1 | sed 's/.*: //'), HAProxy $(haproxy -v | awk 'NR == 1 { print $3 }')"
for what in short long; do
    for _ in $(seq "$rounds"); do
        for who in direct nginx haproxy edge; do
            case $who in
                direct) url="http://127.0.0.1:$back/$what" ;;
                nginx) url="http://127.0.0.1:$by_nginx/s/$what" ;;
                haproxy) url="http://127.0.0.1:$by_haproxy/s/$what" ;;
                edge) url="http://127.0.0.1:$by_edge/s/$what" ;;
            esac
            round "$url" >>"$place/$what.$who"
        done
    done
    nginx_rate="$(cut -d' ' -f1 "$place/$what.nginx" | median)"
    for who in direct nginx haproxy edge; do
        rate="$(cut -d' ' -f1 "$place/$what.$who" | median)"
        late="$(cut -d' ' -f2 "$place/$what.$who" | median)"
        failed="$(awk '{ n += $3 } END { print n }' "$place/$what.$who")"
        ratio="$(awk -v a="$rate" -v b="$nginx_rate" 'BEGIN { printf "%.2f", a / b }')"
        [ "$failed" = 0 ] || bad=1
        printf '%-6s %-8s %10.0f requests/s   p99 %7.2f ms   x %s of nginx   %s failed\n' "$what" "$who" "$rate" "$late" "$ratio" "$failed"
    done
done
exit "${bad:-0}"
