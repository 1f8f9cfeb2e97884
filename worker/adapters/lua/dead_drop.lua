-- Forget a dead job: its envelope goes, and the record of its failure; not that of a corrected job.
-- KEYS dead list, done:<job>
-- ARGV envelope, payload
-- Returns 1, or 0 when the envelope is gone: somebody else retried or dropped it.
-- Scanned from the end, as it is read (see dead_letters.py).
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then
  return 0
end
local record = redis.call('GET', KEYS[2])
if record and string.sub(record, -47) == 'failed:' .. redis.sha1hex(ARGV[2]) then
  redis.call('DEL', KEYS[2])
end
return 1
