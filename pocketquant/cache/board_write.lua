-- Writes the changed symbols of one flush, if the shard's lease still holds the token.
-- KEYS: lease, index of symbols
-- ARGV: token, seconds of a quote, seconds of a bar, then three lists, each its length first:
--   quotes    symbol, quote
--   minutes   symbol, record
--   longer    prefix of the keys, then 9 times an interval and its record; empty: no such bar
-- board_records.py lists the keys.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end

local quote_seconds, bar_seconds = ARGV[2], ARGV[3]
local longer_intervals = 9
local index = 4

local count = tonumber(ARGV[index])
for _ = 1, count do
  local symbol, quote = ARGV[index + 1], ARGV[index + 2]
  redis.call('SET', 'quote:latest:' .. symbol, quote, 'EX', quote_seconds)
  redis.call('SADD', KEYS[2], symbol)
  redis.call('PUBLISH', 'quotes:' .. symbol, quote)
  index = index + 2
end
if count > 0 then redis.call('EXPIRE', KEYS[2], quote_seconds) end
index = index + 1

for _ = 1, tonumber(ARGV[index]) do
  local symbol, record = ARGV[index + 1], ARGV[index + 2]
  redis.call('SET', 'bar:current:' .. symbol .. ':1m', record, 'EX', bar_seconds)
  index = index + 2
end
index = index + 1

for _ = 1, tonumber(ARGV[index]) do
  local prefix = ARGV[index + 1]
  index = index + 1
  for _ = 1, longer_intervals do
    local interval, record = ARGV[index + 1], ARGV[index + 2]
    if record == '' then
      redis.call('DEL', prefix .. interval)
    else
      redis.call('SET', prefix .. interval, record, 'EX', bar_seconds)
    end
    index = index + 2
  end
end
return {}
