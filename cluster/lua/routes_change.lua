--[[
routes_change: write changes to the table of routes and, as one entry each, to the log.

A change is a field (filter, U+0000, target) and a value: "+" or, for a route that ends, "-"; eight bytes of version, the first one
first; the options. Where a higher version stands in the table the change comes too late, from somebody who does not speak for the
target any more, and is passed over; `late` are their places. What the table says already is not written to the log again. `seq`
is the number of the log's last entry. At most 500 changes, so the loop is short.

KEYS  table log
ARGV  max_entries changes...

GIVES ok seq late
]]
local table, log = KEYS[1], KEYS[2]
local max_entries = ARGV[1]

-- an empty stream that numbers itself begins at 0, which is where a reader stands that has read nothing
local id = redis.call('EXISTS', log) == 1 and '1-*' or '1-1'
local late = {}
for i = 2, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  local standing = redis.call('HGET', table, field)
  if standing and struct.unpack('>I8', standing) > struct.unpack('>I8', value, 2) then
    late[#late + 1] = (i - 2) / 2
  else
    local is_news
    if string.sub(value, 1, 1) == '-' then
      is_news = redis.call('HDEL', table, field) == 1
    else
      redis.call('HSET', table, field, string.sub(value, 2))
      is_news = not standing or string.sub(standing, 9) ~= string.sub(value, 10)
    end
    if is_news then
      redis.call('XADD', log, 'MAXLEN', '~', max_entries, id, field, value)
      id = '1-*'
    end
  end
end
local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
return { 'ok', last and tonumber(string.sub(last[1], 3)) or 0, late }
