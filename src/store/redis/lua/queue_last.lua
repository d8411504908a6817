--[[
queue_last: tell the number that a session's queue gave last, whether that entry is still there or not.

0 when there is no queue.

KEYS  queue
ARGV

GIVES ok seq
]]
local queue = KEYS[1]

if redis.call('EXISTS', queue) == 0 then return { 'ok', 0 } end
local facts = redis.call('XINFO', 'STREAM', queue)
for i = 1, #facts, 2 do
  if facts[i] == 'last-generated-id' then
    return { 'ok', tonumber(string.sub(facts[i + 1], 3)) }
  end
end
return { 'ok', 0 }
