--[[
retained_scan: one page of the retained messages whose topics match a filter with a wildcard.

A topic has a place in two indexes, both in byte order: by its number of levels and itself, and by its number of levels, its last
level and the levels before. A filter with a literal last level walks the second one, any other the first: below `a/+/c` lie
exactly the topics of three levels that begin with `a` and end with `c`, below `a/+` those of two that begin with `a`. What
cannot match is jumped over.

Stops after `most_steps` places looked at, `most_messages` found or `most_bytes` of them, and gives the place to go on from; ''
when all was seen. A place to go on from is the lower bound of the next one.

Texts are compared byte by byte, as the index does: the language's own `<` follows the locale of the server.

KEYS  messages by_topic by_last
ARGV  filter from most_steps most_messages most_bytes

GIVES ok from records
]]
local messages, by_topic, by_last = KEYS[1], KEYS[2], KEYS[3]
local filter, from, most_steps, most_messages, most_bytes = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

most_steps, most_messages, most_bytes = tonumber(most_steps), tonumber(most_messages), tonumber(most_bytes)

local levels = {}
for level in string.gmatch(filter .. '/', '(.-)/') do
  levels[#levels + 1] = level
end
local last = levels[#levels]
local is_open = last == '#'
local is_by_last = not is_open and last ~= '+'
local index = is_by_last and by_last or by_topic

-- What a place has to look like: `a/#` is any number of levels from one on, then `a`.
local wanted = { is_open and '+' or string.format('%05d', #levels) }
if is_by_last then
  wanted[2] = last
end
local first_at = #wanted + 1
for i = 1, #levels - ((is_by_last or is_open) and 1 or 0) do
  wanted[#wanted + 1] = levels[i]
end
local depth = #wanted
local literals = 0
while literals < depth and wanted[literals + 1] ~= '+' do
  literals = literals + 1
end

-- What `a/b/+/#` has before its first wildcard: `a/b/`, with each number of levels.
local stem, stem_levels = '', 0
while is_open and levels[stem_levels + 1] ~= '+' and levels[stem_levels + 1] ~= '#' do
  stem_levels = stem_levels + 1
  stem = stem .. levels[stem_levels] .. '/'
end
local hides_dollar = levels[1] == '+' or levels[1] == '#'
local dollar = 36

local function is_before(a, b, at)
  for i = at, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

-- Whether the place matches, and the bound of the next one that may: nil when there is none. The first text behind everything
-- that begins with a prefix and a slash is the prefix and '0', the character after the slash.
local function judge(place)
  local at = 1
  for i = 1, depth do
    local slash = string.find(place, '/', at, true)
    if i == first_at and hides_dollar and string.byte(place, at) == dollar then
      return false, string.sub(place, 1, at - 1) .. '%'
    end
    if wanted[i] ~= '+' and string.sub(place, at, (slash or #place + 1) - 1) ~= wanted[i] then
      local prefix = string.sub(place, 1, at - 1)
      local exact = prefix .. wanted[i]
      if i == depth and is_before(place, exact, at) then
        return false, exact
      end
      if (i < depth or is_open) and is_before(place, exact .. '/', at) then
        return false, exact .. '/'
      end
      if is_open and i <= stem_levels + 1 then
        return false, string.format('%05d/', tonumber(string.sub(place, 1, 5)) + 1) .. stem
      end
      return false, i > literals and string.sub(prefix, 1, -2) .. '0' or nil
    end
    at = slash and slash + 1
  end
  if first_at > depth and hides_dollar and string.byte(place, at) == dollar then
    return false, string.sub(place, 1, at - 1) .. '%'
  end
  return true, place .. '\0'
end

local function topic_of(place)
  local at = string.find(place, '/', 1, true) + 1
  if not is_by_last then
    return string.sub(place, at)
  end
  local slash = string.find(place, '/', at, true)
  return string.sub(place, slash + 1) .. '/' .. string.sub(place, at, slash - 1)
end

local function first_place()
  if is_open then
    return string.format('%05d/', math.max(1, #levels - 1)) .. string.sub(stem, 1, -2)
  end
  return table.concat(wanted, '/', 1, literals) .. '/'
end

local records, bytes, steps, ahead = {}, 0, 0, 16
local bound = from ~= '' and from or first_place()
while bound do
  local found = redis.call('ZRANGE', index, '[' .. bound, '+', 'BYLEX', 'LIMIT', 0, ahead)
  if #found == 0 then
    bound = nil
  end
  local has_jumped = false
  for _, place in ipairs(found) do
    local is_match, next_bound = judge(place)
    bound = next_bound
    steps = steps + 1
    if is_match then
      local record = redis.call('HGET', messages, topic_of(place))
      if record then
        records[#records + 1] = record
        bytes = bytes + #record
      end
    end
    if bound and (steps >= most_steps or #records >= most_messages or bytes >= most_bytes) then
      return { 'ok', bound, records }
    end
    has_jumped = not is_match
    if has_jumped then
      break
    end
  end
  ahead = has_jumped and 1 or math.min(ahead * 2, 64)
end
return { 'ok', '', records }
