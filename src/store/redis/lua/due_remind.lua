--[[
due_remind: set the time of a reminder, counted from now.

KEYS  due
ARGV  client in_ms

GIVES ok
]]
local due = KEYS[1]
local client, in_ms = ARGV[1], ARGV[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', due, string.format('%.0f', now + in_ms), client)
return { 'ok' }
