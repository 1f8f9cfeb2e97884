-- Give a job back: to the head of the queue at once and uncounted, or after a delay.
-- KEYS claims, lease, meta:<job>, queue, delayed
-- ARGV claim id, delay in seconds (negative: at once, and forget this delivery), reason
-- Returns 1, or 0 when the claim is no longer held.
local payload = redis.call('HGET', KEYS[1], ARGV[1])
if not payload then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
local delay = tonumber(ARGV[2])
if delay < 0 then
  redis.call('HINCRBY', KEYS[3], 'deliveries', -1)
  redis.call('LPUSH', KEYS[4], payload)
  return 1
end
local time = redis.call('TIME')
redis.call('HSET', KEYS[3], 'last_error', ARGV[3])
-- The claim id keeps equal payloads apart: a sorted set would merge them, and lose a submission.
redis.call('ZADD', KEYS[5], tonumber(time[1]) + tonumber(time[2]) / 1e6 + delay, ARGV[1] .. '\n' .. payload)
return 1
