-- Let no call start for some seconds; a longer rest that is on already stays.
-- KEYS rest: until when, by Redis's clock
-- ARGV seconds
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local rest = math.max(now + tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or 0))
redis.call('SET', KEYS[1], string.format('%.6f', rest), 'PX', math.ceil((rest - now) * 1000))
return 1
