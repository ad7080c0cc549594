-- A browser's GET and the figures of the run as one line of JSON. The argument says what repeats from request to request:
-- "same" for every octet, "targets" for the fields only, "fields" for nothing.

local browser = table.concat({
   "GET / HTTP/1.1",
   "Host: 127.0.0.1:8080",
   "Connection: keep-alive",
   "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
   "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
   "Accept-Language: en-US,en;q=0.5",
   "Accept-Encoding: gzip, deflate, br, zstd",
   "Referer: http://127.0.0.1:8080/messages?page=2",
   "Cookie: session=8f2c1d0a4b7e4f6f9d1c2b3a4e5f6071; theme=light",
   "", "",
}, "\r\n")

-- wrk calls init once, then wrk.format once for a script without a request function.
function init(arguments)
   if arguments[1] == "same" then
      wrk.format = function() return browser end
      return
   end
   local number = 0
   local fields = arguments[1] == "fields"
   request = function()
      number = number + 1
      local changed = browser:gsub("GET /", "GET /?n=" .. number, 1)
      return fields and changed:gsub("theme=light", "theme=" .. number, 1) or changed
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '\nFIGURES {"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, ' ..
      '"errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
      errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
