--[[
retained_put: store the retained message of a topic, together with its place in the index.

One step, because a put and a removal that interleaved would leave a message that no wildcard finds.

KEYS  messages topics
ARGV  topic record

GIVES ok
]]
local messages, topics = KEYS[1], KEYS[2]
local topic, record = ARGV[1], ARGV[2]

if redis.call('HSET', messages, topic, record) == 1 then
  redis.call('ZADD', topics, 0, topic)
end
return { 'ok' }
