--[[
will_note: note the token under which a session's will is appended wherever it goes.

The first of three steps where keys lie on several servers: note, once_push for each target, will_done. Whoever fires the
same will is given the token of the first time.

KEYS  meta
ARGV  epoch token

GIVES noted token | seen | fenced
]]
local meta = KEYS[1]
local epoch, token = ARGV[1], ARGV[2]

local current, former_epoch = unpack(redis.call('HMGET', meta, 'epoch', 'former_epoch'))
if epoch ~= current and epoch ~= former_epoch then
  return { 'fenced' }
end
if redis.call('HEXISTS', meta, 'will') == 0 then
  return { 'seen' }
end
redis.call('HSETNX', meta, 'will_token', token)
return { 'noted', redis.call('HGET', meta, 'will_token') }
