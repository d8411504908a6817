--[[
routes_change: write changes to the table of routes and, as one entry each, to the log.

A change is a field (filter, U+0000, target) and a value: "+" and the options, or "-" for a route that ends. What the
table says already is not written again. At most 500 changes, so the loop is short.

KEYS  table log
ARGV  max_entries changes...

GIVES ok written
]]
local table, log = KEYS[1], KEYS[2]
local max_entries = ARGV[1]

-- an empty stream that numbers itself begins at 0, which is where a reader stands that has read nothing
local id = redis.call('EXISTS', log) == 1 and '1-*' or '1-1'
local written = 0
for i = 2, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  local is_news
  if value == '-' then
    is_news = redis.call('HDEL', table, field) == 1
  else
    local options = string.sub(value, 2)
    is_news = redis.call('HGET', table, field) ~= options
    if is_news then redis.call('HSET', table, field, options) end
  end
  if is_news then
    redis.call('XADD', log, 'MAXLEN', '~', max_entries, id, field, value)
    id = '1-*'
    written = written + 1
  end
end
return { 'ok', written }
