-- One tools/call, as pace.c sends it; TOKEN is the bearer token.
wrk.method = 'POST'
wrk.body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search_documents","arguments":{"query":"quarterly revenue by region and product line, last four quarters","limit":10,"cursor":null,"filters":{"lang":"en","type":["pdf","html"]}},"_meta":{"progressToken":"a1b2c3d4-0001-4a5b-8c9d-001122334455"}}}'
wrk.headers['Content-Type'] = 'application/json'
wrk.headers['Accept'] = 'application/json, text/event-stream'
wrk.headers['MCP-Protocol-Version'] = '2025-06-18'
wrk.headers['User-Agent'] = 'bench/1.0'
wrk.headers['Authorization'] = 'Bearer ' .. os.getenv('TOKEN')

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"count":%d,"seconds":%.4f,"p50":%.1f,"p99":%.1f,"bad":%d}\n', summary.requests, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99), errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
