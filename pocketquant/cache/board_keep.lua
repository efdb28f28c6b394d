-- Renews the records of unchanged symbols, if the shard's lease still holds the token.
-- KEYS: lease, index of symbols
-- ARGV: token, seconds of a quote, seconds of a bar, the 10 intervals, the symbols
-- Returns the symbols whose records have expired and must be written again.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end

local quote_seconds, bar_seconds = ARGV[2], ARGV[3]
local minutes = 4  -- the index of 1m, the first interval
local first_symbol = minutes + 10

local expired = {}
for index = first_symbol, #ARGV do
  local symbol = ARGV[index]
  local has_quote = redis.call('EXPIRE', 'quote:latest:' .. symbol, quote_seconds)
  redis.call('SADD', KEYS[2], symbol)
  local bars = 'bar:current:' .. symbol .. ':'
  local has_minutes = redis.call('EXPIRE', bars .. ARGV[minutes], bar_seconds)
  for interval = minutes + 1, first_symbol - 1 do
    redis.call('EXPIRE', bars .. ARGV[interval], bar_seconds)
  end
  if has_quote == 0 or has_minutes == 0 then expired[#expired + 1] = symbol end
end
redis.call('EXPIRE', KEYS[2], quote_seconds)
return expired
