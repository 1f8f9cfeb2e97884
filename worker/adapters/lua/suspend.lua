-- Say whether a claimed job only waits for its turn: a crash meanwhile is not held against it (see reap.lua).
-- KEYS claims, jobs
-- ARGV claim id, prefix of meta hashes, 1 while it waits, else 0
-- Returns 1, or 0 when the claim is no longer held.
local job = redis.call('HGET', KEYS[2], ARGV[1])
if not job or redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('HDEL', ARGV[2] .. job, 'waiting')
if ARGV[3] == '1' then
  redis.call('HSET', ARGV[2] .. job, 'waiting', ARGV[1])
end
return 1
