-- Claim jobs: first what BLMOVE left in the own inbox, then this worker's share of what waits in the queue.
-- KEYS queue, inbox, claims, lease, workers, taken, unread
-- ARGV worker, lease seconds, how many claim ids were asked with before, claim ids…
-- Returns {claim id, payload, how often a worker died before it had read it, …}. An id that was asked with
-- before answers as it did then: its reply was lost.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local deadline = now + tonumber(ARGV[2])
local first = 4 + tonumber(ARGV[3])
local reply = {}
local doubtful = redis.call('EXISTS', KEYS[7]) == 1
local function unread(payload)
  return doubtful and tonumber(redis.call('HGET', KEYS[7], redis.sha1hex(payload)) or 0) or 0
end
local function answer(claim, payload)
  reply[#reply + 1] = claim
  reply[#reply + 1] = payload
  reply[#reply + 1] = unread(payload)
end
for index = 4, first - 1 do
  local payload = redis.call('HGET', KEYS[3], ARGV[index])
  if payload then
    answer(ARGV[index], payload)
  end
end
-- A burst is shared out evenly: the worker that comes first does not take all of it.
local workers = math.max(1, redis.call('ZCOUNT', KEYS[5], now, '+inf'))
local share = redis.call('LLEN', KEYS[2]) + math.ceil(redis.call('LLEN', KEYS[1]) / workers)
local taken = 0
for index = first, math.min(#ARGV, first + share - 1) do
  -- Popping comes before writing, so that a Redis out of memory can still be emptied.
  local payload = redis.call('LPOP', KEYS[2]) or redis.call('LPOP', KEYS[1])
  if not payload then
    break
  end
  local alone = unread(payload) > 0
  if alone and #reply > 0 then
    -- Whatever is read beside it would be suspected with it.
    redis.call('LPUSH', KEYS[1], payload)
    break
  end
  redis.call('HSET', KEYS[3], ARGV[index], payload)
  redis.call('ZADD', KEYS[4], deadline, ARGV[index])
  answer(ARGV[index], payload)
  taken = taken + 1
  if alone then
    break
  end
end
if taken > 0 then
  redis.call('INCRBY', KEYS[6], taken)
end
return reply
