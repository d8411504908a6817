--[[
role_hold: become the holder of a role, or stay it.

A new holder gets a higher token than every holder before it; who holds the role already keeps its token.

KEYS  role tokens
ARGV  holder lease_ms

GIVES held token | taken
]]
local role, tokens = KEYS[1], KEYS[2]
local holder, lease_ms = ARGV[1], ARGV[2]

local held = redis.call('GET', role)
if not held then
  local token = redis.call('INCR', tokens)
  redis.call('SET', role, holder .. ' ' .. token, 'PX', lease_ms)
  return { 'held', token }
end
local name, token = string.match(held, '^(.*) (%d+)$')
if name ~= holder then return { 'taken' } end
redis.call('PEXPIRE', role, lease_ms)
return { 'held', tonumber(token) }
