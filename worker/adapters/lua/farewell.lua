-- Sign off: the inbox back to the head of the queue, and the heartbeat ended.
-- KEYS queue, inbox, workers
-- ARGV worker
-- The worker stays known for a while: what a BLMOVE still in the server brings is found by the reaper.
local payload = redis.call('RPOP', KEYS[2])
while payload do
  redis.call('LPUSH', KEYS[1], payload)
  payload = redis.call('RPOP', KEYS[2])
end
redis.call('ZADD', KEYS[3], redis.call('TIME')[1], ARGV[1])
return redis.status_reply('OK')
