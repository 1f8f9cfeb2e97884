-- Give a job back: at once, to the head of the queue and uncounted; or after a delay, its failure counted.
-- KEYS claims, lease, jobs, queue, delayed
-- ARGV claim id, its job or '' where the worker does not know it, prefix of meta hashes, delay in seconds,
--      code of the error or '' (at once, forget this delivery), what the job has cost or ''
-- Returns 1, or 0 when the claim is no longer held.
local payload = redis.call('HGET', KEYS[1], ARGV[1])
if not payload then
  return 0
end
-- A Redis that lost the end of its log may not know the job.
local meta = ARGV[3] .. (redis.call('HGET', KEYS[3], ARGV[1]) or ARGV[2])
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
if ARGV[5] == '' then
  -- A claim that was never identified was not counted either.
  if redis.call('HEXISTS', meta, 'deliveries') == 1 then
    redis.call('HINCRBY', meta, 'deliveries', -1)
  end
  redis.call('LPUSH', KEYS[4], payload)
  return 1
end
local time = redis.call('TIME')
redis.call('HINCRBY', meta, 'failed:' .. ARGV[5], 1)
if ARGV[6] ~= '' then
  redis.call('HSET', meta, 'spent', ARGV[6])
end
-- The claim id keeps equal payloads apart: a sorted set would merge them, and lose a submission.
redis.call('ZADD', KEYS[5], tonumber(time[1]) + tonumber(time[2]) / 1e6 + ARGV[4], ARGV[1] .. '\n' .. payload)
return 1
