--[[
lease_renew: take or renew the lease of one life of a node, unless it is being buried.

A lease that ran out is set again as long as nobody began to bury the node: Redis may have been away for longer than the
lease. Together with lease_bury this is the whole decision who wins, and both see only this one key. A lease that stands is
renewed without taking memory: a full Redis does not refuse that.

KEYS  lease
ARGV  lease_ms

GIVES ok seconds microseconds | buried
]]
local lease = KEYS[1]
local lease_ms = ARGV[1]

local found = redis.call('GET', lease)
if found == 'buried' then return { 'buried' } end
if found then
  redis.call('PEXPIRE', lease, lease_ms)
else
  redis.call('SET', lease, 'alive', 'PX', lease_ms)
end
local now = redis.call('TIME')
return { 'ok', now[1], now[2] }
