--[[
incoming_forget: forget packet identifiers of incoming QoS 2 messages, whose exchange is over.

KEYS  meta incoming
ARGV  epoch packet_ids...

GIVES ok | fenced
]]
local meta, incoming = KEYS[1], KEYS[2]
local epoch = ARGV[1]

local current, former_epoch = unpack(redis.call('HMGET', meta, 'epoch', 'former_epoch'))
if epoch ~= current and epoch ~= former_epoch then
  return { 'fenced' }
end
for i = 2, #ARGV, 1000 do
  redis.call('HDEL', incoming, unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
return { 'ok' }
