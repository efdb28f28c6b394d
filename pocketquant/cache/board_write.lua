-- Changed symbols of one flush, written by the holder of the shard's lease or not at all.
-- KEYS: lease, index of symbols
-- ARGV: token, seconds of a quote, seconds of a bar, then three lists, each its length first:
--   quotes    symbol, quote
--   minutes   symbol, record
--   longer    prefix of the keys, then interval and record, 12 times; no record: there is no bar
-- board_records.py says what the keys hold.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end

local quote_seconds, bar_seconds = ARGV[2], ARGV[3]
local place = 4

local count = tonumber(ARGV[place])
for _ = 1, count do
  local symbol, quote = ARGV[place + 1], ARGV[place + 2]
  redis.call('SET', 'quote:latest:' .. symbol, quote, 'EX', quote_seconds)
  redis.call('SADD', KEYS[2], symbol)
  redis.call('PUBLISH', 'quotes:' .. symbol, quote)
  place = place + 2
end
if count > 0 then redis.call('EXPIRE', KEYS[2], quote_seconds) end
place = place + 1

for _ = 1, tonumber(ARGV[place]) do
  local symbol, record = ARGV[place + 1], ARGV[place + 2]
  redis.call('SET', 'bar:current:' .. symbol .. ':1m', record, 'EX', bar_seconds)
  place = place + 2
end
place = place + 1

for _ = 1, tonumber(ARGV[place]) do
  local prefix = ARGV[place + 1]
  place = place + 1
  for _ = 1, 12 do
    local interval, record = ARGV[place + 1], ARGV[place + 2]
    if record == '' then
      redis.call('DEL', prefix .. interval)
    else
      redis.call('SET', prefix .. interval, record, 'EX', bar_seconds)
    end
    place = place + 2
  end
end
return {}
