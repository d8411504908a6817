--[[
queue_trim_oldest: drop the oldest messages of a session's queue over its limit, while nobody serves the session.

Whoever serves it drops by itself, knowing what is on its way to the client. What an earlier connection was sent counts and stays:
the client may hold its packet identifiers [MQTT-4.4.0-1]. When nobody knows how far was sent, that are the first numbers of one
window. At most 5,000 messages go at a time.

KEYS  meta queue
ARGV  most window

GIVES ok dropped length
]]
local meta, queue = KEYS[1], KEYS[2]
local most, window = ARGV[1], ARGV[2]

local length = redis.call('XLEN', queue)
local over = math.min(length - most, 5000)
local owner, sent, in_order = unpack(redis.call('HMGET', meta, 'owner', 'sent', 'in_order'))
if over <= 0 or owner then
  return { 'ok', 0, length }
end

local function number_of(entries)
  return entries[1] and tonumber(string.sub(entries[1][1], 3))
end
local kept = tonumber(sent or 0)
if in_order == '0' then
  kept = number_of(redis.call('XRANGE', queue, '-', '+', 'COUNT', 1)) + window - 1
end
local first = number_of(redis.call('XRANGE', queue, string.format('(1-%.0f', kept), '+', 'COUNT', 1))
local dropped = 0
for from = 0, first and over - 1 or -1, 1000 do
  local ids = {}
  for i = from, math.min(from + 999, over - 1) do
    ids[#ids + 1] = string.format('1-%.0f', first + i)
  end
  dropped = dropped + redis.call('XDEL', queue, unpack(ids))
end
return { 'ok', dropped, length - dropped }
