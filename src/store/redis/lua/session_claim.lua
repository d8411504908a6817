--[[
session_claim: make somebody the owner of a session, which is created when there is none.

Raises the epoch and changes nothing else. The first epoch of a session is the time in microseconds, so a session that was
deleted and made again never meets an epoch of its earlier life. Of two claims in a row the first unreleased owner stays noted
as the former one: whoever claimed after it has not been served yet. No former owner is ''.

KEYS  meta
ARGV  owner

GIVES ok epoch former
]]
local meta = KEYS[1]
local owner = ARGV[1]

local epoch, before, former = unpack(redis.call('HMGET', meta, 'epoch', 'owner', 'former'))
if before and not former then
  redis.call('HSET', meta, 'former', before, 'former_epoch', epoch)
  former = before
end
if epoch then
  redis.call('HINCRBY', meta, 'epoch', 1)
else
  local time = redis.call('TIME')
  redis.call('HSET', meta, 'epoch', string.format('%.0f', time[1] * 1000000 + time[2]))
end
redis.call('HSET', meta, 'owner', owner)
return { 'ok', redis.call('HGET', meta, 'epoch'), former or '' }
