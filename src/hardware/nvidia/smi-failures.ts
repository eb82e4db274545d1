/** What nvidia-smi says instead of an answer, and what to do about it. */
import type { Problem } from '#core/device.ts'

export const smiFailures: readonly { readonly pattern: RegExp; readonly problem: Problem }[] = [
  {
    pattern: /Driver\/library version mismatch/i,
    problem: {
      severity: 'error',
      what: 'The loaded NVIDIA driver and its libraries are of different versions.',
      why: 'The driver was upgraded while the old one stayed loaded: no CUDA program can start.',
      fix: 'Reboot, or unload and load the kernel modules: sudo rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia',
    },
  },
  {
    pattern: /couldn't communicate with the NVIDIA driver/i,
    problem: {
      severity: 'error',
      what: 'nvidia-smi is there, but the NVIDIA driver is not loaded.',
      why: 'Without the driver no CUDA engine can start.',
      fix: 'Load it: sudo modprobe nvidia. If that fails after a new kernel, build the module for it: sudo dkms autoinstall, then reboot.',
    },
  },
  {
    pattern: /Unable to determine the device handle|fallen off the bus/i,
    problem: {
      severity: 'error',
      what: 'A GPU no longer answers the driver.',
      why: 'It has fallen off the PCI bus (Xid 79): power, heat or a riser. Nothing can run on it until the node restarts.',
      fix: 'Look for "Xid" in "sudo dmesg", reboot, and check power cables and cooling if it happens again.',
    },
  },
  {
    pattern: /Failed to initialize NVML: (Unknown Error|Insufficient Permissions)/i,
    problem: {
      severity: 'error',
      what: 'nvidia-smi may not open the GPU.',
      why: 'Inside a container this happens after "systemctl daemon-reload" on the host took its devices away.',
      fix: 'Restart the container. To keep it from coming back, set "exec-opts": ["native.cgroupdriver=cgroupfs"] in /etc/docker/daemon.json or use CDI devices.',
    },
  },
  {
    pattern: /No devices were found/i,
    problem: {
      severity: 'warning',
      what: 'nvidia-smi finds no device.',
      why: 'The driver is there and no GPU was given to this machine or container.',
      fix: 'Start the container with --gpus all, or check "lspci -nn -d 10de:" and "sudo dmesg | grep NVRM" on the host.',
    },
  },
]
