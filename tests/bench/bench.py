#!/usr/bin/env python3
"""Interleaved benchmark of proxies that do the same job, on loopback only. Start it by tests/bench/run.

    check    does each proxy do its duties? (200, 401, 403, bearer injected, key stripped)
    cpu      CPU us, instructions and context switches per request, throughput of one core
    latency  p50/p99/p999 beside going direct, at a fixed rate, without coordinated omission
    memory   PSS idle, with idle keep-alive connections, after load

How it measures
  * All proxies run at once. Each slice of a peer (--seconds) runs right beside a slice of the base peer (base A, A base,
    base B, ...), and a ratio is the median, over the rounds, of the ratios within such pairs, with its quartiles: this is the
    figure that holds on a noisy machine. "least" is the quietest slice, the nearest to an idle machine.
  * CPU is the run time of every thread of every process in the proxy's session (/proc/*/task/*/schedstat, in ns), taken before
    and after a run with an exact number of requests, and divided by it.
  * Instructions come from `perf stat -p`, in runs of their own: counting slows context switches.
  * The proxies are pinned to --proxy-cpus, upstream and load tools to --load-cpus.
  * One benchmark at a time on a machine (a lock), and no port that answers already is used.
  * Every run is bounded in requests and in time, and only processes started here are ended, by their group.
A proxy that cannot start or does not answer 2xx is named on standard error and left out.
"""
import argparse, fcntl, hashlib, json, os, re, resource, shutil, signal, socket, statistics, subprocess, sys, time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BENCH = Path(os.environ.get("BENCH_DIR", ROOT / "target/bench"))
CHECKED, UNCHECKED = 9443, 9444  # the upstream that polices the duties, and the one that latency goes to directly
KEYS = [f"bench-key-{i:022d}" for i in range(100)]  # 32 characters, the fewest that a key may have
HEADERS = ["X-Api-Key: " + KEYS[1], "Accept: application/json", "Accept-Language: en", "X-Correlation-Id: 0123456789abcdef"]
PATHS = {"200B": "/v2/organizations", "20KB": "/v2/devices?pageSize=40&after=0", "2MB": "/v2/queries/software"}


# ---------------------------------------------------------------- processes

PRIORITY = False  # --priority: the benchmark's own programs ahead of the machine's other work


def prioritise():
    if PRIORITY:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(5))


class Proc:
    """A program in a session of its own, pinned to some CPUs, ended by its process group."""

    def __init__(self, name, cmd, cpus, cwd, log):
        self.name, self.cpus = name, cpus

        def prepare():
            os.sched_setaffinity(0, cpus)
            prioritise()
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
            except (ValueError, PermissionError):
                pass
        self.p = subprocess.Popen([str(c) for c in cmd], cwd=cwd, stdin=subprocess.DEVNULL, stdout=open(log, "ab"),
                                  stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=prepare)

    def pids(self):
        found = []
        for d in os.listdir("/proc"):
            if d.isdigit():
                try:
                    stat = Path(f"/proc/{d}/stat").read_text()
                except OSError:
                    continue
                if int(stat.rsplit(")", 1)[1].split()[3]) == self.p.pid:
                    found.append(int(d))
        return found

    def cpu_ns(self):
        total = 0
        for pid in self.pids():
            for t in os.listdir(f"/proc/{pid}/task"):
                try:
                    total += int(Path(f"/proc/{pid}/task/{t}/schedstat").read_text().split()[0])
                except OSError:
                    pass
        return total

    def switches(self):
        total = 0
        for pid in self.pids():
            for t in os.listdir(f"/proc/{pid}/task"):
                try:
                    s = Path(f"/proc/{pid}/task/{t}/status").read_text()
                except OSError:
                    continue
                total += sum(int(x) for x in re.findall(r"ctxt_switches:\s+(\d+)", s))
        return total

    def memory_kb(self):
        """(PSS, RSS) summed over the processes: PSS counts a page shared by n workers once, not n times."""
        pss = rss = 0
        for pid in self.pids():
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            pss += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
            rss += int(re.search(r"^Rss:\s+(\d+)", text, re.M)[1])
        return pss, rss

    def stop(self):
        if self.p.poll() is None:
            os.killpg(self.p.pid, signal.SIGTERM)
            try:
                self.p.wait(3)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.p.wait()


def free_port(port):
    """A port that answers already belongs to someone else; with SO_REUSEPORT we would share it unnoticed."""
    with socket.socket() as s:
        if s.connect_ex(("127.0.0.1", port)) == 0:
            raise RuntimeError(f"port {port} is in use")


def wait_port(port, proc, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if proc.p.poll() is not None:
            raise RuntimeError(f"{proc.name} ended with {proc.p.returncode}")
        with socket.socket() as s:
            s.settimeout(0.5)
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{proc.name} does not listen on {port}")


class Peer:
    """A proxy: its port, how its folder is filled, and its command."""

    def __init__(self, name, port, a):
        self.name, self.port, self.a, self.proc = name, port, a, None
        self.run = BENCH / "run" / name

    def start(self):
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir(parents=True)
        self.run.chmod(0o777)  # nginx's workers leave root
        command = {"nginx": self.nginx, "haproxy": self.haproxy, "ninjaone-proxy": self.ninjaone_proxy}[self.name]()
        free_port(self.port)
        self.proc = Proc(self.name, command, self.a.proxy_cpus, self.run, self.run / "out.log")
        wait_port(self.port, self.proc)

    def stop(self):
        if self.proc:
            self.proc.stop()
            self.proc = None

    def template(self, name):
        values = {"PORT": self.port, "ADMIN_PORT": self.port + 1000, "RUN": self.run, "UPSTREAM": f"127.0.0.1:{CHECKED}", "CA": BENCH / "certs/ca.pem", "WORKERS": self.a.workers}
        text = re.sub(r"\$\{(\w+)\}", lambda m: str(values[m[1]]), (HERE / "configs" / f"{name}.in").read_text())
        (self.run / name).write_text(text)
        return self.run / name

    def nginx(self):
        (self.run / "keys.map").write_text("".join(f'"{k}" "caller-{i}";\n' for i, k in enumerate(KEYS)))
        return ["nginx", "-p", self.run, "-c", self.template("nginx.conf")]

    def haproxy(self):
        (self.run / "keys.hap").write_text("".join(f"{k} caller-{i}\n" for i, k in enumerate(KEYS)))
        return ["haproxy", "-db", "-f", self.template("haproxy.cfg")]

    def ninjaone_proxy(self):
        if not self.a.binary.is_file():
            raise RuntimeError(f"{self.a.binary} is not built")
        callers = self.run / "callers.d"
        callers.mkdir()
        for i, key in enumerate(KEYS):
            sha = hashlib.sha256(key.encode()).hexdigest()
            (callers / f"caller-{i}.toml").write_text(
                f'[caller.caller-{i}]\nkey = "sha256:{sha}"\nallow = ["read"]\n'
                'limit = { rate = "1000000/s", burst = 100000, concurrency = 10000 }\n')
        secret = self.run / "bench.secret"
        secret.touch(mode=0o600)
        secret.write_text("bench-client-secret")
        return [self.a.binary, "run", "--config", self.template("ninjaone-proxy.toml")]


# ---------------------------------------------------------------- load

def on_cpus(cpus):
    return ["taskset", "-c", ",".join(map(str, sorted(cpus)))]


def closed(a, url, n, conns, headers=HEADERS):
    """n requests over `conns` keep-alive connections; (requests that got 2xx, seconds)."""
    cmd = on_cpus(a.load_cpus) + ["h2load", "--h1", "-t1", "-m1", f"-n{n}", f"-c{min(conns, n)}"]
    for h in headers:
        cmd += ["-H", h]
    out = subprocess.run(cmd + [url], capture_output=True, text=True, timeout=120).stdout
    ok = re.search(r"status codes: (\d+) 2xx", out)
    secs = re.search(r"finished in ([\d.]+)(us|ms|s|m)", out)
    if not ok or not secs:
        raise RuntimeError(out[-400:])
    unit = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60}[secs[2]]
    return int(ok[1]), float(secs[1]) * unit


def load_tool(a, args, timeout=280):
    cmd = on_cpus(a.load_cpus) + [BENCH / "bin/load", *args]
    r = subprocess.run([str(c) for c in cmd], capture_output=True, text=True, timeout=timeout, preexec_fn=prioritise)
    if r.returncode:
        raise RuntimeError(r.stderr[-400:])
    return [json.loads(line) for line in r.stdout.splitlines() if line.startswith("{")]


def header_args(headers, flag="-H"):
    return [x for h in headers for x in (flag, h)]


def status_of(port, path, headers, method="GET"):
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
        s.sendall("\r\n".join(lines).encode())
        return int(s.recv(4096).split(b" ", 2)[1])


def start_upstreams(a):
    base = [BENCH / "bin/upstream", "--delay-ms", str(a.delay_ms), "--alpn", a.upstream_alpn,
            "--cert", BENCH / "certs/srv.pem", "--key", BENCH / "certs/srv.key"]
    run = BENCH / "run"
    run.mkdir(exist_ok=True)
    up = []
    try:
        for port, extra in ((CHECKED, []), (UNCHECKED, ["--no-check"])):
            free_port(port)
            up.append(Proc(f"upstream-{port}", base + extra + ["--https", f"127.0.0.1:{port}"], a.load_cpus, run, run / f"upstream-{port}.log"))
            wait_port(port, up[-1])
    except RuntimeError:
        for p in up:
            p.stop()
        raise
    return up


# ---------------------------------------------------------------- figures

def med(xs):
    return statistics.median(xs) if xs else float("nan")


def table(title, head, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "|".join(["---"] + ["---:"] * (len(head) - 1)) + "|")
    for r in rows:
        print("| " + " | ".join(x if isinstance(x, str) else "-" if x != x else f"{x:.3g}" if abs(x) < 100 else f"{x:,.0f}" for x in r) + " |")
    sys.stdout.flush()


def leave_out(peer, why):
    print(f"!! {peer.name} is left out: {why}", file=sys.stderr)
    peer.stop()


def with_peers(a, peers, work):
    """Starts the peers, does the work, ends them."""
    live = []
    try:
        for p in peers:
            try:
                p.start()
                live.append(p)
                got = until_ready(p)
                if got != 200:
                    raise RuntimeError(f"answers {got}; see {p.run}")
            except (RuntimeError, OSError) as e:
                leave_out(p, e)
                if p in live:
                    live.remove(p)
        return work(live)
    finally:
        for p in live:
            p.stop()


def until_ready(p, seconds=10):
    """The status of a good request, once it is 200: a proxy may still be fetching its first token."""
    end = time.time() + seconds
    while True:
        got = status_of(p.port, PATHS["200B"], HEADERS)
        if got == 200 or time.time() > end:
            return got
        time.sleep(0.1)


def do_check(a, peers):
    def work(live):
        rows = []
        for p in live:
            other = [h for h in HEADERS if not h.startswith("X-Api-Key")]
            got = [status_of(p.port, path, HEADERS) for path in PATHS.values()]
            got += [status_of(p.port, PATHS["200B"], other), status_of(p.port, PATHS["200B"], ["X-Api-Key: wrong"]),
                    status_of(p.port, "/admin", HEADERS), status_of(p.port, PATHS["200B"], HEADERS, "DELETE")]
            rows.append([p.name, " ".join(map(str, got)), "yes" if got == [200, 200, 200, 401, 401, 403, 403] else "no"])
        table("check", ["peer", "200B 20KB 2MB nokey badkey badpath badmethod", "all duties"], rows)
        return rows
    rows = with_peers(a, peers, work)
    if any(r[2] == "no" for r in rows):
        sys.exit(1)
    return rows


def perf_start(proc):
    pids = ",".join(map(str, proc.pids()))
    return subprocess.Popen(["perf", "stat", "-x;", "-e", "instructions:u,instructions:k,cycles:u,cycles:k", "-p", pids],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def perf_stop(p):
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=10)
    got = {}
    for line in err.splitlines():
        f = line.split(";")
        if len(f) > 2 and f[0].isdigit():
            got[f[2]] = int(f[0])
    return got


def cpu_slice(a, p, path, n):
    """(CPU us a request, requests/s, context switches a request, requests that got no 2xx)."""
    c0, s0 = p.proc.cpu_ns(), p.proc.switches()
    ok, secs = closed(a, f"http://127.0.0.1:{p.port}{path}", n, a.conns)
    return (p.proc.cpu_ns() - c0) / n / 1e3, n / secs, (p.proc.switches() - s0) / n, n - ok


def fill(a, p, path, seconds):
    """How many requests fill the wanted time; warms up on the way."""
    url, n = f"http://127.0.0.1:{p.port}{path}", 20 if path == PATHS["2MB"] else 300
    for _ in range(2):
        ok, secs = closed(a, url, n, a.conns)
        if ok < n:
            raise RuntimeError(f"{n - ok} of {n} requests for {path} got no 2xx; see {p.run}")
        n = max(20, min(400_000, int(ok / secs * seconds)))
    return n


def cpu_of_body(a, live, body):
    path, size, live = PATHS[body], {}, list(live)
    for p in list(live):
        try:
            size[p.name] = fill(a, p, path, a.seconds)
        except (RuntimeError, subprocess.TimeoutExpired) as e:
            leave_out(p, e)
            live.remove(p)
    runs, ratios = ({p.name: [] for p in live} for _ in range(2))
    base = next((p for p in live if p.name == a.base), None)
    for r in range(a.rounds):
        for p in live[r % len(live):] + live[:r % len(live)]:
            if p is base and len(live) > 1:
                continue
            pair = [q for q in ((p, base) if r % 2 else (base, p)) if q]
            got = {q.name: cpu_slice(a, q, path, size[q.name]) for q in pair}
            for name, one in got.items():
                runs[name].append(one)
            if base:
                ratios[p.name].append([got[p.name][i] / got[base.name][i] for i in (0, 1)])
    out = []
    for p in live:
        iu, ik = instructions(a, p, lambda n: closed(a, f"http://127.0.0.1:{p.port}{path}", n, a.conns), max(20, size[p.name] // 2))
        cpu, rps = sorted(x[0] for x in runs[p.name]), sorted(x[1] for x in runs[p.name])
        vs = sorted(x[0] for x in ratios[p.name]) or [1.0]
        out.append(dict(body=body, peer=p.name, cpu_us=med(cpu), cpu_us_min=cpu[0], cpu_vs_base=med(vs),
                        cpu_vs_base_quartiles=(vs[len(vs) // 4], vs[(3 * len(vs)) // 4]), instr_user=iu, instr_kernel=ik,
                        ctx=med([x[2] for x in runs[p.name]]), rps_max=rps[-1],
                        rps_vs_base=med([x[1] for x in ratios[p.name]] or [1.0]), not_2xx=sum(x[3] for x in runs[p.name])))
    return sorted(out, key=lambda row: row["cpu_vs_base"])


def can_count():
    if not shutil.which("perf"):
        return False
    done = subprocess.run(["perf", "stat", "-x;", "-e", "instructions", "true"], capture_output=True, text=True)
    return done.returncode == 0 and done.stderr.strip()[:1].isdigit()


def instructions(a, p, work, n):
    """Instructions a request in user and kernel mode, in a run of their own."""
    if not a.instructions:
        return float("nan"), float("nan")
    perf = perf_start(p.proc)
    time.sleep(0.3)  # perf says nothing when it has attached
    work(n)
    got = perf_stop(perf)
    return tuple(got.get(f"instructions:{x}", float("nan")) / n for x in "uk")


def do_cpu(a, peers):
    def work(live):
        out = []
        for body in a.bodies:
            rows = cpu_of_body(a, live, body)
            out += rows
            table(f"CPU, {body}, upstream TLS {a.upstream_alpn}, {a.conns} connections, machine load {os.getloadavg()[0]:.1f}",
                  ["peer", "CPU us/req, least", "median", f"vs {a.base}", "quartiles", "k instr user", "k instr kernel", "switches/req",
                   "req/s, most", f"rps vs {a.base}", "not 2xx"],
                  [[r["peer"], r["cpu_us_min"], r["cpu_us"], r["cpu_vs_base"], "{:.2f}-{:.2f}".format(*r["cpu_vs_base_quartiles"]),
                    r["instr_user"] / 1e3, r["instr_kernel"] / 1e3, r["ctx"], r["rps_max"], r["rps_vs_base"], str(r["not_2xx"])] for r in rows])
        return out
    return with_peers(a, peers, work)


def paced(a, targets, requests, warm=3):
    args = [x for name, url in targets for x in ("--target", f"{name}={url}")]
    return load_tool(a, ["paced", *args, "--ca", BENCH / "certs/ca.pem", *header_args(HEADERS), *header_args(HEADERS[1:], "--direct-header"),
                         "--rate", a.rate, "--requests", requests, "--conns", a.paced_conns, "--warm", warm])


def latency_of_body(a, live, body):
    path, got = PATHS[body], {p.name: [] for p in live}
    for r in range(a.rounds):
        for p in live[r % len(live):] + live[:r % len(live)]:
            c0 = p.proc.cpu_ns()
            two = paced(a, [("direct", f"https://127.0.0.1:{UNCHECKED}{path}"), (p.name, f"http://127.0.0.1:{p.port}{path}")], a.requests)
            two[1]["cpu_us"] = (p.proc.cpu_ns() - c0) / two[1]["requests"] / 1e3
            got[p.name].append(two)
    out = []
    for p in live:
        iu, ik = instructions(a, p, lambda n: paced(a, [(p.name, f"http://127.0.0.1:{p.port}{path}")], n, 0), max(100, a.requests // 5))
        rounds = got[p.name]
        row = dict(body=body, peer=p.name, rate=a.rate, instr_user=iu, instr_kernel=ik, cpu_us=med([t[1]["cpu_us"] for t in rounds]),
                   bad=sum(t[1]["requests"] - t[1]["status"].get("200", 0) + t[1]["errors"] for t in rounds),
                   each_round=[dict(direct=t[0], proxy=t[1]) for t in rounds])
        for q in ("p50_us", "p99_us", "p999_us"):
            row["direct_" + q] = med([t[0][q] for t in rounds])
            row["added_" + q] = med([t[1][q] - t[0][q] for t in rounds])
        out.append(row)
    return sorted(out, key=lambda row: row["added_p50_us"])


def do_latency(a, peers):
    def work(live):
        out = []
        for body in [body for body in a.bodies if body != "2MB"]:  # 2 MB at this rate is more than the machine moves
            rows = latency_of_body(a, live, body)
            out += rows
            table(f"latency, {body}, upstream TLS {a.upstream_alpn}, {a.rate} req/s to each, machine load {os.getloadavg()[0]:.1f}",
                  ["peer", "direct p50 us", "added p50", "added p99", "added p999", "CPU us/req", "k instr user", "k instr kernel", "bad"],
                  [[r["peer"], r["direct_p50_us"], r["added_p50_us"], r["added_p99_us"], r["added_p999_us"], r["cpu_us"],
                    r["instr_user"] / 1e3, r["instr_kernel"] / 1e3, str(r["bad"])] for r in rows])
        return out
    return with_peers(a, peers, work)


def held_memory(a, p, n):
    hold = subprocess.Popen([str(c) for c in on_cpus(a.load_cpus) + [BENCH / "bin/load", "hold", "--target", f"x=http://127.0.0.1:{p.port}{PATHS['200B']}",
                             *header_args(HEADERS), "--conns", n, "--seconds", 60]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000)))
    try:
        held = hold.stdout.readline().startswith("held")
        time.sleep(0.5)
        return p.proc.memory_kb()[0] if held else float("nan")
    finally:
        hold.stdin.close()
        hold.wait(70)


def do_memory(a, peers):
    rows = []
    for p in peers:  # one after the other: what a page costs depends on who else maps it
        def work(live):
            if not live:
                return
            time.sleep(1)
            idle, rss = p.proc.memory_kb()
            held = [held_memory(a, p, n) for n in a.idle]
            p.stop()
            p.start()
            until_ready(p)
            n = fill(a, p, PATHS["20KB"], 2)
            closed(a, f"http://127.0.0.1:{p.port}{PATHS['20KB']}", n, a.conns)
            rows.append(dict(peer=p.name, idle_kb=idle, held_kb=dict(zip(a.idle, held)), loaded_kb=p.proc.memory_kb()[0], idle_rss_kb=rss))
        try:
            with_peers(a, [p], work)
        except (RuntimeError, OSError) as e:
            leave_out(p, e)
    rows.sort(key=lambda r: r["idle_kb"])
    last = a.idle[-1]
    table("memory (PSS, MiB)", ["peer", "idle", *[f"{n:,} idle connections" for n in a.idle], "KiB/connection", "after 20 KB load", "idle RSS"],
          [[r["peer"], r["idle_kb"] / 1024, *[kb / 1024 for kb in r["held_kb"].values()], (r["held_kb"][last] - r["idle_kb"]) / last,
            r["loaded_kb"] / 1024, r["idle_rss_kb"] / 1024] for r in rows])
    return rows


def main():
    ap = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("what", nargs="?", choices=["check", "cpu", "latency", "memory"], help="all four, if left out")
    ap.add_argument("--only", default="nginx,haproxy,ninjaone-proxy", help="which proxies")
    ap.add_argument("--base", default="nginx", help="the peer that ratios refer to")
    ap.add_argument("--bodies", default=",".join(PATHS))
    ap.add_argument("--rounds", type=int, default=8)
    ap.add_argument("--seconds", type=float, default=0.4, help="length of a slice")
    ap.add_argument("--conns", type=int, default=64)
    ap.add_argument("--rate", type=int, default=500)
    ap.add_argument("--requests", type=int, default=4000, help="a round of `latency`")
    ap.add_argument("--paced-conns", type=int, default=16)
    ap.add_argument("--idle", default="1000,10000")
    ap.add_argument("--workers", type=int, default=1)
    ap.add_argument("--delay-ms", type=int, default=0, help="how long the upstream thinks")
    ap.add_argument("--upstream-alpn", choices=["h1", "h2"], default="h2", help="h2: it offers HTTP/2 as well, as NinjaOne does")
    ap.add_argument("--proxy-cpus", default="0")
    ap.add_argument("--load-cpus", default="1")
    ap.add_argument("--binary", type=Path, default=BENCH.parent / "release/ninjaone-proxy")
    ap.add_argument("--no-instructions", dest="instructions", action="store_false")
    ap.add_argument("--priority", action="store_true", help="real-time priority in `latency`: tails that are the proxies' and not the "
                    "neighbours'; needs root, and a rate that leaves the machine mostly idle")
    ap.add_argument("--out", help="figures as JSON")
    a = ap.parse_args()
    a.bodies, a.idle = a.bodies.split(","), [int(x) for x in a.idle.split(",")]
    a.proxy_cpus, a.load_cpus = ({int(x) for x in s.split(",")} for s in (a.proxy_cpus, a.load_cpus))
    a.rounds, a.seconds, a.conns, a.rate = min(a.rounds, 50), min(a.seconds, 20), min(a.conns, 5000), min(a.rate, 20000)
    if a.instructions and not can_count():
        print("perf cannot count instructions on this machine: those columns stay empty", file=sys.stderr)
        a.instructions = False
    lock = open(BENCH / "lock", "w")  # two benchmarks at once measure each other
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("another benchmark is running")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the proxies are ended too
    names = ["nginx", "haproxy", "ninjaone-proxy"]
    peers = [Peer(name, 8001 + names.index(name), a) for name in a.only.split(",")]
    tasks = {"check": do_check, "cpu": do_cpu, "latency": do_latency, "memory": do_memory}
    figures = {}
    global PRIORITY
    for what in [a.what] if a.what else tasks:
        PRIORITY = a.priority and what == "latency"
        up = start_upstreams(a)
        try:
            figures[what] = tasks[what](a, peers)
        finally:
            for p in up:
                p.stop()
    if a.out:
        Path(a.out).write_text(json.dumps({"args": {k: str(v) for k, v in vars(a).items()}, "time": time.ctime(), **figures}, indent=1))


if __name__ == "__main__":
    main()
