--[[
queue_receive: remove received QoS 2 messages from a session's queue and note their packet identifiers as released.

KEYS  meta queue released
ARGV  epoch seqs...

GIVES ok | fenced
]]
local meta, queue, released = KEYS[1], KEYS[2], KEYS[3]
local epoch = ARGV[1]

local current, former_epoch = unpack(redis.call('HMGET', meta, 'epoch', 'former_epoch'))
if epoch ~= current and epoch ~= former_epoch then
  return { 'fenced' }
end
for i = 2, #ARGV do
  redis.call('XDEL', queue, '1-' .. ARGV[i])
  redis.call('SADD', released, (ARGV[i] - 1) % 65535 + 1)
end
return { 'ok' }
