--[[
retained_remove: remove the retained message of a topic, together with its place in the index.

KEYS  messages topics
ARGV  topic

GIVES ok
]]
local messages, topics = KEYS[1], KEYS[2]
local topic = ARGV[1]

redis.call('HDEL', messages, topic)
redis.call('ZREM', topics, topic)
return { 'ok' }
