-- Sends the request whose octets are in a file, and gives the figures of the run as one line of JSON.
-- Arguments: the file; how many requests one write holds; what repeats from request to request: "same" for every
-- octet, "targets" for the fields only, "fields" for nothing.

-- wrk calls init once, then wrk.format once for a script without a request function.
function init(arguments)
   local file = assert(io.open(arguments[1], "rb"))
   local octets = file:read("*a")
   file:close()
   local pipelined = tonumber(arguments[2])
   if arguments[3] == "same" then
      local all = octets:rep(pipelined)
      wrk.format = function() return all end
      return
   end
   local number = 0
   local fields = arguments[3] == "fields"
   local body_at = octets:find("\r\n\r\n", 1, true) + 4
   local mark = octets:sub(1, octets:find("\r", 1, true)):find("?", 1, true) and "&" or "?"
   local head, body = octets:sub(1, body_at - 1), octets:sub(body_at)
   local function changing()
      number = number + 1
      local changed = head:gsub(" HTTP/1.1", mark .. "n=" .. number .. " HTTP/1.1", 1)
      if fields then
         changed = changed:gsub("theme=light", "theme=" .. number, 1)
      end
      return changed .. body
   end
   request = function()
      local all = {}
      for index = 1, pipelined do
         all[index] = changing()
      end
      return table.concat(all)
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '\nFIGURES {"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "p999_us": %d, ' ..
      '"errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
      summary.requests, summary.duration / 1e6,
      latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
      errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
