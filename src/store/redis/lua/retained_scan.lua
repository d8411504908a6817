--[[
retained_scan: one page of the retained messages whose topics match a filter.

Walks the topics in byte order and jumps over what cannot match: below `a/+/c` from child to child of `a`, below `a/#` it reads
on. Stops after `most_steps` topics looked at, `most_messages` found or `most_bytes` of them, and gives the place to go on
from; '' when all was seen. A place is the lower bound of the next topic.

Texts are compared byte by byte, as the index does: the language's own `<` follows the locale of the server.

KEYS  messages topics
ARGV  filter from most_steps most_messages most_bytes

GIVES ok from records
]]
local messages, topics = KEYS[1], KEYS[2]
local filter, from, most_steps, most_messages, most_bytes = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

most_steps, most_messages, most_bytes = tonumber(most_steps), tonumber(most_messages), tonumber(most_bytes)

local wanted = {}
for level in string.gmatch(filter .. '/', '(.-)/') do
  wanted[#wanted + 1] = level
end
local depth = #wanted
local is_open = wanted[depth] == '#'
if is_open then
  depth = depth - 1
end
local starts_wild = wanted[1] == '+' or wanted[1] == '#'

local function is_before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

-- Whether the topic matches, and the bound of the next topic that may: nil when there is none. A prefix ends with a slash;
-- the first text behind everything that begins with it is the one that ends with '0', the character after the slash.
local function judge(topic)
  if starts_wild and string.byte(topic, 1) == 36 then
    return false, '%'
  end
  local at = 1
  for i = 1, depth do
    local slash = string.find(topic, '/', at, true)
    local is_last = i == depth
    if wanted[i] ~= '+' and string.sub(topic, at, (slash or #topic + 1) - 1) ~= wanted[i] then
      local prefix = string.sub(topic, 1, at - 1)
      local exact = prefix .. wanted[i]
      if is_last and is_before(topic, exact) then
        return false, exact
      end
      if (not is_last or is_open) and is_before(topic, exact .. '/') then
        return false, exact .. '/'
      end
      return false, at > 1 and string.sub(prefix, 1, -2) .. '0' or nil
    end
    if is_last and slash and not is_open then
      return false, string.sub(topic, 1, slash - 1) .. '0'
    end
    if not is_last and not slash then
      return false, topic .. '\0'
    end
    at = slash and slash + 1
  end
  return true, topic .. '\0'
end

local records, bytes, steps, ahead = {}, 0, 0, 1
local bound = from
while bound do
  local found = redis.call('ZRANGE', topics, bound == '' and '-' or '[' .. bound, '+', 'BYLEX', 'LIMIT', 0, ahead)
  if #found == 0 then
    bound = nil
  end
  local jumped = false
  for _, topic in ipairs(found) do
    local is_match, next_bound = judge(topic)
    bound = next_bound
    steps = steps + 1
    if is_match then
      local record = redis.call('HGET', messages, topic)
      if record then
        records[#records + 1] = record
        bytes = bytes + #record
      end
    end
    if bound and (steps >= most_steps or #records >= most_messages or bytes >= most_bytes) then
      return { 'ok', bound, records }
    end
    jumped = bound ~= topic .. '\0'
    if jumped then
      break
    end
  end
  ahead = jumped and 1 or math.min(ahead * 2, 64)
end
return { 'ok', '', records }
