#!/usr/bin/env python3
"""The disk's own time for one sync: what stands beside a durable latency, and no broker can go below.

    Benchmarks/fsync.py [FOLDER] [--count 2000] [--bytes 8192]

Appends a block to a file in FOLDER (default: the temporary folder, where compare.py and drain.py keep their stores) and
syncs it (fdatasync, as SQLite does for its write-ahead log), so many times. Prints one line of JSON, in milliseconds.
"""
import argparse, json, os, tempfile, time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=tempfile.gettempdir())
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--bytes", type=int, default=8192)
    o = parser.parse_args()
    block, times = os.urandom(o.bytes), []
    with tempfile.TemporaryFile(dir=o.folder, buffering=0) as file:
        for _ in range(o.count):
            file.write(block)
            begin = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begin) * 1e3)
    times.sort()
    print(json.dumps({
        "folder": o.folder, "count": o.count, "p50_ms": round(times[len(times) // 2], 3),
        "p99_ms": round(times[len(times) * 99 // 100], 3), "longest_ms": round(times[-1], 3)}))


if __name__ == "__main__":
    main()
