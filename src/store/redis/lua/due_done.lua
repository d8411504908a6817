--[[
due_done: remove a reminder that was handled, unless it was set to a later time meanwhile.

KEYS  due
ARGV  client

GIVES ok | later
]]
local due = KEYS[1]
local client = ARGV[1]

local score = redis.call('ZSCORE', due, client)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if score and tonumber(score) > now then
  return { 'later' }
end
redis.call('ZREM', due, client)
return { 'ok' }
