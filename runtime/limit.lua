-- Takes one of each limit, or nothing where one of them has none left.
--
-- KEYS      a limit each
-- ARGV      for each: how many, in how many milliseconds
-- answer    which limit is the tightest (from 1), what is left of it after
--           this one, or -1 for a refusal, and the milliseconds until it has
--           one more
--
-- A sliding window: a key holds when its requests were, as pairs of a time (6
-- bytes) and a number (4 bytes), oldest first.  Limits of more than 16 share a
-- pair among the requests of a sixteenth of the window, under the time of the
-- last, so no window ever sees more than is allowed, and one that is waited for
-- comes at most a sixteenth late.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local logs, lasts, counts = {}, {}, {}
local tightest, left, wait = 0, math.huge, 0

for i = 1, #KEYS do
	local allowed, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
	local log = redis.call('GET', KEYS[i]) or ''
	local first, used, at, n = 1, 0, 0, 0

	for pair = 1, #log, 10 do
		at, n = struct.unpack('>I6I4', log, pair)
		if at + window <= now then
			first = pair + 10
		else
			used = used + n
		end
	end
	if first > 1 then
		log = log:sub(first)
	end
	logs[i], lasts[i], counts[i] = log, at, n

	-- How long until one more than now may come: so many have to go.
	local more, gone, until_more = allowed - used, 0, window
	for pair = 1, #log, 10 do
		at, n = struct.unpack('>I6I4', log, pair)
		gone = gone + n
		if more + gone > 0 then
			until_more = at + window - now
			break
		end
	end
	if more < 1 and (left > 0 or until_more > wait) or more >= 1 and more < left then
		tightest, left, wait = i, more, until_more
	end
end

if left < 1 then
	return { tightest, -1, wait }
end
for i = 1, #KEYS do
	local allowed, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
	local log, n, last = logs[i], 1, lasts[i]

	if allowed > 16 and #log > 0 and last - last % (window / 16) == now - now % (window / 16) then
		log, n = log:sub(1, -11), counts[i] + 1
	end
	redis.call('SET', KEYS[i], log .. struct.pack('>I6I4', now, n), 'PX', window)
end
return { tightest, left - 1, wait }
