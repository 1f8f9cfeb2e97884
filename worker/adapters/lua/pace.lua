-- Book the next call of a translator: not during a rest, and at the pace of a token bucket.
-- KEYS rest, pace: times by Redis's clock, until when to rest and when the bucket will be full again
-- ARGV seconds a token takes (0: no pace), tokens the bucket holds, seconds the caller is willing to wait
-- Returns the seconds to wait as a string; nothing is booked where they are more than the caller has.
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local start = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local interval = tonumber(ARGV[1])
if interval > 0 then
  local full = tonumber(redis.call('GET', KEYS[2]) or 0)
  start = math.max(start, full - (tonumber(ARGV[2]) - 1) * interval)
  if start - now <= tonumber(ARGV[3]) then
    full = math.max(full, start) + interval
    redis.call('SET', KEYS[2], string.format('%.6f', full), 'PX', math.ceil((full - now) * 1000) + 1000)
  end
end
return string.format('%.6f', start - now)
