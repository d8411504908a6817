--[[
retained_put: store the retained message of a topic, with its places in the indexes and the time at which it expires.

A new topic is refused when there are as many as may be, or as many bytes. One that is there is always replaced: an outdated
message must not stay because the new one is larger.

KEYS  messages by_topic by_last due bytes
ARGV  topic place_by_topic place_by_last record expires_at max_messages max_bytes

GIVES ok | full
]]
local messages, by_topic, by_last, due, bytes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local topic, place_by_topic, place_by_last, record, expires_at, max_messages, max_bytes = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local before = redis.call('HSTRLEN', messages, topic)
if before == 0 then
  local kept = tonumber(redis.call('GET', bytes) or 0)
  if redis.call('HLEN', messages) >= tonumber(max_messages) or kept + #record > tonumber(max_bytes) then
    return { 'full' }
  end
  redis.call('ZADD', by_topic, 0, place_by_topic)
  redis.call('ZADD', by_last, 0, place_by_last)
end
redis.call('HSET', messages, topic, record)
if #record ~= before then
  redis.call('INCRBY', bytes, #record - before)
end
if expires_at == '0' then
  redis.call('ZREM', due, topic)
else
  redis.call('ZADD', due, expires_at, topic)
end
return { 'ok' }
