"""NVIDIA's own Python client, as it comes from PyPI, against the simulated library.

Run by CTest with ERGO_SIM_PROGRAM and ERGO_SIM_NVML set. Exit code 77 means skipped: the client is not installed.
"""

import os
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import pynvml
except ImportError:
    print("skipped: this Python has no nvidia-ml-py (pip install nvidia-ml-py, or set ERGO_TEST_PYTHON)")
    sys.exit(77)


def serve(*arguments):
    """Starts ergo-sim and puts what it says into the environment."""
    command = [os.environ["ERGO_SIM_PROGRAM"], "serve", "--parent-pid", str(os.getpid()), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.strip() == "ready":
            return process
        name, _, value = line.strip().partition("=")
        os.environ[name] = value
    raise RuntimeError("ergo-sim did not become ready")


class NvidiaMlPy(unittest.TestCase):
    def setUp(self):
        self.node = None

    def start(self, *arguments):
        self.node = serve(*arguments)
        pynvml.nvmlInit()

    def tearDown(self):
        if self.node is None:
            return
        pynvml.nvmlShutdown()
        self.node.terminate()
        self.node.wait(10)
        self.node.stdout.close()

    def test_without_a_node_the_driver_is_not_loaded(self):
        os.environ.pop("ERGO_SIM_STATE", None)
        with self.assertRaises(pynvml.NVMLError_DriverNotLoaded):
            pynvml.nvmlInit()

    def test_it_finds_and_describes_the_gpus(self):
        self.start("--gpus", "v100,a100")
        self.assertEqual(pynvml.nvmlSystemGetDriverVersion(), "580.159.04")
        self.assertEqual(pynvml.nvmlDeviceGetCount(), 2)
        first = pynvml.nvmlDeviceGetHandleByIndex(0)
        self.assertEqual(pynvml.nvmlDeviceGetName(first), "Tesla V100-SXM2-16GB")
        self.assertEqual(pynvml.nvmlDeviceGetArchitecture(first), pynvml.NVML_DEVICE_ARCH_VOLTA)
        self.assertEqual(pynvml.nvmlDeviceGetCudaComputeCapability(first), (7, 0))
        uuid = pynvml.nvmlDeviceGetUUID(first)
        self.assertEqual(pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByUUID(uuid)), uuid)
        bus = pynvml.nvmlDeviceGetPciInfo(first).busId
        self.assertEqual(pynvml.nvmlDeviceGetIndex(pynvml.nvmlDeviceGetHandleByPciBusId(bus)), 0)

    def test_it_reads_power_energy_and_activity(self):
        self.start("--gpus", "t4", "--load", "steady", "--gain", "exact")
        gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
        power = pynvml.nvmlDeviceGetPowerUsage(gpu)
        self.assertTrue(60_000 < power <= 70_000, power)
        self.assertGreater(pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu), 0)
        self.assertLessEqual(pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu, 100)
        self.assertEqual(pynvml.nvmlDeviceGetMemoryInfo(gpu).total, 15360 << 20)
        self.assertEqual(pynvml.nvmlDeviceGetMemoryInfo(gpu, version=pynvml.nvmlMemory_v2).total, 15360 << 20)
        self.assertGreater(pynvml.nvmlDeviceGetTemperature(gpu, pynvml.NVML_TEMPERATURE_GPU), 20)
        self.assertGreater(pynvml.nvmlDeviceGetClockInfo(gpu, pynvml.NVML_CLOCK_SM), 0)
        reasons = pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu)
        self.assertTrue(reasons & pynvml.nvmlClocksThrottleReasonSwPowerCap)
        self.assertEqual(pynvml.nvmlDeviceGetComputeRunningProcesses(gpu), [])
        _, samples = pynvml.nvmlDeviceGetSamples(gpu, pynvml.NVML_TOTAL_POWER_SAMPLES, 0)
        self.assertGreater(len(samples), 10)

    def test_the_record_of_power_of_a_hopper_card_has_fifty_values_a_second_and_gives_each_once(self):
        self.start("--gpus", "h200", "--load", "steady")
        gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
        _, samples = pynvml.nvmlDeviceGetSamples(gpu, pynvml.NVML_TOTAL_POWER_SAMPLES, 0)
        self.assertGreater(len(samples), 100)
        stamps = [sample.timeStamp for sample in samples]
        self.assertEqual(stamps, sorted(stamps))
        self.assertAlmostEqual((stamps[-1] - stamps[0]) / (len(stamps) - 1), 20_000, delta=500)
        time.sleep(0.2)
        _, new = pynvml.nvmlDeviceGetSamples(gpu, pynvml.NVML_TOTAL_POWER_SAMPLES, stamps[-1])
        self.assertGreater(new[0].timeStamp, stamps[-1])

    def test_it_reads_fields(self):
        self.start("--gpus", "h200", "--load", "steady")
        gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
        ids = [pynvml.NVML_FI_DEV_POWER_INSTANT, pynvml.NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION, 9999]
        instant, energy, unknown = pynvml.nvmlDeviceGetFieldValues(gpu, ids)
        self.assertEqual(instant.nvmlReturn, pynvml.NVML_SUCCESS)
        self.assertGreater(instant.value.uiVal, 100_000)
        self.assertEqual(energy.nvmlReturn, pynvml.NVML_SUCCESS)
        self.assertNotEqual(unknown.nvmlReturn, pynvml.NVML_SUCCESS)

    def test_it_sets_a_limit(self):
        self.start("--gpus", "v100", "--load", "steady")
        gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
        self.assertEqual(pynvml.nvmlDeviceGetPowerManagementLimitConstraints(gpu), [150_000, 300_000])
        pynvml.nvmlDeviceSetPowerManagementLimit(gpu, 200_000)
        self.assertEqual(pynvml.nvmlDeviceGetPowerManagementLimit(gpu), 200_000)
        self.assertEqual(pynvml.nvmlDeviceGetEnforcedPowerLimit(gpu), 200_000)
        with self.assertRaises(pynvml.NVMLError_InvalidArgument):
            pynvml.nvmlDeviceSetPowerManagementLimit(gpu, 10_000)

    def test_a_k80_has_no_energy_counter(self):
        self.start("--gpus", "k80")
        gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
        with self.assertRaises(pynvml.NVMLError_NotSupported):
            pynvml.nvmlDeviceGetTotalEnergyConsumption(gpu)

    def test_a_lost_gpu_raises(self):
        self.start("--gpus", "v100,t4", "--lose", "0@0")
        with self.assertRaises(pynvml.NVMLError_GpuIsLost):
            pynvml.nvmlDeviceGetHandleByIndex(0)
        pynvml.nvmlDeviceGetPowerUsage(pynvml.nvmlDeviceGetHandleByIndex(1))


if __name__ == "__main__":
    # The client looks for libnvidia-ml.so.1: it finds the simulated one under that name first.
    if "ERGO_SIM_LINKED" not in os.environ:
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(os.environ["ERGO_SIM_NVML"], os.path.join(folder, "libnvidia-ml.so.1"))
            env = dict(os.environ, LD_LIBRARY_PATH=folder, ERGO_SIM_LINKED="1")
            sys.exit(subprocess.run([sys.executable, __file__, *sys.argv[1:]], env=env).returncode)
    unittest.main()
