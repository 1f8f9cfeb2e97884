-- Add a product's terms; a source that has its target already keeps it.
-- KEYS terms: hash source → target
-- ARGV seconds to keep them, how many a product may have, then source, target, source, target, …
if redis.call('HLEN', KEYS[1]) < tonumber(ARGV[2]) then
  for number = 3, #ARGV, 2 do
    redis.call('HSETNX', KEYS[1], ARGV[number], ARGV[number + 1])
  end
end
return redis.call('EXPIRE', KEYS[1], ARGV[1])
