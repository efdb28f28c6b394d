-- Deletes the records of symbols, if the shard's lease still holds the token.
-- KEYS: lease, index of symbols
-- ARGV: token, the 10 intervals, the symbols
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end

local first_interval = 2
local first_symbol = first_interval + 10

for index = first_symbol, #ARGV do
  local symbol = ARGV[index]
  redis.call('SREM', KEYS[2], symbol)
  redis.call('UNLINK', 'quote:latest:' .. symbol)
  for interval = first_interval, first_symbol - 1 do
    redis.call('UNLINK', 'bar:current:' .. symbol .. ':' .. ARGV[interval])
  end
end
return {}
