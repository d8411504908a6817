--[[
session_subscribe: add or replace subscriptions, and make the session's queue.

The queue is made as an empty stream whose last id is one below the number of its first message.

KEYS  meta subscriptions queue
ARGV  epoch first_seq pairs...

GIVES ok | fenced
]]
local meta, subscriptions, queue = KEYS[1], KEYS[2], KEYS[3]
local epoch, first_seq = ARGV[1], ARGV[2]

if redis.call('HGET', meta, 'epoch') ~= epoch then
  return { 'fenced' }
end
if redis.call('EXISTS', queue) == 0 then
  redis.call('XADD', queue, 'MAXLEN', 0, string.format('1-%d', first_seq - 1), 'm', '')
end
for i = 3, #ARGV, 1000 do
  redis.call('HSET', subscriptions, unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
return { 'ok' }
