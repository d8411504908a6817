--[[
will_done: take the will from its session, which was appended under this token wherever it goes.

Does nothing under another token than the noted one: the session has another will by now.

KEYS  meta
ARGV  token

GIVES ok
]]
local meta = KEYS[1]
local token = ARGV[1]

if redis.call('HGET', meta, 'will_token') == token then
  redis.call('HDEL', meta, 'will', 'will_delay', 'will_token')
end
return { 'ok' }
