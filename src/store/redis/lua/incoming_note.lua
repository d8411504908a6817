--[[
incoming_note: note the packet identifier of an incoming QoS 2 message, and the token under which it is appended wherever it goes.

The first of three steps where keys lie on several servers: note, once_push for each target, incoming_done. Whoever comes again
with the same identifier before the last step is given the token of the first time.

KEYS  meta incoming
ARGV  epoch packet_id token

GIVES noted token | seen | fenced
]]
local meta, incoming = KEYS[1], KEYS[2]
local epoch, packet_id, token = ARGV[1], ARGV[2], ARGV[3]

local current, former_epoch = unpack(redis.call('HMGET', meta, 'epoch', 'former_epoch'))
if epoch ~= current and epoch ~= former_epoch then
  return { 'fenced' }
end
redis.call('HSETNX', incoming, packet_id, token)
local noted = redis.call('HGET', incoming, packet_id)
if noted == '' then
  return { 'seen' }
end
return { 'noted', noted }
