--[[
outbox_resign: give the lead of an outbox up before its time.

KEYS  leader
ARGV  token

GIVES ok | fenced
]]
local leader = KEYS[1]
local token = ARGV[1]

local stands = redis.call('GET', leader)
if not stands or string.match(stands, ' (%d+)$') ~= token then
  return { 'fenced' }
end
redis.call('DEL', leader)
return { 'ok' }
