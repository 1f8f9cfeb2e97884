-- The end of a job: hand its result on, record it, drop the claim; bury the payload if it failed.
-- KEYS claims, lease, meta:<job>, done:<job>, hosting list, dead list
-- ARGV claim id, result, result compressed, seconds to keep the record, envelope or ''
-- Returns 1, or 0 when the claim is no longer held: its job belongs to another, or was finished by this very call
-- before its reply was lost. Either way nothing is pushed, so the call is safe to repeat.
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SET', KEYS[4], ARGV[3], 'NX', 'EX', ARGV[4])
redis.call('DEL', KEYS[3])
redis.call('RPUSH', KEYS[5], ARGV[2])
if ARGV[5] ~= '' then
  redis.call('RPUSH', KEYS[6], ARGV[5])
end
return 1
