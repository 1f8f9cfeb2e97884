-- Keep texts for a time.
-- KEYS one for each text
-- ARGV seconds, then the texts
for number, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[number + 1], 'EX', ARGV[1])
end
return #KEYS
