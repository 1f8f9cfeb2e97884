-- Make a dead job a new submission: its envelope and record go, its payload goes to the end of the queue.
-- KEYS dead list, queue, lease, meta:<job>, done:<job>
-- ARGV envelope, payload
-- Returns 1, or 0 when the envelope is gone: somebody else retried or dropped it.
-- Scanned from the end, as it is read (see dead_letters.py).
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then
  return 0
end
redis.call('DEL', KEYS[5])
local holder = redis.call('HGET', KEYS[4], 'holder')
if not (holder and redis.call('ZSCORE', KEYS[3], holder)) then
  redis.call('DEL', KEYS[4])
end
redis.call('RPUSH', KEYS[2], ARGV[2])
return 1
