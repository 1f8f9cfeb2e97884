-- Say which jobs claims are for, count the deliveries, and learn what is known of those jobs.
-- KEYS claims, lease, jobs, delayed, unread
-- ARGV prefix of meta hashes, prefix of records, seconds to remember a job, seconds a twin waits, then for
--      each claim: its id, its job, 1 where the payload was read
-- Returns for each claim: false when it was lost, or waits since its job is running already; else
-- {age in s, record or '', name, value, … of its meta hash}. Safe to repeat: a delivery is counted once.
-- The record of a failure answers only the payload that failed; its mark is at the end (see finish.lua).
-- A job whose worker has crashed before may be one of many that did nothing: until begin.lua it only waits.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local reply = {}
local doubtful = redis.call('EXISTS', KEYS[5]) == 1
local function recorded(claim, job)
  local record = redis.call('GET', ARGV[2] .. job) or ''
  local failed = string.sub(record, -47, -41) == 'failed:'
  if failed and string.sub(record, -40) ~= redis.sha1hex(redis.call('HGET', KEYS[1], claim)) then
    return ''
  end
  return record
end
for index = 5, #ARGV, 3 do
  local claim, job, read = ARGV[index], ARGV[index + 1], ARGV[index + 2] == '1'
  local meta = ARGV[1] .. job
  local holder = redis.call('HGET', meta, 'holder')
  local found = false
  if redis.call('HEXISTS', KEYS[1], claim) == 1 then
    if doubtful and read then
      redis.call('HDEL', KEYS[5], redis.sha1hex(redis.call('HGET', KEYS[1], claim)))
    end
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
        if redis.call('HEXISTS', meta, 'crashes') == 1 then
          redis.call('HSET', meta, 'waiting', claim)
        end
        redis.call('HSETNX', meta, 'first', string.format('%.3f', now))
        redis.call('EXPIRE', meta, ARGV[3])
      end
      local age = now - tonumber(redis.call('HGET', meta, 'first'))
      found = {string.format('%.3f', age), recorded(claim, job)}
      for _, part in ipairs(redis.call('HGETALL', meta)) do
        found[#found + 1] = part
      end
    end
  end
  reply[#reply + 1] = found
end
return reply
