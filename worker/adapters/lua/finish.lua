-- The end of a job: hand its result on, record it, drop the claim; bury the payload if it failed.
-- KEYS claims, lease, jobs, hosting list, dead list
-- ARGV claim id, prefix of meta hashes, prefix of records, result, result compressed, seconds to keep the record,
--      envelope (a JSON object) or ''
-- Returns 1, or 0 when the claim is no longer held: its job belongs to another, or was finished by this very call
-- before its reply was lost. Either way nothing is pushed, so the call is safe to repeat.
-- Dropping comes before writing, so that a Redis out of memory can still be emptied.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
local job = redis.call('HGET', KEYS[3], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('DEL', ARGV[2] .. job)
redis.call('SET', ARGV[3] .. job, ARGV[5], 'NX', 'EX', ARGV[6])
redis.call('RPUSH', KEYS[4], ARGV[4])
if ARGV[7] ~= '' then
  local time = redis.call('TIME')
  redis.call('RPUSH', KEYS[5], string.format('{"time":%d.%06d,', time[1], time[2]) .. string.sub(ARGV[7], 2))
end
return 1
