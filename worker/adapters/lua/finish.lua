-- The end of a job: hand its result on, record it, drop the claim; bury the payload if it failed.
-- KEYS claims, lease, jobs, hosting list, dead list, unread
-- ARGV claim id, its job (a Redis that lost the end of its log may not know it), prefix of meta hashes,
--      prefix of records, result, result compressed, seconds to keep the record, envelope (JSON object) or ''
-- Returns 1, or 0 when the claim is no longer held: its job belongs to another, or was finished by this very
-- call before its reply was lost. Either way nothing is pushed, so the call is safe to repeat.
-- The record of a failure ends in a mark of the payload that failed: a corrected payload is not answered from
-- it (see identify.lua), and the end of its job takes its place.
-- Dropping comes before writing, so that a Redis out of memory can still be emptied.
local payload = redis.call('HGET', KEYS[1], ARGV[1])
if not payload then
  return 0
end
local digest = redis.sha1hex(payload)
if redis.call('EXISTS', KEYS[6]) == 1 then
  redis.call('HDEL', KEYS[6], digest)
end
redis.call('HDEL', KEYS[1], ARGV[1])
local job = redis.call('HGET', KEYS[3], ARGV[1]) or ARGV[2]
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('DEL', ARGV[3] .. job)
local known = redis.call('GET', ARGV[4] .. job)
local failed = known and string.sub(known, -47, -41) == 'failed:'
if not known or (failed and string.sub(known, -40) ~= digest) then
  redis.call('SET', ARGV[4] .. job, ARGV[6] .. (ARGV[8] ~= '' and 'failed:' .. digest or ''), 'EX', ARGV[7])
end
redis.call('RPUSH', KEYS[4], ARGV[5])
if ARGV[8] ~= '' then
  local time = redis.call('TIME')
  redis.call('RPUSH', KEYS[5], string.format('{"time":%d.%06d,', time[1], time[2]) .. string.sub(ARGV[8], 2))
end
return 1
