--[[
due_ripe: the clients whose time has come, the earliest first.

KEYS  due
ARGV  count

GIVES ok clients
]]
local due = KEYS[1]
local count = ARGV[1]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return { 'ok', redis.call('ZRANGE', due, '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, count) }
