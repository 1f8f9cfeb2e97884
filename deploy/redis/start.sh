#!/bin/sh
# Redis on a log that a power failure may have cut inside a transaction; its own options follow.
# Redis itself takes away the command that was cut, and writes on behind an open MULTI: the start after that
# loses jobs (valkey-io/valkey#4342). redis-check-aof takes away the transaction.
for log in appendonlydir/*.manifest appendonly.aof; do
  if [ -f "$log" ]; then
    yes | redis-check-aof --fix "$log"
  fi
done
exec redis-server "$@"
