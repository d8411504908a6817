--[[
lease_bury: begin, or go on with, the burial of a life whose lease ran out.

From then on lease_renew and served_add refuse that life. The mark stands for mark_ms, much longer than any burial.

KEYS  lease
ARGV  mark_ms

GIVES buried | alive
]]
local lease = KEYS[1]
local mark_ms = ARGV[1]

if redis.call('GET', lease) == 'alive' then return { 'alive' } end
redis.call('SET', lease, 'buried', 'PX', mark_ms)
return { 'buried' }
