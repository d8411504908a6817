--[[
retained_expire: remove the retained message of a topic, with its places in the indexes, if its time is over.

KEYS  messages by_topic by_last due bytes
ARGV  topic place_by_topic place_by_last

GIVES ok | later
]]
local messages, by_topic, by_last, due, bytes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local topic, place_by_topic, place_by_last = ARGV[1], ARGV[2], ARGV[3]

local expires_at = redis.call('ZSCORE', due, topic)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not expires_at or tonumber(expires_at) > now then
  return { 'later' }
end
redis.call('DECRBY', bytes, redis.call('HSTRLEN', messages, topic))
redis.call('HDEL', messages, topic)
redis.call('ZREM', by_topic, place_by_topic)
redis.call('ZREM', by_last, place_by_last)
redis.call('ZREM', due, topic)
return { 'ok' }
