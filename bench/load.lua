-- Distinct updates for wrk: arguments are the secret, the first update_id and the file with an update's text around %d.
-- The last line on stdout is one JSON object.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  local file = assert(io.open(args[3]))
  template = file:read("*a")
  file:close()
  headers = { ["Content-Type"] = "application/json", ["X-Telegram-Bot-Api-Secret-Token"] = args[1] }
  -- wrk asks thread 0 for one request that it never sends, to see whether they can be pipelined.
  made = number == 0 and -1 or 0
  following = tonumber(args[2]) + number * 100000000
end

function request()
  made = made + 1
  following = following + 1
  return wrk.format("POST", nil, headers, string.format(template, following))
end

function done(summary, latency, requests)
  local written = 0
  for _, thread in ipairs(threads) do
    written = written + thread:get("made")
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"answered": %d, "written": %d, "seconds": %.6f, "p50": %.6f, "p99": %.6f, "refused": %d, "broken": %d}\n',
    summary.requests, written, summary.duration / 1e6, latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
