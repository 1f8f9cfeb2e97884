-- Keep texts for a time.
-- KEYS one for each text
-- ARGV seconds, seconds for empty ones, then the texts
for number, key in ipairs(KEYS) do
  local text = ARGV[number + 2]
  redis.call('SET', key, text, 'EX', text == '' and ARGV[2] or ARGV[1])
end
return #KEYS
