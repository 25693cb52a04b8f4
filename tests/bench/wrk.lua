-- wrk -s wrk.lua URL -- METHOD PATH [HEADER=VALUE...] [body=TEMPLATE]
-- wrk -s wrk.lua URL -- METHOD PATH [HEADER=VALUE...] signed=FILE
--
-- The lines of FILE are a signature, a tab and a body; each is sent once, and
-- when there is none left, the last one.  In PATH and the body, %{n} is a number of its own for every request and
-- %{a,b,c} one of the list.  The last line it prints is what it counted, as
-- JSON.

local method, path, body, changing, fixed, signed
local headers = {}
local counter = math.floor(os.time() % 100000) * 1000000

local function split(list)
	local parts = {}
	for part in list:gmatch("[^,]+") do parts[#parts + 1] = part end
	return parts
end

local function fill(template)
	return (template:gsub("%%{(.-)}", function(what)
		counter = counter + 1
		if what == "n" then return counter end
		local parts = split(what)
		return parts[counter % #parts + 1]
	end))
end

function init(args)
	method, path = args[1], args[2]
	for i = 3, #args do
		local name, value = args[i]:match("^([^=]+)=(.*)$")
		if name == "body" then body = value
		elseif name == "signed" then signed = io.lines(value)
		else headers[name] = value end
	end
	changing = path:find("%%{") ~= nil or (body ~= nil and body:find("%%{") ~= nil)
	fixed = wrk.format(method, path, headers, body)
end

local function next_signed()
	local line = signed()
	if line then
		headers["Stripe-Signature"], body = line:match("^([^\t]*)\t(.*)$")
		fixed = wrk.format(method, path, headers, body)
	else
		signed = function() end
	end
	return fixed
end

function request()
	if signed then return next_signed() end
	if not changing then return fixed end
	return wrk.format(method, fill(path), headers, body and fill(body))
end

function done(summary, latency)
	local e = summary.errors
	print(string.format('{"requests":%d,"us":%d,"refused":%d,"broken":%d,"p50":%d,"p99":%d}',
	    summary.requests, summary.duration, e.status,
	    e.connect + e.read + e.write + e.timeout,
	    latency:percentile(50), latency:percentile(99)))
end
