--[[
outbox_remove: remove what the leader of an outbox has handed on.

KEYS  leader outbox
ARGV  token ids...

GIVES ok | fenced
]]
local leader, outbox = KEYS[1], KEYS[2]
local token = ARGV[1]

local stands = redis.call('GET', leader)
if not stands or string.match(stands, ' (%d+)$') ~= token then
  return { 'fenced' }
end
for i = 2, #ARGV, 1000 do
  redis.call('XDEL', outbox, unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
return { 'ok' }
