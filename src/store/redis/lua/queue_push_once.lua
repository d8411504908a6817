--[[
queue_push_once: append an incoming QoS 2 message wherever it goes, and note its packet identifier, in one step.

Does nothing when the identifier is noted already. Each target is a stream with five arguments: 1 when it is made if it
is not there (a queue and an inbox are not), the id under which it is appended (`1-*` to a queue, else `*`), the most entries it
may hold, the field, the value.
The targets lie in other slots than the publisher's session: on a Redis Cluster incoming_note, once_push and incoming_done
are the way.

KEYS  meta incoming targets...
ARGV  epoch packet_id appends...

GIVES ok seqs | seen | fenced
]]
local meta, incoming = KEYS[1], KEYS[2]
local epoch, packet_id = ARGV[1], ARGV[2]

local current, former_epoch = unpack(redis.call('HMGET', meta, 'epoch', 'former_epoch'))
if epoch ~= current and epoch ~= former_epoch then
  return { 'fenced' }
end
if redis.call('HSETNX', incoming, packet_id, '') == 0 then
  return { 'seen' }
end

local seqs = {}
for i = 3, #KEYS do
  local at = 3 + (i - 3) * 5
  local make, id, most, field, value = unpack(ARGV, at, at + 4)
  local added
  if make == '1' then
    added = redis.call('XADD', KEYS[i], 'MAXLEN', '~', most, id, field, value)
  else
    added = redis.call('XADD', KEYS[i], 'NOMKSTREAM', 'MAXLEN', '~', most, id, field, value)
  end
  seqs[i - 2] = id == '1-*' and added and tonumber(string.sub(added, 3)) or 0
end
return { 'ok', seqs }
