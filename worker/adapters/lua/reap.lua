-- Give back what dead workers held, and promote retries that are due. At most 100 of each in one call.
-- KEYS queue, claims, lease, jobs, workers, delayed, unread
-- ARGV prefix of inboxes, prefix of meta hashes, seconds to remember a job, seconds after which a silent
--      worker is forgotten
-- Returns {expired claims, payloads from inboxes, promoted retries}.
-- Removing comes before writing, so that a Redis out of memory can still be emptied.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local expired, drained, promoted = 0, 0, 0
for _, claim in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[3], claim)
  local payload, job = redis.call('HGET', KEYS[2], claim), redis.call('HGET', KEYS[4], claim)
  redis.call('HDEL', KEYS[2], claim)
  redis.call('HDEL', KEYS[4], claim)
  if payload then
    redis.call('LPUSH', KEYS[1], payload)
    expired = expired + 1
  end
  if payload and not job then
    -- Its worker died before it had read it, or of reading it.
    redis.call('HINCRBY', KEYS[7], redis.sha1hex(payload), 1)
    redis.call('EXPIRE', KEYS[7], ARGV[3])
  end
  if job then
    local meta = ARGV[2] .. job
    if redis.call('HGET', meta, 'waiting') == claim then
      redis.call('HDEL', meta, 'waiting')
    else
      redis.call('HINCRBY', meta, 'crashes', 1)
      redis.call('EXPIRE', meta, ARGV[3])
    end
  end
end
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', now)) do
  while drained < 100 do
    local payload = redis.call('RPOP', ARGV[1] .. worker)
    if not payload then
      break
    end
    redis.call('LPUSH', KEYS[1], payload)
    drained = drained + 1
  end
end
-- A silent worker is remembered for a while: one that was only stopped may still move a job to its inbox.
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - tonumber(ARGV[4]))
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[6], entry)
  -- It has waited already.
  redis.call('LPUSH', KEYS[1], string.sub(entry, string.find(entry, '\n', 1, true) + 1))
  promoted = promoted + 1
end
return {expired, drained, promoted}
