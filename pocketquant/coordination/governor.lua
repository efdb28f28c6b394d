-- All rules of the governor, by this server's clock; one call of the script is one decision.
--
-- KEYS  state (cmsgpack), holders (sorted set: holder → epoch second when its slot expires)
-- ARGV  action, rules (JSON: ceiling, start, hold and temper), then the arguments of the action
--
-- The state:
--   share, places    the present fractions of the ceiling's rate and of its concurrency, up to 1
--   debt             calls begun or reserved ahead of the rate; it falls at the
--                    ceiling's rate, and a call costs 1 / share: GCRA, its arrival time in calls
--   settled_at       when debt was last updated
--   typical_seconds  the typical duration of a successful call
--   healthy_at       when a call last succeeded
--   lowered_at, last_reason, failures
--   opened_at        when the breaker was opened; nil while it is closed
--   open_seconds, probe_at, probe    how long it stays open, when a probe is due, its holder

local HOLDERS_TTL_SECONDS = 3600
local TTL_SECONDS = 30 * 24 * 3600   -- of the pace that was reached
local LATELY_SECONDS = 3600          -- for so long all else of the state means something
local LEAST_SHARE = 1 / 50
local STEPS_UP = 60            -- the whole climb takes at least so many good ends
local HEADROOM = 8             -- one in this many slots and turns is reserved for urgent calls
local TYPICAL_SECONDS = 1      -- before any call has ended well
local TYPICAL_WEIGHT = 1 / 8

local state_key, holders = KEYS[1], KEYS[2]
local rules = cjson.decode(ARGV[2])
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6

local start_share = math.min(1, rules.start_rate / rules.rate)
local start_places = math.min(1, rules.start_concurrency / rules.concurrency)

local function fresh_state(share, places)
  return {
    share = share,
    places = places,
    debt = 0,
    settled_at = now,
    typical_seconds = TYPICAL_SECONDS,
    failures = 0,
  }
end

local function load_state()
  local packed = redis.call('GET', state_key)
  if not packed then return fresh_state(start_share, start_places) end
  local state = cmsgpack.unpack(packed)
  state.places = state.places or state.share   -- an older version had one fraction for both
  if now - state.settled_at > LATELY_SECONDS then return fresh_state(state.share, state.places) end
  local paid = math.max(0, now - state.settled_at) * rules.rate
  state.debt = math.max(0, state.debt - paid)
  state.settled_at = now
  return state
end

local state = load_state()
redis.call('ZREMRANGEBYSCORE', holders, '-inf', now)

local function save_state()
  redis.call('SET', state_key, cmsgpack.pack(state), 'EX', TTL_SECONDS)
end

local function in_progress()
  return redis.call('ZCARD', holders)
end

local function concurrency()
  return math.max(1, math.floor(state.places * rules.concurrency + 1e-9))
end

local function open_to(is_urgent, limit)
  if is_urgent or limit <= 1 then return limit end
  return limit - math.max(1, math.floor(limit / HEADROOM))
end

local function is_probed()
  return state.probe and redis.call('ZSCORE', holders, state.probe)
end

-- enter ------------------------------------------------------------------------------------------

local function refuse(reason, wait)
  return {is_admitted = false, wait_seconds = wait, reason = reason}
end

local function admit(holder, wait)
  state.debt = state.debt + 1 / state.share
  redis.call('ZADD', holders, now + wait + rules.hold_seconds, holder)
  redis.call('EXPIRE', holders, HOLDERS_TTL_SECONDS)
  save_state()
  return {is_admitted = true, wait_seconds = wait}
end

-- A probe respects the ceiling, but neither the pace nor the lowered limit: these may be so low
-- that no probe could begin and the breaker would stay open.
local function enter_as_probe(holder)
  if now < state.probe_at then return refuse('breaker', state.probe_at - now) end
  if is_probed() then return refuse('breaker', state.typical_seconds) end
  if in_progress() >= rules.concurrency then return refuse('concurrency', state.typical_seconds) end
  state.probe = holder
  return admit(holder, 0)
end

local function enter(holder, is_urgent, max_wait)
  local vacant_at = redis.call('ZSCORE', holders, holder)
  if vacant_at then
    return {is_admitted = true, wait_seconds = math.max(0, vacant_at - rules.hold_seconds - now)}
  end
  if state.opened_at then return enter_as_probe(holder) end
  if in_progress() >= open_to(is_urgent, concurrency()) then
    return refuse('concurrency', state.typical_seconds)
  end
  local wait = math.max(0, state.debt - (open_to(is_urgent, rules.burst) - 1)) / rules.rate
  if wait > max_wait then return refuse('pace', wait) end
  return admit(holder, wait)
end

-- leave ------------------------------------------------------------------------------------------

local function climb()
  local step = math.min((now - (state.healthy_at or now)) / rules.climb_seconds, 1 / STEPS_UP)
  state.share = math.min(1, state.share + math.max(0, step))
  state.places = math.min(1, state.places + math.max(0, step))
  state.healthy_at = now
end

local function close()
  state.opened_at, state.open_seconds, state.probe_at, state.probe = nil, nil, nil, nil
end

local function open(seconds)
  state.opened_at = state.opened_at or now
  state.open_seconds = math.min(seconds, rules.longest_open_seconds)
  state.probe_at = now + state.open_seconds
  state.probe = nil
end

local function find_there()
  local was_open = state.opened_at ~= nil
  state.failures = 0
  close()
  return {is_closed = was_open}
end

local function succeed(vacant_at)
  if vacant_at then
    local seconds = math.max(0, now - (vacant_at - rules.hold_seconds))
    state.typical_seconds =
      state.typical_seconds + (seconds - state.typical_seconds) * TYPICAL_WEIGHT
  end
  climb()
  return find_there()
end

local function halved(share, start)
  return math.min(share, math.max(math.min(LEAST_SHARE, start), share / 2))
end

local function lower()
  local is_due = not state.lowered_at or now - state.lowered_at >= rules.lower_period_seconds
  local share, places = halved(state.share, start_share), halved(state.places, start_places)
  if not is_due or (share == state.share and places == state.places) then return false end
  state.share, state.places = share, places
  state.lowered_at = now
  return true
end

local function trip(holder)
  if not state.opened_at and state.failures >= rules.failures_to_open then
    open(rules.open_seconds)
    return true
  end
  if state.opened_at and holder == state.probe then
    open(2 * state.open_seconds)
    return true
  end
  return false
end

local function fail(holder, outcome)
  state.failures = state.failures + 1
  state.last_reason = outcome
  return {is_lowered = outcome == 'throttled' and lower(), is_opened = trip(holder)}
end

local function leave(holder, outcome)
  local vacant_at = redis.call('ZSCORE', holders, holder)
  redis.call('ZREM', holders, holder)
  local change = {}
  if outcome == 'ok' then
    change = succeed(vacant_at)
  elseif outcome == 'fault' then
    change = find_there()
  elseif outcome ~= 'neutral' then
    change = fail(holder, outcome)
  end
  save_state()
  change.rate = state.share * rules.rate
  change.concurrency = concurrency()
  change.failures = state.failures
  change.open_seconds = state.open_seconds
  return change
end

-- look -------------------------------------------------------------------------------------------

local function allowance(seconds)
  if state.opened_at then
    return (is_probed() or state.probe_at > now + seconds) and 0 or 1
  end
  local payable = open_to(false, rules.burst) - 1 - state.debt + rules.rate * seconds
  local turns = math.floor(payable * state.share) + 1
  local limit = open_to(false, concurrency())
  local vacated = limit * seconds / math.max(state.typical_seconds, 0.001)
  local places = math.floor(limit - in_progress() + vacated)
  return math.max(0, math.min(turns, places))
end

local function breaker()
  if not state.opened_at then return 'closed' end
  return now < state.probe_at and 'open' or 'half_open'
end

local function pace()
  return {
    rate = state.share * rules.rate,
    ceiling_rate = rules.rate,
    concurrency = concurrency(),
    ceiling_concurrency = rules.concurrency,
    in_progress = in_progress(),
    breaker = breaker(),
    consecutive_failures = state.failures,
    opened_at = state.opened_at,
    next_probe_at = state.probe_at,
    last_lowered_at = state.lowered_at,
    last_reason = state.last_reason,
  }
end

local actions = {
  enter = function(holder, is_urgent, max_wait)
    return enter(holder, is_urgent == '1', tonumber(max_wait))
  end,
  leave = leave,
  allowance = function(seconds) return allowance(tonumber(seconds)) end,
  pace = pace,
}
return cjson.encode(actions[ARGV[1]](ARGV[3], ARGV[4], ARGV[5]))
