--[[
role_resign: give a role up, unless somebody else holds it by now.

KEYS  role
ARGV  holder token

GIVES ok | taken
]]
local role = KEYS[1]
local holder, token = ARGV[1], ARGV[2]

if redis.call('GET', role) ~= holder .. ' ' .. token then return { 'taken' } end
redis.call('DEL', role)
return { 'ok' }
