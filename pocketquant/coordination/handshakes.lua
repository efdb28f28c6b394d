-- The pace of handshakes, by this server's clock; one call of the script is one decision.
--
-- KEYS  state (cmsgpack), connections (sorted set: open connection → when it is forgotten)
-- ARGV  action, rules (JSON: rate, burst, the seconds of pauses), then the arguments of the action:
--       take     is_urgent, the name of the connection, the most connections (0: not known)
--       closed   names of connections
--
-- The state:
--   debt          handshakes begun ahead of the rate; it falls at the rate (GCRA)
--   settled_at    when debt was last updated; during a pause, the end of the pause
--   paused_until  the end of the last pause
--   pauses        how many pauses have followed each other

local TTL_SECONDS = 3600
local FORGOTTEN_SECONDS = 240   -- longer than any connection is kept
local LOOK_AGAIN_SECONDS = 1
local HEADROOM = 8   -- one in this many handshakes of a burst is reserved for urgent calls

local action, rules, is_urgent = ARGV[1], cjson.decode(ARGV[2]), ARGV[3] == '1'
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6

local packed = redis.call('GET', KEYS[1])
local state = packed and cmsgpack.unpack(packed)
  or {debt = 0, settled_at = now, paused_until = 0, pauses = 0}
state.debt = math.max(0, state.debt - math.max(0, now - state.settled_at) * rules.rate)
state.settled_at = math.max(state.settled_at, now)

local function save()
  redis.call('SET', KEYS[1], cmsgpack.pack(state), 'EX', TTL_SECONDS)
end

local function ahead(urgent)
  local reserved = (urgent or rules.burst <= 1) and 0
    or math.max(1, math.floor(rules.burst / HEADROOM))
  return rules.burst - reserved - 1
end

local function has_room(most)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  return most == 0 or redis.call('ZCARD', KEYS[2]) < most
end

local function take()
  if now < state.paused_until then return state.paused_until - now end
  if not has_room(tonumber(ARGV[5])) then return LOOK_AGAIN_SECONDS end
  local wait = math.max(0, state.debt - ahead(is_urgent)) / rules.rate
  if wait > 0 then return wait end
  state.debt = state.debt + 1
  save()
  redis.call('ZADD', KEYS[2], now + FORGOTTEN_SECONDS, ARGV[4])
  redis.call('EXPIRE', KEYS[2], TTL_SECONDS)
  return 0
end

-- Handshakes that were refused together cause one pause. After it they go one by one.
local function refused()
  if now < state.paused_until then return state.paused_until - now end
  if now - state.paused_until > rules.forgotten_after_seconds then state.pauses = 0 end
  local seconds = rules.first_pause_seconds * 2 ^ math.min(state.pauses, 30)
  seconds = math.min(seconds, rules.longest_pause_seconds)
  state.pauses = state.pauses + 1
  state.paused_until, state.settled_at = now + seconds, now + seconds
  state.debt = ahead(false)
  save()
  return seconds
end

local function closed()
  if #ARGV > 2 then redis.call('ZREM', KEYS[2], unpack(ARGV, 3)) end
  return 0
end

return tostring(({take = take, refused = refused, closed = closed})[action]())
