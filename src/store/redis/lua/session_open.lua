--[[
session_open: begin to serve a claimed session.

Shuts out the former owner. The earlier session ends when clean start asks for it, when it had expired, and when it was to end
with its connection. What that leaves to tidy up (its subscriptions; a will that is due now) stays for a minute in `ended`,
so that repeating the call under the same epoch gives it again. A will without delay that is still here was to be sent for a
client whose node died; the client is back before anyone did, so it is dropped.

KEYS  meta subscriptions queue released incoming ended
ARGV  epoch clean_start protocol expiry will will_delay

GIVES ok present sent in_order subscriptions incoming released ended | fenced
]]
local meta, subscriptions, queue, released, incoming, ended = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local epoch, clean_start, protocol, expiry, will, will_delay = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

local current, opened, began = unpack(redis.call('HMGET', meta, 'epoch', 'opened', 'began'))
if epoch ~= current then
  return { 'fenced' }
end

if opened ~= epoch then
  local last_expiry, expires_at, last_will, last_delay =
    unpack(redis.call('HMGET', meta, 'expiry', 'expires_at', 'will', 'will_delay'))
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local is_over = began and (clean_start == '1' or last_expiry == '0' or (expires_at and tonumber(expires_at) <= now))
  redis.call('DEL', ended)
  if is_over then
    if redis.call('EXISTS', subscriptions) == 1 then
      redis.call('RENAME', subscriptions, ended)
    end
    redis.call('UNLINK', queue, released, incoming)
    redis.call('HDEL', meta, 'sent', 'in_order')
    began = false
  end
  if is_over then
    redis.call('HSET', ended, '\0epoch', epoch)
    if last_will and last_delay ~= '0' then
      redis.call('HSET', ended, '\0will', last_will)
    end
    redis.call('PEXPIRE', ended, 60000)
  end
end

-- an identifier with a token belongs to a message that is not everywhere yet: it is taken again when it comes again
local received = {}
local marks = redis.call('HGETALL', incoming)
for i = 1, #marks, 2 do
  if marks[i + 1] == '' then
    received[#received + 1] = marks[i]
  end
end

local sent, in_order = unpack(redis.call('HMGET', meta, 'sent', 'in_order'))
began = began or epoch
redis.call('HDEL', meta, 'former', 'former_epoch', 'expires_at', 'will', 'will_delay', 'will_token')
redis.call('HSET', meta, 'opened', epoch, 'began', began, 'protocol', protocol, 'expiry', expiry, 'in_order', 0)
if will ~= '' then
  redis.call('HSET', meta, 'will', will, 'will_delay', will_delay)
end
return {
  'ok',
  began ~= epoch and 1 or 0,
  sent or '0',
  in_order or '1',
  redis.call('HGETALL', subscriptions),
  received,
  redis.call('SMEMBERS', released),
  redis.call('HGETALL', ended),
}
