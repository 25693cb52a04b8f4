-- Takes one of each limit, or nothing where one of them has none left.
--
-- KEYS      a limit each
-- ARGV      for each: how many, in how many milliseconds
-- answer    which limit is the tightest (from 1), what is left of it after
--           this one, or -1 for a refusal, and the milliseconds until it has
--           one more
--
-- A sliding window: a key holds how many requests are in it (4 bytes), and when
-- they were, as pairs of a time (6 bytes) and a number (4), oldest first.  Of
-- limits of more than 16 the requests of a sixteenth of the window share a pair
-- under the time of the last: no window ever sees more than is allowed, and one
-- that is waited for comes at most a sixteenth late.  Only pairs that go and
-- the last are looked at, so that a busy key costs no more than another.

local pack, unpack = struct.pack, struct.unpack
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local logs, firsts, totals = {}, {}, {}
local tightest, left, wait = 0, math.huge, 0

for i = 1, #KEYS do
	local allowed, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
	local log = redis.call('GET', KEYS[i])
	local first, total, until_more = 5, 0, window

	if log then
		local at, n = unpack('>I6I4', log, first)

		total = unpack('>I4', log)
		while at + window <= now do
			first, total = first + 10, total - n
			if first > #log then
				at = now
				break
			end
			at, n = unpack('>I6I4', log, first)
		end
		-- How long until one more than now may come: so many have to go.
		local pair, more = first, allowed - total + (n or 0)
		while more < 1 do
			pair = pair + 10
			at, n = unpack('>I6I4', log, pair)
			more = more + n
		end
		until_more = at + window - now
	end
	logs[i], firsts[i], totals[i] = log, first, total

	local more = allowed - total
	if more < 1 and (left > 0 or until_more > wait) or more >= 1 and more < left then
		tightest, left, wait = i, more, until_more
	end
end

if left < 1 then
	return { tightest, -1, wait }
end
for i = 1, #KEYS do
	local allowed, window = tonumber(ARGV[2 * i - 1]), ARGV[2 * i]
	local log, n, rest = logs[i], 1, ''

	if totals[i] > 0 then
		local last, count = unpack('>I6I4', log, #log - 9)
		local share = window / 16

		if allowed > 16 and last - last % share == now - now % share then
			rest, n = log:sub(firsts[i], -11), count + 1
		else
			rest = log:sub(firsts[i])
		end
	end
	redis.call('SET', KEYS[i], pack('>I4', totals[i] + 1) .. rest .. pack('>I6I4', now, n),
	    'PX', window)
end
return { tightest, left - 1, wait }
