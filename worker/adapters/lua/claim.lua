-- Take the head of the own inbox under a fresh claim with a lease.
-- KEYS inbox, claims, lease, meta:<job>, done:<job>
-- ARGV claim id, SHA-1 of the payload the caller saw, lease seconds, seconds to remember the job
-- Returns nil when the head is another payload, else {payload, deliveries, crashes, age in s, recorded result or false}.
local payload = redis.call('LINDEX', KEYS[1], 0)
if not payload or redis.sha1hex(payload) ~= ARGV[2] then
  return nil
end
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
redis.call('LPOP', KEYS[1])
redis.call('HSET', KEYS[2], ARGV[1], payload)
redis.call('ZADD', KEYS[3], now + tonumber(ARGV[3]), ARGV[1])
local deliveries = redis.call('HINCRBY', KEYS[4], 'deliveries', 1)
redis.call('HSETNX', KEYS[4], 'first', string.format('%.3f', now))
redis.call('EXPIRE', KEYS[4], ARGV[4])
local first = tonumber(redis.call('HGET', KEYS[4], 'first'))
local crashes = tonumber(redis.call('HGET', KEYS[4], 'crashes') or 0)
return {payload, deliveries, crashes, string.format('%.3f', now - first), redis.call('GET', KEYS[5])}
