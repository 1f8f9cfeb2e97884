-- Extend the worker's heartbeat and the leases of its claims, as far as they are still its own.
-- KEYS workers, lease
-- ARGV worker, lease seconds, claim ids…
-- Returns the claims that were lost.
local time = redis.call('TIME')
local deadline = tonumber(time[1]) + tonumber(time[2]) / 1e6 + tonumber(ARGV[2])
-- In a Redis out of memory a script may write once it has deleted.
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], deadline, ARGV[1])
local lost = {}
for index = 3, #ARGV do
  if redis.call('ZSCORE', KEYS[2], ARGV[index]) then
    redis.call('ZADD', KEYS[2], deadline, ARGV[index])
  else
    lost[#lost + 1] = ARGV[index]
  end
end
return lost
