-- Say that a claimed job runs from now on: a crash before that is not held against it (see identify.lua and
-- reap.lua).
-- KEYS claims, jobs
-- ARGV claim id, prefix of meta hashes
-- Returns 1, or 0 when the claim is no longer held.
local job = redis.call('HGET', KEYS[2], ARGV[1])
if not job or redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HDEL', ARGV[2] .. job, 'waiting')
return 1
