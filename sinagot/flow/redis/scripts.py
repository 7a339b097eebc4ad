"""What the Redis server itself does in one piece: the scripts by which streams are begun, written, ended and read.

Pure text: knows the layout of keys; must not know connections or values. `sinagot.flow.redis.store` calls them.

A run has a hash, ``prefix:run_id``, with the fields ``o`` (token of its owner), ``b:TOKEN`` (when that process last
showed that it lives, in milliseconds of the server's clock), ``w:STREAM`` (token of who writes it), ``c:STREAM``
(number of values) and ``z:STREAM`` (their bytes). Each stream is a Redis stream, ``prefix:run_id:STREAM``: value k has
the id ``0-(k+1)``, the end mark ``1-1``: behind it nothing can be added, which the server itself sees to.

What a script is asked twice, for the answer to the first was lost, it does once. The flags are those of Redis 7.0:
end marks and signs of life get through when the memory is used up.
"""

from __future__ import annotations

import hashlib
from typing import Final

__all__ = ["APPEND", "BEAT", "BEGIN", "END", "LEAVE", "READ", "REMOVE", "START", "STATE", "Script"]


class Script:
    """A script in Lua.

    Parameters
    ----------
    flags : str
        Of Redis.
    text : str
        What it does.
    """

    def __init__(self, flags: str, text: str) -> None:
        self.text = f"#!lua {f'flags={flags}' if flags else ''}\n{_COMMON}{text}"
        #: What the server calls it.
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


_COMMON: Final = """
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function id_of(number)
  return '0-' .. string.format('%.0f', number + 1)
end
local function mark_of(stream)
  local found = redis.call('XRANGE', stream, '1-1', '1-1')
  if found[1] then
    return found[1][2][2], found[1][2][4], found[1][2][1]
  end
end
local function age_of_writer(run, name)
  local writer = redis.call('HGET', run, 'w:' .. name) or redis.call('HGET', run, 'o')
  local beat = writer and redis.call('HGET', run, 'b:' .. writer)
  return math.floor(now() - (beat or 0))
end
"""

#: KEYS: run. ARGV: token, milliseconds to live. Make a run.
START: Final = Script(
    "",
    """
local owner = redis.call('HGET', KEYS[1], 'o')
if owner and owner ~= ARGV[1] then
  return {'taken'}
end
redis.call('HSET', KEYS[1], 'o', ARGV[1], 'b:' .. ARGV[1], string.format('%.0f', now()))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'ok'}
""",
)

#: KEYS: run, stream. ARGV: name, token. Become the writer of a stream; give its values, bytes and mark.
BEGIN: Final = Script(
    "allow-oom",
    """
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'gone'}
end
local count = redis.call('HGET', KEYS[1], 'c:' .. ARGV[1]) or '0'
local mark, told = mark_of(KEYS[2])
if mark then
  return {'ended', mark, told}
end
if count ~= '0' and redis.call('EXISTS', KEYS[2]) == 0 then
  return {'lost', count}
end
redis.call('HSET', KEYS[1], 'w:' .. ARGV[1], ARGV[2], 'b:' .. ARGV[2], string.format('%.0f', now()))
redis.call('HSETNX', KEYS[1], 'c:' .. ARGV[1], '0')
return {'ok', count, redis.call('HGET', KEYS[1], 'z:' .. ARGV[1]) or '0'}
""",
)

#: KEYS: run, stream. ARGV: name, number of the first, token, milliseconds to live, most values (0: all), payloads. Add
#: values, all or none.
APPEND: Final = Script(
    "",
    """
local count = redis.call('HGET', KEYS[1], 'c:' .. ARGV[1])
if not count then
  return {redis.call('EXISTS', KEYS[1]) == 1 and 'lost' or 'gone', '0'}
end
local first, fresh = tonumber(ARGV[2]), #ARGV - 5
if count ~= ARGV[2] then
  if tonumber(count) < first then
    return {'lost', count}
  end
  local id = id_of(first + fresh - 1)
  local there = redis.call('XRANGE', KEYS[2], id, id)
  if there[1] and there[1][2][1] == ARGV[3] and there[1][2][2] == ARGV[#ARGV] then
    return {'ok'}
  end
  local mark, told = mark_of(KEYS[2])
  if mark then
    return {'ended', mark, told}
  end
  return {'taken'}
end
local mark, told = mark_of(KEYS[2])
if mark then
  return {'ended', mark, told}
end
if count ~= '0' and redis.call('EXISTS', KEYS[2]) == 0 then
  return {'lost', '0'}
end
local size = 0
for at = 6, #ARGV do
  redis.call('XADD', KEYS[2], id_of(first + at - 6), ARGV[3], ARGV[at])
  size = size + #ARGV[at]
end
if ARGV[5] ~= '0' then
  redis.call('XTRIM', KEYS[2], 'MAXLEN', '=', ARGV[5])
end
redis.call('HSET', KEYS[1], 'c:' .. ARGV[1], string.format('%.0f', first + fresh))
redis.call('HINCRBY', KEYS[1], 'z:' .. ARGV[1], size)
if count == '0' then
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
end
return {'ok'}
""",
)

#: KEYS: run, stream. ARGV: name, number of values, token, payload, milliseconds to live, force (0 or 1), least age of
#: the writer's last sign of life (0: don't ask). Add the end mark, unless there is one.
END: Final = Script(
    "allow-oom",
    """
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'gone'}
end
local mark, told, token = mark_of(KEYS[2])
if mark then
  return {mark == ARGV[4] and token == ARGV[3] and 'ok' or 'ended', mark, told}
end
if ARGV[6] == '0' then
  local count = redis.call('HGET', KEYS[1], 'c:' .. ARGV[1]) or '0'
  if count ~= ARGV[2] then
    return {tonumber(count) < tonumber(ARGV[2]) and 'lost' or 'more', count}
  end
  if count ~= '0' and redis.call('EXISTS', KEYS[2]) == 0 then
    return {'lost', '0'}
  end
  if ARGV[7] ~= '0' and age_of_writer(KEYS[1], ARGV[1]) < tonumber(ARGV[7]) then
    return {'alive'}
  end
end
redis.call('XADD', KEYS[2], '1-1', ARGV[3], ARGV[4], 'n', ARGV[2])
redis.call('HSETNX', KEYS[1], 'w:' .. ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return {'ok'}
""",
)

#: KEYS: run, stream. ARGV: name, number, bytes, values. Give values from a number on, so many at most; or the mark; or
#: for how long the writer has shown no sign of life.
READ: Final = Script(
    "no-writes",
    """
local found, size, at, step = {}, 0, tonumber(ARGV[2]), 1
local bytes, most = tonumber(ARGV[3]), 2 * tonumber(ARGV[4])
while size < bytes and #found < most do
  local some = redis.call('XRANGE', KEYS[2], id_of(at), '0-18446744073709551615', 'COUNT', step)
  for _, entry in ipairs(some) do
    at = tonumber(string.sub(entry[1], 3))
    found[#found + 1] = at - 1
    found[#found + 1] = entry[2][2]
    size = size + #entry[2][2]
  end
  if #some < step then
    break
  end
  step = math.min(2 * step, 16)
end
if #found > 0 then
  return {'values', found}
end
local mark, told = mark_of(KEYS[2])
if mark then
  return {'ended', mark, told}
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'gone'}
end
return {'wait', age_of_writer(KEYS[1], ARGV[1])}
""",
)

#: KEYS: run, stream. ARGV: name. Give the number of values, and the mark.
STATE: Final = Script(
    "no-writes",
    """
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'gone'}
end
local count = redis.call('HGET', KEYS[1], 'c:' .. ARGV[1]) or '0'
local mark, told = mark_of(KEYS[2])
if mark then
  return {'ended', mark, told, count}
end
return {'ok', count}
""",
)

#: KEYS: run. ARGV: token, milliseconds to live, owner (0 or 1), what keys of streams begin with, names. Show that a
#: process lives, renew the keys, and give for each name: number of values, key there (0 or 1), ended (0 or 1).
BEAT: Final = Script(
    "allow-oom",
    """
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'gone'}
end
redis.call('HSET', KEYS[1], 'b:' .. ARGV[1], string.format('%.0f', now()))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local found = {'ok'}
for at = 5, #ARGV do
  local stream = ARGV[4] .. ARGV[at]
  found[#found + 1] = tonumber(redis.call('HGET', KEYS[1], 'c:' .. ARGV[at]) or '0')
  found[#found + 1] = redis.call('PEXPIRE', stream, ARGV[2])
  found[#found + 1] = mark_of(stream) and 1 or 0
end
if ARGV[3] == '1' then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, 2) == 'w:' then
      redis.call('PEXPIRE', ARGV[4] .. string.sub(field, 3), ARGV[2])
    end
  end
end
return found
""",
)

#: KEYS: run. ARGV: token. Say that a process writes no more.
LEAVE: Final = Script(
    "allow-oom",
    """
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'b:' .. ARGV[1], '0')
end
return {'ok'}
""",
)

#: KEYS: run. ARGV: what keys of streams begin with. Delete all of a run.
REMOVE: Final = Script(
    "allow-oom",
    """
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 2) == 'w:' then
    redis.call('UNLINK', ARGV[1] .. string.sub(field, 3))
  end
end
redis.call('UNLINK', KEYS[1])
return {'ok'}
""",
)
