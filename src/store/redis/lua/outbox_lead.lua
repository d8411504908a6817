--[[
outbox_lead: become or stay the leader of an outbox.

The leader stands as `<node> <token>`; each one that takes over gets a higher token.

KEYS  leader tokens
ARGV  node lease_ms

GIVES ok token | taken
]]
local leader, tokens = KEYS[1], KEYS[2]
local node, lease_ms = ARGV[1], ARGV[2]

local stands = redis.call('GET', leader)
if stands then
  local who, token = string.match(stands, '^(.*) (%d+)$')
  if who ~= node then
    return { 'taken' }
  end
  redis.call('PEXPIRE', leader, lease_ms)
  return { 'ok', tonumber(token) }
end
local token = redis.call('INCR', tokens)
redis.call('SET', leader, node .. ' ' .. token, 'PX', lease_ms)
return { 'ok', token }
