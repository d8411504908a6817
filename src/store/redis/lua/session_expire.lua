--[[
session_expire: end a session that nobody owns and whose time has come.

What it leaves to tidy up stays for a minute in `ended`, so that repeating the call gives it again.

KEYS  meta subscriptions queue released incoming ended
ARGV

GIVES ok ended epoch | kept | later in_ms
]]
local meta, subscriptions, queue, released, incoming, ended = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]

local epoch, owner, expires_at, will = unpack(redis.call('HMGET', meta, 'epoch', 'owner', 'expires_at', 'will'))
if epoch then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if owner or not expires_at then
    return { 'kept' }
  end
  if tonumber(expires_at) > now then
    return { 'later', tonumber(expires_at) - now }
  end
  redis.call('DEL', ended)
  if redis.call('EXISTS', subscriptions) == 1 then
    redis.call('RENAME', subscriptions, ended)
  end
  redis.call('HSET', ended, '\0epoch', 'expired', '\0last', epoch)
  if will then
    redis.call('HSET', ended, '\0will', will)
  end
  redis.call('PEXPIRE', ended, 60000)
  redis.call('UNLINK', meta, queue, released, incoming)
elseif redis.call('HGET', ended, '\0epoch') ~= 'expired' then
  return { 'kept' }
end
return { 'ok', redis.call('HGETALL', ended), redis.call('HGET', ended, '\0last') }
