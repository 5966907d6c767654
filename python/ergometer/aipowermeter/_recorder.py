"""The process beside the program: a Monitor and /proc, one record per period, until its stdin is closed."""

from __future__ import annotations

import os
import select
import sys
import time
from dataclasses import replace
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

from .._monitor import Monitor
from .._results import Channel, Energy
from .parsers import JsonParser

_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    folder, period, *pids = sys.argv[1:]
    import signal

    # Ctrl-C is for the program: its end closes our stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Monitor(period=min(0.1, float(period)), synchronize=False) as monitor:
        _Recording(JsonParser(folder), monitor, float(period), [int(pid) for pid in pids]).run()


class _Recording:
    def __init__(self, parser: JsonParser, monitor: Monitor, period: float, roots: List[int]):
        self.parser = parser
        self.monitor = monitor
        self.period = period
        self.roots = roots
        self.cpu_seconds: Dict[int, float] = {}
        self.machine_seconds = 0.0

    def run(self) -> None:
        self._answer()
        key = self.monitor.begin("record")
        self.cpu_seconds, self.machine_seconds = self._usage()
        due = time.monotonic()
        stopped = False
        while not stopped:
            due = max(due + self.period, time.monotonic())
            stopped = self._wait(due)
            # The next record begins before this one is written: no joule falls between them.
            following = self.monitor.begin("record")
            self._record(self.monitor.end(key))
            key = following
        self.parser.end_segment()

    def _answer(self) -> None:
        key = self.monitor.begin("probe")
        time.sleep(0.05)
        found = self.monitor.end(key)
        if any(_part(channel) for channel in found.channels):
            print("ready", flush=True)
        else:
            print("no CPU or GPU power can be measured here, and AIPowerMeter's format has no place for estimates: records "
                  "hold no powers (ergo sensors tells what can be unlocked)", flush=True)

    def _wait(self, due: float) -> bool:
        """True when the program has stopped the recording, or has ended."""
        pipe = sys.stdin.fileno()
        while (left := due - time.monotonic()) > 0:
            if select.select([pipe], [], [], left)[0] and not os.read(pipe, 4096):
                return True
        return bool(select.select([pipe], [], [], 0)[0]) and not os.read(pipe, 4096)

    def _usage(self) -> Tuple[Dict[int, float], float]:
        return _cpu_seconds(_tree(self.roots)), _machine_seconds()

    def _record(self, energy: Energy) -> None:
        self.monitor.results.clear()
        metrics: Dict[str, Any] = {"temperature": {}, "cpu": self._cpu(energy)}
        gpu = _gpu(energy)
        if gpu:
            gpu.update(self._gpu_use(energy, gpu["per_gpu_nvidia_power"]))
        if gpu:
            metrics["gpu"] = gpu
        self.parser.save_power_metrics(metrics)

    def _gpu_use(self, energy: Energy, boards: Iterable[str]) -> Dict[str, Any]:
        """Use (%) and memory (bytes): means over the interval's readings. AIPowerMeter's reader wants all keys, and takes None
        and boards that are left out for unknown."""
        units = self.monitor.signals()
        found: Dict[str, Dict[str, float]] = {"use_rate": {}, "memory": {}}
        for board in boards:
            for key, signal in (("use_rate", f"gpu{board}.sm_utilization"), ("memory", f"gpu{board}.memory_used")):
                readings = self._readings(signal, energy) if signal in units else []
                if readings:
                    scale = 1e6 if units[signal] == "MB" else 1.0
                    found[key][board] = scale * sum(r["value"] for r in readings) / len(readings)
        use, memory = found["use_rate"], found["memory"]
        known = {key: set(values) == set(boards) for key, values in found.items()}
        return {
            "nvidia_memory": sum(memory.values()) if known["memory"] else None,
            "per_gpu_nvidia_use_rate": use,
            "per_gpu_nvidia_memory": memory,
            "nvidia_use_rate": sum(use.values()) / len(use) if known["use_rate"] else None,
        }

    def _readings(self, signal: str, energy: Energy) -> List[Dict[str, Any]]:
        """Those within the interval. Some are taken once a second only: then the last one before its end."""
        readings = self.monitor.samples(signal, energy)
        if readings or energy.begin_ns is None:
            return readings
        return self.monitor.samples(signal, replace(energy, begin_ns=energy.begin_ns - 2_500_000_000))[-1:]

    def _cpu(self, energy: Energy) -> Dict[str, Any]:
        before, machine_before = self.cpu_seconds, self.machine_seconds
        now, machine_now = self._usage()
        self.cpu_seconds, self.machine_seconds = now, machine_now
        own = {pid: max(0.0, seconds - before.get(pid, 0.0)) for pid, seconds in now.items()}
        machine = machine_now - machine_before
        share = {pid: min(1.0, seconds / machine) if machine > 0 else 0.0 for pid, seconds in own.items()}
        memory = {pid: value for pid in now if (value := _memory(pid))}
        total_used = _memory_used()
        cpu: Dict[str, Any] = {
            "per_process_cpu_uses": share,
            "absolute_cpu_time_per_pid": own,
            "per_process_mem_use_abs": {pid: value["pss"] for pid, value in memory.items()},
            "total_mem_use": total_used,
            "per_process_mem_use_uss": {pid: value["uss"] for pid, value in memory.items()},
        }
        if total_used > 0:
            cpu["per_process_mem_use_percent"] = {pid: value["pss"] / total_used for pid, value in memory.items()}
        package = _watts(energy, "package")
        core = _watts(energy, "core")
        psys = _watts(energy, "psys")
        if package is not None:
            cpu["intel_power"] = package
            cpu["rel_intel_power"] = {pid: part * package for pid, part in share.items()}
        # The format's own word for "there is none".
        cpu["psys_power"] = -1 if psys is None else psys
        for key, part in (("total_dram_power", "dram"), ("uncore_power", "uncore")):
            watts = _watts(energy, part)
            if watts is not None:
                cpu[key] = watts
        if core is not None:
            cpu["total_cpu_power"] = core
            cpu["per_process_cpu_power"] = {pid: part * core for pid, part in share.items()}
        return cpu


def _part(channel: Channel) -> Optional[str]:
    """The part of the machine that the format has a place for."""
    if channel.provenance == "estimated":
        return None
    kind = channel.channel.rstrip("0123456789")
    if channel.in_total:
        return {"gpu": "gpu", "cpu": "package", "dram": "dram"}.get(kind)
    return kind if kind in ("core", "uncore", "psys") else None


def _watts(energy: Energy, part: str) -> Optional[float]:
    values = [channel.mean_w for channel in energy.channels if _part(channel) == part]
    return sum(values) if values else None


def _gpu(energy: Energy) -> Dict[str, Any]:
    watts = {c.channel[3:]: c.mean_w for c in energy.channels if _part(c) == "gpu"}
    return {"nvidia_power": sum(watts.values()), "per_gpu_nvidia_power": watts} if watts else {}


def _tree(roots: Iterable[int]) -> Set[int]:
    """The roots and their descendants, without this process."""
    children: Dict[int, List[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = _stat(int(name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(name))
    found: Set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid != os.getpid() and pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, []))
    return found


def _stat(pid: int) -> Optional[List[str]]:
    """Fields of /proc/PID/stat from the state on (proc(5), field 3)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def _cpu_seconds(pids: Iterable[int]) -> Dict[int, float]:
    found = {}
    for pid in pids:
        fields = _stat(pid)
        if fields:
            found[pid] = (int(fields[11]) + int(fields[12])) / _TICKS
    return found


def _machine_seconds() -> float:
    """User and system time of all CPUs, as AIPowerMeter's shares are of."""
    with open("/proc/stat", encoding="ascii") as file:
        user, _, system = file.readline().split()[1:4]
    return (int(user) + int(system)) / _TICKS


def _memory(pid: int) -> Optional[Dict[str, int]]:
    """Bytes: proportional (PSS) and private (USS)."""
    sizes: Dict[str, int] = {}
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii", errors="replace") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if rest.endswith("kB\n"):
                    sizes[name] = int(rest.split()[0]) * 1024
        return {"pss": sizes["Pss"], "uss": sizes["Private_Clean"] + sizes["Private_Dirty"]}
    except (OSError, KeyError, ValueError):
        return None


def _memory_used() -> int:
    sizes = {}
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            name, _, rest = line.partition(":")
            sizes[name] = int(rest.split()[0]) * 1024
    return sizes["MemTotal"] - sizes["MemAvailable"]
