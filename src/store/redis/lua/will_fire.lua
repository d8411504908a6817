--[[
will_fire: append a session's will wherever it goes, and take it from the session, in one step.

Does nothing when the session has no will any more. The targets are those of queue_push_once: streams with five arguments
each, in other slots than the session. On a Redis Cluster will_note, once_push and will_done are
the way.

KEYS  meta targets...
ARGV  epoch appends...

GIVES ok seqs | seen | fenced
]]
local meta = KEYS[1]
local epoch = ARGV[1]

local current, former_epoch = unpack(redis.call('HMGET', meta, 'epoch', 'former_epoch'))
if epoch ~= current and epoch ~= former_epoch then
  return { 'fenced' }
end
if redis.call('HDEL', meta, 'will', 'will_delay') == 0 then
  return { 'seen' }
end

local seqs = {}
for i = 2, #KEYS do
  local at = 2 + (i - 2) * 5
  local make, id, most, field, value = unpack(ARGV, at, at + 4)
  local added
  if make == '1' then
    added = redis.call('XADD', KEYS[i], 'MAXLEN', '~', most, id, field, value)
  else
    added = redis.call('XADD', KEYS[i], 'NOMKSTREAM', 'MAXLEN', '~', most, id, field, value)
  end
  seqs[i - 1] = id == '1-*' and added and tonumber(string.sub(added, 3)) or 0
end
return { 'ok', seqs }
