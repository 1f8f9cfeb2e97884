-- Give back what dead workers held, and promote retries that are due. At most 100 of each in one call.
-- KEYS queue, claims, lease, workers, delayed
-- ARGV prefix of inboxes, prefix of meta hashes, seconds after which a silent worker is forgotten
-- Returns {expired claims, payloads from inboxes, promoted retries}.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local expired, drained, promoted = 0, 0, 0
for _, claim in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 100)) do
  local payload = redis.call('HGET', KEYS[2], claim)
  if payload then
    -- A claim id is <job key>:<random>; the crash is counted against the job.
    redis.call('HINCRBY', ARGV[2] .. string.match(claim, '^[^:]+'), 'crashes', 1)
    redis.call('LPUSH', KEYS[1], payload)
    redis.call('HDEL', KEYS[2], claim)
    expired = expired + 1
  end
  redis.call('ZREM', KEYS[3], claim)
end
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now)) do
  while drained < 100 and redis.call('LMOVE', ARGV[1] .. worker, KEYS[1], 'RIGHT', 'LEFT') do
    drained = drained + 1
  end
end
-- A silent worker is remembered for a while: one that was only stopped may still move a job to its inbox.
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now - tonumber(ARGV[3]))
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[5], entry)
  redis.call('RPUSH', KEYS[1], string.sub(entry, string.find(entry, '\n', 1, true) + 1))
  promoted = promoted + 1
end
return {expired, drained, promoted}
