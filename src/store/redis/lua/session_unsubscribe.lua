--[[
session_unsubscribe: remove subscriptions.

The queue stays: it may hold messages.

KEYS  meta subscriptions
ARGV  epoch filters...

GIVES ok | fenced
]]
local meta, subscriptions = KEYS[1], KEYS[2]
local epoch = ARGV[1]

if redis.call('HGET', meta, 'epoch') ~= epoch then
  return { 'fenced' }
end
for i = 2, #ARGV, 1000 do
  redis.call('HDEL', subscriptions, unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
return { 'ok' }
