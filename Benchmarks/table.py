#!/usr/bin/env python3
"""The Markdown table of RESULTS.md from compare.py's --json files: medians, and ratios to mosquitto.

    Benchmarks/table.py run1.json [run2.json …]
"""
import json, statistics, sys

FIGURES = [("delivered_per_cpu_s", 1), ("connects_per_cpu_s", 1), ("filters_per_cpu_s", 1), ("set_per_cpu_s", 1),
           ("p50_us", 0), ("p99_us", 0), ("broker_cpu_s", 0), ("rss_bytes_per_conn", 0), ("rss_bytes_per_filter", 0),
           ("rss_bytes_per_msg", 0)]
SHOWN = {"latency": ("p50_us", "p99_us", "broker_cpu_s"), "throughput": ("delivered_per_cpu_s",),
         "connections": ("connects_per_cpu_s", "rss_bytes_per_conn"),
         "subs": ("filters_per_cpu_s", "delivered_per_cpu_s", "rss_bytes_per_filter"),
         "retained": ("set_per_cpu_s", "rss_bytes_per_msg")}


def short(x):
    if x is None: return "–"
    if x >= 1e6: return f"{x / 1e6:.2f}M"
    if x >= 1e4: return f"{x / 1e3:.0f}k"
    if x >= 1e3: return f"{x / 1e3:.1f}k"
    return f"{x:.3g}"


def main():
    runs = {}
    for path in sys.argv[1:]:
        for entry in json.load(open(path)):
            runs.setdefault(entry["scenario"], {})[entry["broker"]] = entry["runs"]
    print("| scenario | figure | martlet | mosquitto | prototype | martlet / mosquitto |")
    print("|---|---|---|---|---|---|")
    for scenario, brokers in runs.items():
        kind = next((r["cmd"] for r in brokers["martlet"] if "cmd" in r), None)
        for figure, _ in FIGURES:
            if figure not in SHOWN.get(kind, ()):
                continue
            median = {}
            for name, results in brokers.items():
                values = [r[figure] for r in results if isinstance(r.get(figure), (int, float))]
                median[name] = statistics.median(values) if values else None
            ours, theirs = median.get("martlet"), median.get("mosquitto")
            ratio = f"{ours / theirs:.2f}" if ours is not None and theirs else "–"
            print(f"| {scenario} | {figure} | {short(ours)} | {short(theirs)} | {short(median.get('prototype'))} | {ratio} |")
    wrong = [(s, f, r[f]) for s, b in runs.items() for r in b["martlet"] for f in ("lost", "dups", "reordered", "missing")
             if r.get(f)]
    print(f"\nlost, dups, reordered, missing in Martlet's runs: {wrong or 'all 0'}")


if __name__ == "__main__":
    main()
