-- Lets symbols live on of which nothing has changed, for the holder of the shard's lease.
-- KEYS: lease, index of symbols
-- ARGV: token, seconds of a quote, seconds of a bar, the 13 intervals, the symbols
-- Gives the symbols whose records are gone, so that they must be written again.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end

local gone = {}
for place = 17, #ARGV do
  local symbol = ARGV[place]
  local has_quote = redis.call('EXPIRE', 'quote:latest:' .. symbol, ARGV[2])
  redis.call('SADD', KEYS[2], symbol)
  local has_minutes = redis.call('EXPIRE', 'bar:current:' .. symbol .. ':1m', ARGV[3])
  for interval = 5, 16 do
    redis.call('EXPIRE', 'bar:current:' .. symbol .. ':' .. ARGV[interval], ARGV[3])
  end
  if has_quote == 0 or has_minutes == 0 then gone[#gone + 1] = symbol end
end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return gone
