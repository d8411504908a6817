--[[
incoming_done: note that an incoming QoS 2 message is everywhere; its packet identifier stays until it is forgotten.

Does nothing under another token than the noted one.

KEYS  incoming
ARGV  packet_id token

GIVES ok
]]
local incoming = KEYS[1]
local packet_id, token = ARGV[1], ARGV[2]

if redis.call('HGET', incoming, packet_id) == token then
  redis.call('HSET', incoming, packet_id, '')
end
return { 'ok' }
