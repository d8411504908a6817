--[[
session_release: let go of a session that lives on.

Under the current epoch nobody owns it afterwards, and its expiry counts from now; a session that was claimed and never opened
is forgotten. Under the former epoch it ends the handover: the new owner need not wait any longer. A mark below 0 means that
nobody knows what was sent.

KEYS  meta
ARGV  epoch sent expiry will

GIVES ok | fenced
]]
local meta = KEYS[1]
local epoch, sent, expiry, will = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local current, former_epoch, began = unpack(redis.call('HMGET', meta, 'epoch', 'former_epoch', 'began'))
if epoch == current then
  if not began then
    redis.call('DEL', meta)
    return { 'ok' }
  end
  redis.call('HDEL', meta, 'owner', 'expires_at')
  if expiry ~= '4294967295' then
    local time = redis.call('TIME')
    local now = time[1] * 1000 + math.floor(time[2] / 1000)
    redis.call('HSET', meta, 'expires_at', string.format('%.0f', now + expiry * 1000))
  end
elseif epoch == former_epoch then
  redis.call('HDEL', meta, 'former', 'former_epoch')
else
  return { 'fenced' }
end

redis.call('HSET', meta, 'expiry', expiry)
if tonumber(sent) >= 0 then
  redis.call('HSET', meta, 'sent', sent, 'in_order', 1)
else
  redis.call('HSET', meta, 'in_order', 0)
end
if will == 'drop' then
  redis.call('HDEL', meta, 'will', 'will_delay', 'will_token')
end
return { 'ok' }
