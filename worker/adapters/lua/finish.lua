-- The end of a job: hand its result on, record it, drop the claim; bury the payload if it failed.
-- KEYS claims, lease, jobs, hosting list, dead list, unread
-- ARGV claim id, its job (a Redis that lost the end of its log may not know it), prefix of meta hashes,
--      prefix of records, result, result compressed, seconds to keep the record, envelope (JSON object) or ''
-- Returns 1, or 0 when the claim is no longer held: its job belongs to another, or was finished by this very
-- call before its reply was lost. Either way nothing is pushed, so the call is safe to repeat.
-- Dropping comes before writing, so that a Redis out of memory can still be emptied.
if redis.call('EXISTS', KEYS[6]) == 1 then
  local payload = redis.call('HGET', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[6], payload and redis.sha1hex(payload) or '')
end
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  return 0
end
local job = redis.call('HGET', KEYS[3], ARGV[1]) or ARGV[2]
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('DEL', ARGV[3] .. job)
redis.call('SET', ARGV[4] .. job, ARGV[6], 'NX', 'EX', ARGV[7])
redis.call('RPUSH', KEYS[4], ARGV[5])
if ARGV[8] ~= '' then
  local time = redis.call('TIME')
  redis.call('RPUSH', KEYS[5], string.format('{"time":%d.%06d,', time[1], time[2]) .. string.sub(ARGV[8], 2))
end
return 1
