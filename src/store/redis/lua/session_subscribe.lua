--[[
session_subscribe: add or replace subscriptions, and make the session's queue.

The queue is made as an empty stream whose last id is 1-0, so that its first message is number 1.

KEYS  meta subscriptions queue
ARGV  epoch pairs...

GIVES ok | fenced
]]
local meta, subscriptions, queue = KEYS[1], KEYS[2], KEYS[3]
local epoch = ARGV[1]

if redis.call('HGET', meta, 'epoch') ~= epoch then
  return { 'fenced' }
end
if redis.call('EXISTS', queue) == 0 then
  redis.call('XADD', queue, 'MAXLEN', 0, '1-0', 'm', '')
end
for i = 2, #ARGV, 1000 do
  redis.call('HSET', subscriptions, unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
return { 'ok' }
