--[[
queue_complete: forget released packet identifiers of outgoing QoS 2 messages.

KEYS  meta released
ARGV  epoch packet_ids...

GIVES ok | fenced
]]
local meta, released = KEYS[1], KEYS[2]
local epoch = ARGV[1]

local current, former_epoch = unpack(redis.call('HMGET', meta, 'epoch', 'former_epoch'))
if epoch ~= current and epoch ~= former_epoch then
  return { 'fenced' }
end
for i = 2, #ARGV, 1000 do
  redis.call('SREM', released, unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
return { 'ok' }
