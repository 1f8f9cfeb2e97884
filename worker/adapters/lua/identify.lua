-- Say which jobs claims are for, count the deliveries, and learn what is known of those jobs.
-- KEYS claims, lease, jobs, delayed
-- ARGV prefix of meta hashes, prefix of records, seconds to remember a job, seconds a twin waits, claim id, job, …
-- Returns for each claim: false when it was lost, or waits since its job is running already; else
-- {age in s, record or '', name, value, … of its meta hash}. Safe to repeat: a delivery is counted once.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local reply = {}
for index = 5, #ARGV, 2 do
  local claim, job = ARGV[index], ARGV[index + 1]
  local meta = ARGV[1] .. job
  local holder = redis.call('HGET', meta, 'holder')
  local found = false
  if redis.call('HEXISTS', KEYS[1], claim) == 1 then
    if holder and holder ~= claim and redis.call('ZSCORE', KEYS[2], holder) then
      local payload = redis.call('HGET', KEYS[1], claim)
      redis.call('HDEL', KEYS[1], claim)
      redis.call('ZREM', KEYS[2], claim)
      redis.call('ZADD', KEYS[4], now + tonumber(ARGV[4]), claim .. '\n' .. payload)
    else
      -- In a Redis out of memory a script may write once it has deleted.
      redis.call('HDEL', KEYS[3], claim)
      redis.call('HSET', KEYS[3], claim, job)
      if holder ~= claim then
        redis.call('HSET', meta, 'holder', claim)
        redis.call('HINCRBY', meta, 'deliveries', 1)
        redis.call('HSETNX', meta, 'first', string.format('%.3f', now))
        redis.call('EXPIRE', meta, ARGV[3])
      end
      local age = now - tonumber(redis.call('HGET', meta, 'first'))
      found = {string.format('%.3f', age), redis.call('GET', ARGV[2] .. job) or ''}
      for _, part in ipairs(redis.call('HGETALL', meta)) do
        found[#found + 1] = part
      end
    end
  end
  reply[#reply + 1] = found
end
return reply
