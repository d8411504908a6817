--[[
once_push: append to a stream under a token, unless that was done under the same token before.

Tokens are remembered beside the stream until they are removed, at most 10,000 of them and none longer than an hour after the
last append: those of exchanges that were broken off and never taken up again. `make`, `id`, `most`, `field` and `value` as in
queue_push_once.

KEYS  target tokens
ARGV  token make id most field value

GIVES ok seq | seen
]]
local target, tokens = KEYS[1], KEYS[2]
local token, make, id, most, field, value = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

if redis.call('ZSCORE', tokens, token) then
  return { 'seen' }
end
local added
if make == '1' then
  added = redis.call('XADD', target, 'MAXLEN', '~', most, id, field, value)
else
  added = redis.call('XADD', target, 'NOMKSTREAM', 'MAXLEN', '~', most, id, field, value)
end
if not added then
  return { 'ok', 0 }
end
redis.call('ZADD', tokens, redis.call('TIME')[1], token)
redis.call('ZREMRANGEBYRANK', tokens, 0, -10001)
redis.call('EXPIRE', tokens, 3600)
return { 'ok', id == '1-*' and tonumber(string.sub(added, 3)) or 0 }
