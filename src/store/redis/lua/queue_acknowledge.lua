--[[
queue_acknowledge: remove acknowledged messages from a session's queue.

KEYS  meta queue
ARGV  epoch ids...

GIVES ok | fenced
]]
local meta, queue = KEYS[1], KEYS[2]
local epoch = ARGV[1]

local current, former_epoch = unpack(redis.call('HMGET', meta, 'epoch', 'former_epoch'))
if epoch ~= current and epoch ~= former_epoch then
  return { 'fenced' }
end
for i = 2, #ARGV, 1000 do
  redis.call('XDEL', queue, unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
return { 'ok' }
