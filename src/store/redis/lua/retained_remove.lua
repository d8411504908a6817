--[[
retained_remove: remove the retained message of a topic, with its places in the indexes.

KEYS  messages by_topic by_last due bytes
ARGV  topic place_by_topic place_by_last

GIVES ok
]]
local messages, by_topic, by_last, due, bytes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local topic, place_by_topic, place_by_last = ARGV[1], ARGV[2], ARGV[3]

local before = redis.call('HSTRLEN', messages, topic)
if before > 0 then
  redis.call('HDEL', messages, topic)
  redis.call('DECRBY', bytes, before)
  redis.call('ZREM', by_topic, place_by_topic)
  redis.call('ZREM', by_last, place_by_last)
  redis.call('ZREM', due, topic)
end
return { 'ok' }
