-- Takes symbols off the board, for the holder of the shard's lease.
-- KEYS: lease, index of symbols; ARGV: token, the 13 intervals, the symbols
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end

for place = 15, #ARGV do
  local symbol = ARGV[place]
  redis.call('SREM', KEYS[2], symbol)
  redis.call('UNLINK', 'quote:latest:' .. symbol)
  for interval = 2, 14 do
    redis.call('UNLINK', 'bar:current:' .. symbol .. ':' .. ARGV[interval])
  end
end
return {}
