--[[
served_add: note that a life of a node serves a client, unless that life is being buried.

So nothing is added behind the back of the node that buries it.

KEYS  lease served
ARGV  client

GIVES ok | buried
]]
local lease, served = KEYS[1], KEYS[2]
local client = ARGV[1]

if redis.call('GET', lease) == 'buried' then return { 'buried' } end
redis.call('SADD', served, client)
return { 'ok' }
