#!/usr/bin/python3 -IS
"""Stand-in for nvidia-smi on a simulated node: what the other monitors of bench/peers.py ask it for, read from NVML.

nvidia-smi              a line per GPU; CodeCarbon asks for --help to see whether there is the program
nvidia-smi -q -x        those elements of the real output that AIPowerMeter reads
nvidia-smi pmon -c 1    the real table; the simulated node has no processes on its GPUs

-IS and few imports: it should cost about what the real program does, which counts for the monitor that starts it.
"""
import ctypes
import sys


class Memory(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class Utilization(ctypes.Structure):
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


def ask(function, *arguments):
    code = getattr(NVML, function)(*arguments)
    if code:
        sys.exit(f"NVIDIA-SMI has failed: {function} returned {code}")


def of_device(function, device, *results):
    ask(function, device, *map(ctypes.byref, results))
    return results if len(results) > 1 else results[0]


def watts(milliwatts):
    return f"{milliwatts.value / 1000:.2f} W"


def name_of(device):
    name = ctypes.create_string_buffer(96)
    ask("nvmlDeviceGetName", device, name, len(name))
    return name.value.decode()


def query(device):
    memory = of_device("nvmlDeviceGetMemoryInfo", device, Memory())
    use = of_device("nvmlDeviceGetUtilizationRates", device, Utilization())
    power = of_device("nvmlDeviceGetPowerUsage", device, ctypes.c_uint())
    least, most = of_device("nvmlDeviceGetPowerManagementLimitConstraints", device, ctypes.c_uint(), ctypes.c_uint())
    size = {part: f"{getattr(memory, part) // 2**20} MiB" for part in ("total", "used", "free")}
    return f"""\t<gpu>
\t\t<product_name>{name_of(device)}</product_name>
\t\t<fb_memory_usage>
\t\t\t<total>{size['total']}</total>
\t\t\t<used>{size['used']}</used>
\t\t\t<free>{size['free']}</free>
\t\t</fb_memory_usage>
\t\t<utilization>
\t\t\t<gpu_util>{use.gpu} %</gpu_util>
\t\t\t<memory_util>{use.memory} %</memory_util>
\t\t</utilization>
\t\t<power_readings>
\t\t\t<power_draw>{watts(power)}</power_draw>
\t\t\t<min_power_limit>{watts(least)}</min_power_limit>
\t\t\t<max_power_limit>{watts(most)}</max_power_limit>
\t\t</power_readings>
\t\t<processes>
\t\t</processes>
\t</gpu>"""


def devices():
    count = ctypes.c_uint()
    ask("nvmlDeviceGetCount_v2", ctypes.byref(count))
    for index in range(count.value):
        handle = ctypes.c_void_p()
        ask("nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(handle))
        yield index, handle


def main(arguments):
    ask("nvmlInit_v2")
    if arguments == ["-q", "-x"]:
        print("<nvidia_smi_log>", *(query(device) for _, device in devices()), "</nvidia_smi_log>", sep="\n")
    elif arguments[:1] == ["pmon"]:
        print("# gpu         pid   type     sm    mem    enc    dec    command")
        print("# Idx           #    C/G      %      %      %      %    name")
        for index, _ in devices():
            print(f"    {index}          -     -      -      -      -      -    -")
    elif arguments in ([], ["--help"]):
        for index, device in devices():
            print(f"GPU {index}: {name_of(device)}")
    else:
        sys.exit(f"not simulated: nvidia-smi {' '.join(arguments)}")


NVML = ctypes.CDLL("libnvidia-ml.so.1")
main(sys.argv[1:])
