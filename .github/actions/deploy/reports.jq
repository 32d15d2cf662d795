# What a runner is told of the reports, all of them in one array, and of $progress, what the VM said besides.
# $show is proven, annotations or summary; $code is the exit code. Nothing in a report is trusted, its types neither.

# As text, of at most $n characters, without control characters but line ends, nor those that turn the text round.
def text($n):
  def hidden: (. < 32 and . != 10) or (. > 126 and . < 160) or (. > 8231 and . < 8239) or (. > 8292 and . < 8298);
  tostring | .[:$n] | explode | map(if hidden then 63 else . end) | implode;
def at($path): try getpath($path) catch null;

# For a workflow command.
def data: gsub("%"; "%25") | gsub("\r"; "%0D") | gsub("\n"; "%0A");
def property: data | gsub(":"; "%3A") | gsub(","; "%2C");
def command($kind; $title): "::\($kind) title=\($title | text(100) | property)::\(text(1000) | data)";

# For the summary: Markdown is not looked for inside of an HTML block, which a blank line ends.
def cell: text(300) | gsub("\\s+"; " ") | "<code>\(@html)</code>";
def block: "\n<pre>\(.[-20000:] | @html)</pre>\n";

def last_words: $progress | split("\n") | map(select(. != "")) | .[-10:] | join("\n");
def failed: map(select(at(["ok"]) != true));
def title: "\(at(["step"])) (exit \(at(["error", "code"])))";

# Whether a report says that what was asked for is so.
def proven:
  def ok($step): .step == $step and .ok == true;
  def asked: at(["image"]) | tostring | endswith("@" + $digest);
  if $request == "status" then any(.[]; ok("probe-health"))
  elif $request == "rollback" then any(.[]; ok("promote"))
  else any(.[]; ok("promote") and asked) end;

# Where no report tells of the failure, the VM's last words do.
def unreported:
  if $code == "0" or (failed | length) > 0 then empty
  elif $code == "255" then "ssh failed, or was cut off:\n" + last_words
  else "exit code \($code) without a report of a failure:\n" + last_words end;

def annotations:
  (if $code == "0" then "warning" else "error" end) as $kind
  | (failed[:10][]
      | title as $title
      | "\(at(["error", "message"]))\n\(at(["error", "hint"]))" | command($kind; $title)),
    (unreported | command("error"; "\($request) (exit \($code))"));

def details:
  if at(["step"]) == "promote" and at(["swap"]) != null then
    "bridge \(at(["swap", "bridge"])), \(at(["swap", "failed"])) of \(at(["swap", "probes"])) requests failed, "
    + "longest gap \(at(["swap", "longest_gap_ms"])) ms"
  else at(["image"]) // "" end;
def row:
  (if at(["ok"]) == true then "ok" else "exit \(at(["error", "code"])): \(at(["error", "message"]))" end) as $result
  | "<tr><td>\(at(["step"]) | cell)</td><td>\($result | cell)</td>"
    + "<td>\("\(at(["took_ms"])) ms" | cell)</td><td>\(details | cell)</td></tr>";
def evidence:
  "<p>\(title | cell): \(at(["error", "hint"]) | cell)</p>",
  (at(["log"]) | arrays | .[-50:] | map(text(300)) | join("\n") | block);

def summary:
  "<h3>\($request): \(if $code == "0" then "done" else "failed, exit code \($code)" end)</h3>\n",
  (if length > 0 then
    "<table><tr><th>step</th><th>result</th><th>took</th><th></th></tr>", (.[:20][] | row), "</table>\n"
  else empty end),
  (failed[:10][] | evidence),
  (unreported | text(20000) | block);

if $show == "proven" then proven elif $show == "annotations" then annotations else summary end
