--[[
session_end: end a session that its owner serves.

All that was kept of it is gone. What it leaves to tidy up stays for a minute in `ended`, so that repeating the call gives it
again. While the session stands as this epoch opened it, what is there is from that opening, and somebody else has claimed it.

KEYS  meta subscriptions queue released incoming ended
ARGV  epoch

GIVES ok ended | fenced
]]
local meta, subscriptions, queue, released, incoming, ended = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local epoch = ARGV[1]

local current, opened, will = unpack(redis.call('HMGET', meta, 'epoch', 'opened', 'will'))
if epoch == current then
  redis.call('DEL', ended)
  if redis.call('EXISTS', subscriptions) == 1 then
    redis.call('RENAME', subscriptions, ended)
  end
  if will then
    redis.call('HSET', ended, '\0will', will)
  end
  if redis.call('EXISTS', ended) == 1 then
    redis.call('HSET', ended, '\0epoch', epoch)
    redis.call('PEXPIRE', ended, 60000)
  end
  redis.call('UNLINK', meta, queue, released, incoming)
elseif epoch == opened or redis.call('HGET', ended, '\0epoch') ~= epoch then
  return { 'fenced' }
end
return { 'ok', redis.call('HGETALL', ended) }
